// A square to draw on with finger, pen or mouse. Strokes are lists of points in [0, 1]; they are sent when one ends.

/** @typedef {number[][]} Stroke points, each of x and y */

/**
 * @typedef {object} State
 * @property {HTMLCanvasElement} canvas
 * @property {HTMLButtonElement} undo
 * @property {HTMLButtonElement} clear
 * @property {Stroke[]} strokes
 * @property {number} pen width as a fraction of the side
 * @property {number | null} pointer the one that draws
 * @property {number | null} round
 * @property {Reporter} report
 * @property {ResizeObserver} observer
 */

/** @type {WeakMap<ComponentRoot, State>} */
const instances = new WeakMap()
const NEAREST = 0.006 // a point closer than this to the one before adds nothing

/** @param {State} state */
function paint(state) {
  const { canvas, strokes, pen } = state
  const side = canvas.clientWidth
  if (!side) return
  const pixels = Math.round(side * devicePixelRatio)
  if (canvas.width !== pixels) canvas.width = canvas.height = pixels
  const context = canvas.getContext("2d")
  if (!context) return
  context.clearRect(0, 0, pixels, pixels)
  context.lineCap = context.lineJoin = "round"
  context.lineWidth = pen * pixels
  context.strokeStyle = context.fillStyle = getComputedStyle(canvas).getPropertyValue("--st-text-color").trim()
  for (const stroke of strokes) {
    context.beginPath()
    if (stroke.length === 1) {
      context.arc(stroke[0][0] * pixels, stroke[0][1] * pixels, (pen * pixels) / 2, 0, 2 * Math.PI)
      context.fill()
    }
    for (const [x, y] of stroke) context.lineTo(x * pixels, y * pixels) // the first one moves there
    if (stroke.length > 1) context.stroke()
  }
  if (!strokes.length) invite(context, pixels, canvas)
  state.undo.disabled = state.clear.disabled = !strokes.length
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} pixels
 * @param {HTMLCanvasElement} canvas
 */
function invite(context, pixels, canvas) {
  context.save()
  context.globalAlpha = 0.55
  context.textAlign = "center"
  context.font = `${Math.round(pixels / 18)}px ${getComputedStyle(canvas).getPropertyValue("--st-font")}`
  context.fillText("Draw a digit here", pixels / 2, pixels / 2)
  context.restore()
}

/**
 * @param {State} state
 * @param {PointerEvent} event
 */
function place(state, event) {
  const box = state.canvas.getBoundingClientRect()
  /** @type {(value: number, from: number, length: number) => number} */
  const share = (value, from, length) => Math.round(Math.min(1, Math.max(0, (value - from) / length)) * 1000) / 1000
  return [share(event.clientX, box.left, box.width), share(event.clientY, box.top, box.height)]
}

/**
 * @param {State} state
 * @param {PointerEvent} event
 */
function begin(state, event) {
  if (state.pointer !== null || (event.pointerType === "mouse" && event.button !== 0)) return
  state.pointer = event.pointerId
  state.canvas.setPointerCapture(event.pointerId)
  state.strokes.push([place(state, event)])
  paint(state)
}

/**
 * @param {State} state
 * @param {PointerEvent} event
 */
function extend(state, event) {
  if (event.pointerId !== state.pointer) return
  const stroke = state.strokes.at(-1)
  if (!stroke) return
  for (const moved of event.getCoalescedEvents?.() ?? [event]) {
    const point = place(state, moved)
    const last = stroke[stroke.length - 1]
    if (Math.hypot(point[0] - last[0], point[1] - last[1]) >= NEAREST) stroke.push(point)
  }
  paint(state)
}

/**
 * @param {State} state
 * @param {PointerEvent} event
 */
function end(state, event) {
  if (event.pointerId !== state.pointer) return
  state.pointer = null
  send(state)
}

/** @param {State} state */
function send(state) {
  paint(state)
  state.report("drawn", { round: state.round, strokes: state.strokes })
}

/** @param {State} state */
function undo(state) {
  if (!state.strokes.length || state.pointer !== null) return
  state.strokes.pop()
  send(state)
}

/**
 * @param {ComponentRoot} parent
 * @returns {State}
 */
function start(parent) {
  const canvas = parent.querySelector("canvas")
  /** @type {State} */
  const state = {
    canvas,
    undo: parent.querySelector(".undo"),
    clear: parent.querySelector(".clear"),
    strokes: [],
    pen: 0.1,
    pointer: null,
    round: null,
    report: () => {},
    observer: new ResizeObserver(() => paint(state)),
  }
  canvas.onpointerdown = event => begin(state, event)
  canvas.onpointermove = event => extend(state, event)
  canvas.onpointerup = canvas.onpointercancel = event => end(state, event)
  canvas.onkeydown = event => {
    if ((event.ctrlKey || event.metaKey) && event.key === "z") {
      event.preventDefault()
      undo(state)
    }
  }
  state.undo.onclick = () => undo(state)
  state.clear.onclick = () => {
    state.strokes = []
    state.pointer = null
    send(state)
  }
  state.observer.observe(canvas)
  instances.set(parent, state)
  return state
}

/** @param {Component<{ round: number, strokes: Stroke[], pen: number }>} component */
export default function (component) {
  const { data, parentElement, setStateValue } = component
  const state = instances.get(parentElement) ?? start(parentElement)
  state.report = setStateValue
  state.pen = data.pen
  if (state.round !== data.round) {
    state.round = data.round
    state.strokes = data.strokes.map(stroke => stroke.map(point => [...point]))
    state.pointer = null
  }
  state.canvas.setAttribute("aria-label", "Canvas: draw a digit with finger, pen or mouse")
  paint(state)
  return () => {
    state.observer.disconnect()
    instances.delete(parentElement)
  }
}
