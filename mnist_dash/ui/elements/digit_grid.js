// A grid of images, each a button; the images are places in one picture.

const instances = new WeakMap()

function make(tag, className, text) {
  const element = document.createElement(tag)
  element.className = className
  if (text !== undefined) element.textContent = text
  return element
}

function picture(data, index) {
  const element = make("div", "digit")
  Object.assign(element.style, { width: `${data.size}px`, height: `${data.size}px`, ...cutOut(data, index) })
  return element
}

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

function draw(grid, data) {
  const widest = data.tiles.some(tile => tile.bars.length) ? Math.max(data.size, 104) + 14 : data.size + 6
  grid.className = `digit-grid${data.tiles.some(tile => tile.title || tile.bars.length) ? "" : " bare"}`
  grid.style.gridTemplateColumns = `repeat(auto-fill, minmax(min(100%, ${widest}px), ${widest === data.size + 6 ? "max-content" : "1fr"}))`
  grid.replaceChildren(
    ...data.tiles.map((tile, index) => {
      const button = make("button", "tile")
      button.type = "button"
      button.title = tile.spoken
      button.dataset.image = tile.image
      button.setAttribute("aria-label", tile.spoken)
      button.setAttribute("aria-pressed", String(tile.image === data.selected))
      button.append(picture(data, index))
      if (tile.title) button.append(make("div", "title", tile.title))
      if (tile.note) button.append(make("div", "note", tile.note))
      if (tile.bars.length) button.append(bars(tile, data.names))
      button.onclick = () => instances.get(grid).report("clicked", tile.image)
      return button
    }),
  )
}

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
  for (const button of grid.children) button.setAttribute("aria-pressed", String(Number(button.dataset.image) === selected))
}
