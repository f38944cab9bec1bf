// A square to draw on with finger, pen or mouse. Strokes are lists of points in [0, 1]; they are sent when one ends.

const instances = new WeakMap()
const NEAREST = 0.006 // a point closer than this to the one before adds nothing

function paint(state) {
  const { canvas, strokes, pen } = state
  const side = canvas.clientWidth
  if (!side) return
  const pixels = Math.round(side * devicePixelRatio)
  if (canvas.width !== pixels) canvas.width = canvas.height = pixels
  const context = canvas.getContext("2d")
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
    stroke.forEach(([x, y], index) => context[index ? "lineTo" : "moveTo"](x * pixels, y * pixels))
    if (stroke.length > 1) context.stroke()
  }
  if (!strokes.length) invite(context, pixels, canvas)
  state.undo.disabled = state.clear.disabled = !strokes.length
}

function invite(context, pixels, canvas) {
  context.save()
  context.globalAlpha = 0.55
  context.textAlign = "center"
  context.font = `${Math.round(pixels / 18)}px ${getComputedStyle(canvas).getPropertyValue("--st-font")}`
  context.fillText("Draw a digit here", pixels / 2, pixels / 2)
  context.restore()
}

function place(state, event) {
  const box = state.canvas.getBoundingClientRect()
  const share = (value, from, length) => Math.round(Math.min(1, Math.max(0, (value - from) / length)) * 1000) / 1000
  return [share(event.clientX, box.left, box.width), share(event.clientY, box.top, box.height)]
}

function begin(state, event) {
  if (state.pointer !== null || (event.pointerType === "mouse" && event.button !== 0)) return
  state.pointer = event.pointerId
  state.canvas.setPointerCapture(event.pointerId)
  state.strokes.push([place(state, event)])
  paint(state)
}

function extend(state, event) {
  if (event.pointerId !== state.pointer) return
  const stroke = state.strokes.at(-1)
  for (const moved of event.getCoalescedEvents?.() ?? [event]) {
    const point = place(state, moved)
    const last = stroke.at(-1)
    if (Math.hypot(point[0] - last[0], point[1] - last[1]) >= NEAREST) stroke.push(point)
  }
  paint(state)
}

function end(state, event) {
  if (event.pointerId !== state.pointer) return
  state.pointer = null
  send(state)
}

function send(state) {
  paint(state)
  state.report("drawn", { round: state.round, strokes: state.strokes })
}

function undo(state) {
  if (!state.strokes.length || state.pointer !== null) return
  state.strokes.pop()
  send(state)
}

function start(parent) {
  const [canvas, undoButton, clearButton] = ["canvas", ".undo", ".clear"].map(name => parent.querySelector(name))
  const state = { canvas, undo: undoButton, clear: clearButton, strokes: [], pen: 0.1, pointer: null, round: null, report: null }
  canvas.onpointerdown = event => begin(state, event)
  canvas.onpointermove = event => extend(state, event)
  canvas.onpointerup = canvas.onpointercancel = event => end(state, event)
  canvas.onkeydown = event => {
    if ((event.ctrlKey || event.metaKey) && event.key === "z") {
      event.preventDefault()
      undo(state)
    }
  }
  undoButton.onclick = () => undo(state)
  clearButton.onclick = () => {
    state.strokes = []
    state.pointer = null
    send(state)
  }
  state.observer = new ResizeObserver(() => paint(state))
  state.observer.observe(canvas)
  instances.set(parent, state)
  return state
}

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
