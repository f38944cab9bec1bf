// Pictures from one tall image, laid out in rows on a canvas that is as wide as its place.

/**
 * @typedef {object} GridData
 * @property {string} sprite address of the picture
 * @property {number} n
 * @property {number} side of one picture, in its own pixels
 * @property {[desk: number, phone: number]} columns
 * @property {string[]} titles
 * @property {string[]} captions
 * @property {number | null} selected
 * @property {boolean} clickable
 * @property {number} max_side
 * @property {string} alt
 */

/** @typedef {{ columns: number, cell: number, height: number, rows: number }} Grid sides in pixels */

/**
 * @typedef {object} State
 * @property {HTMLCanvasElement} canvas
 * @property {HTMLElement} place
 * @property {GridData} data
 * @property {HTMLImageElement | null} sprite null until it has loaded
 * @property {Grid | null} layout null until it is painted
 * @property {number | null} cursor
 * @property {Reporter} report
 * @property {ResizeObserver} observer
 */

/** @type {WeakMap<ComponentRoot, State>} */
const instances = new WeakMap()
const PHONE = 560 // narrower than this the second number of columns counts
const GAP = 2
const CAPTION = 18

/**
 * @param {State} state
 * @returns {Grid}
 */
function layOut(state) {
  const { data } = state
  const width = state.place.clientWidth
  const columns = Math.min(data.columns[width < PHONE ? 1 : 0], Math.max(1, data.n))
  const cell = Math.min(data.max_side + GAP, width / columns)
  const height = cell + (data.captions.length ? CAPTION : 0)
  return { columns, cell, height, rows: Math.ceil(data.n / columns) }
}

/** @param {State} state */
function paint(state) {
  const { data, canvas, sprite } = state
  const context = canvas.getContext("2d")
  if (!sprite || !context || !state.place.clientWidth) return
  const layout = layOut(state)
  state.layout = layout
  const ratio = devicePixelRatio
  canvas.style.width = `${layout.columns * layout.cell}px`
  canvas.style.height = `${layout.rows * layout.height}px`
  canvas.width = Math.round(layout.columns * layout.cell * ratio)
  canvas.height = Math.round(layout.rows * layout.height * ratio)
  context.scale(ratio, ratio)
  /** @param {string} name */
  const theme = name => getComputedStyle(canvas).getPropertyValue(`--st-${name}`).trim()
  context.font = `12px ${theme("font")}`
  context.textAlign = "center"
  const side = layout.cell - GAP
  context.imageSmoothingEnabled = side * ratio < data.side
  for (let index = 0; index < data.n; index++) {
    const [x, y] = corner(layout, index)
    context.drawImage(sprite, 0, index * data.side, data.side, data.side, x + GAP / 2, y + GAP / 2, side, side)
    if (data.captions.length) {
      context.fillStyle = theme("text-color")
      context.fillText(data.captions[index], x + layout.cell / 2, y + layout.cell + 12, layout.cell)
    }
  }
  if (data.selected !== null) frame(context, layout, data.selected, theme("primary-color"), 3)
  if (state.cursor !== null && state.cursor < data.n) frame(context, layout, state.cursor, theme("text-color"), 1.5)
}

/**
 * @param {Grid} layout
 * @param {number} index
 */
function corner(layout, index) {
  return [(index % layout.columns) * layout.cell, Math.floor(index / layout.columns) * layout.height]
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Grid} layout
 * @param {number} index
 * @param {string} color
 * @param {number} width
 */
function frame(context, layout, index, color, width) {
  const [x, y] = corner(layout, index)
  context.strokeStyle = color
  context.lineWidth = width
  context.strokeRect(x + width / 2, y + width / 2, layout.cell - width, layout.cell - width)
}

/**
 * @param {State} state
 * @param {MouseEvent} event
 */
function under(state, event) {
  const { layout, data, canvas } = state
  if (!layout) return null
  const box = canvas.getBoundingClientRect()
  const column = Math.floor((event.clientX - box.left) / layout.cell)
  const index = Math.floor((event.clientY - box.top) / layout.height) * layout.columns + column
  return column >= 0 && column < layout.columns && index >= 0 && index < data.n ? index : null
}

/**
 * @param {State} state
 * @param {number | null} index
 */
function press(state, index) {
  if (state.data.clickable && index !== null) state.report("clicked", index)
}

/**
 * @param {State} state
 * @param {KeyboardEvent} event
 */
function move(state, event) {
  const columns = state.layout?.columns ?? 0
  const step = new Map(Object.entries({ ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns })).get(event.key)
  if (event.key === "Enter") press(state, state.cursor)
  if (!step) return
  event.preventDefault()
  state.cursor = state.cursor === null ? 0 : Math.min(state.data.n - 1, Math.max(0, state.cursor + step))
  state.canvas.setAttribute("aria-label", state.data.titles[state.cursor] ?? state.data.alt)
  paint(state)
}

/**
 * @param {ComponentRoot} parent
 * @param {GridData} data
 * @returns {State}
 */
function start(parent, data) {
  const canvas = parent.querySelector("canvas")
  /** @type {State} */
  const state = {
    canvas,
    place: parent.querySelector(".picture-grid"),
    data: { ...data, sprite: "" },
    sprite: null,
    layout: null,
    cursor: null,
    report: () => {},
    observer: new ResizeObserver(() => paint(state)),
  }
  canvas.onclick = event => press(state, under(state, event))
  canvas.onmousemove = event => {
    const index = under(state, event)
    canvas.title = index === null ? "" : (state.data.titles[index] ?? "")
  }
  canvas.onkeydown = event => move(state, event)
  canvas.onblur = () => {
    state.cursor = null
    paint(state)
  }
  state.observer.observe(state.place)
  instances.set(parent, state)
  return state
}

/** @param {Component<GridData>} component */
export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  const state = instances.get(parentElement) ?? start(parentElement, data)
  const former = state.data.sprite
  state.data = data
  state.report = setTriggerValue
  state.canvas.classList.toggle("clickable", data.clickable)
  state.canvas.tabIndex = data.clickable ? 0 : -1
  state.canvas.setAttribute("aria-label", data.alt)
  if (former !== data.sprite) {
    const image = new Image()
    image.onload = () => {
      if (state.data.sprite !== data.sprite) return
      state.sprite = image
      paint(state)
      state.canvas.dataset.pictures = String(data.n)
    }
    image.src = data.sprite
  } else {
    paint(state)
  }
  return () => {
    state.observer.disconnect()
    instances.delete(parentElement)
  }
}
