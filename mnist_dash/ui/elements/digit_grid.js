// A grid of images, each a button; the images are places in one picture.

/**
 * @typedef {object} Tile
 * @property {number} image reported when the tile is clicked
 * @property {string} title
 * @property {string} note
 * @property {string} spoken
 * @property {number[]} bars
 * @property {number | null} true
 * @property {number | null} predicted
 */

/** @typedef {Sprite & { tiles: Tile[], names: string[], size: number, selected: number | null }} GridData */

/** @type {WeakMap<Element, { drawn: string, report: Reporter }>} */
const instances = new WeakMap()

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} className
 * @param {string} [text]
 */
function make(tag, className, text) {
  const element = document.createElement(tag)
  element.className = className
  if (text !== undefined) element.textContent = text
  return element
}

/**
 * @param {GridData} data
 * @param {number} index
 */
function picture(data, index) {
  const element = make("div", "digit")
  Object.assign(element.style, { width: `${data.size}px`, height: `${data.size}px`, ...cutOut(data, index) })
  return element
}

/**
 * @param {Tile} tile
 * @param {string[]} names
 */
function bars(tile, names) {
  const row = make("div", "bars")
  tile.bars.forEach((share, label) => {
    const marks = [label === tile.true ? "true" : "", label === tile.predicted ? "predicted" : ""]
    const bar = make("div", ["bar", ...marks].join(" "))
    const fill = make("div", "fill")
    fill.style.height = `${Math.round(100 * share) * 0.7}%`
    bar.title = `${names[label]}: ${share}`
    bar.append(fill, make("div", "name", names[label].slice(0, 2)))
    row.append(bar)
  })
  return row
}

/**
 * @param {HTMLElement} grid
 * @param {GridData} data
 */
function draw(grid, data) {
  const widest = data.tiles.some(tile => tile.bars.length) ? Math.max(data.size, 104) + 14 : data.size + 6
  grid.className = `digit-grid${data.tiles.some(tile => tile.title || tile.bars.length) ? "" : " bare"}`
  grid.style.gridTemplateColumns = `repeat(auto-fill, minmax(min(100%, ${widest}px), ${widest === data.size + 6 ? "max-content" : "1fr"}))`
  grid.replaceChildren(
    ...data.tiles.map((tile, index) => {
      const button = make("button", "tile")
      button.type = "button"
      button.title = tile.spoken
      button.dataset.image = String(tile.image)
      button.setAttribute("aria-label", tile.spoken)
      button.setAttribute("aria-pressed", String(tile.image === data.selected))
      button.append(picture(data, index))
      if (tile.title) button.append(make("div", "title", tile.title))
      if (tile.note) button.append(make("div", "note", tile.note))
      if (tile.bars.length) button.append(bars(tile, data.names))
      button.onclick = () => instances.get(grid)?.report("clicked", tile.image)
      return button
    }),
  )
}

/** @param {Component<GridData>} component */
export default function ({ data, parentElement, setTriggerValue }) {
  const grid = parentElement.querySelector(".digit-grid")
  const style = getComputedStyle(grid)
  const colors = style.getPropertyValue("--st-chart-categorical-colors").split(",")
  const [predicted, wrong, right, , , , other] = colors
  grid.style.setProperty("--predicted", wrong ?? predicted)
  grid.style.setProperty("--true", right ?? predicted)
  grid.style.setProperty("--other", other ?? predicted)
  const { selected, ...content } = data
  const wanted = JSON.stringify(content)
  const drawn = instances.get(grid)?.drawn
  instances.set(grid, { drawn: wanted, report: setTriggerValue })
  if (drawn !== wanted) draw(grid, data)
  for (const button of grid.querySelectorAll("button"))
    button.setAttribute("aria-pressed", String(Number(button.dataset.image) === selected))
}
