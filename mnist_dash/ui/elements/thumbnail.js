// Shows the image of the point under the pointer of a chart that stands elsewhere on the page.

const SIDE = 84
const LOOK_MS = 300

/**
 * @param {HTMLElement} box
 * @param {Sprite & { n: number }} data
 * @param {PlotlyPick} event
 */
function show(box, data, event) {
  const index = event.points.map(point => point.customdata).find(value => typeof value === "number")
  if (index === undefined || index >= data.n) return
  const { clientX, clientY } = event.event
  const left = clientX + 24 + SIDE > window.innerWidth ? clientX - 24 - SIDE : clientX + 24
  Object.assign(box.style, {
    display: "block",
    left: `${left}px`,
    top: `${Math.max(4, clientY - 24 - SIDE)}px`,
    ...cutOut(data, index),
  })
  box.dataset.image = String(index)
}

/** @param {Component<Sprite & { n: number, chart: string }>} component */
export default function (component) {
  const { data, parentElement } = component
  const box = parentElement.querySelector(".thumbnail")
  const hide = () => {
    box.style.display = "none"
  }
  /** @type {PlotlyNode | null} */
  let node = null
  /** @param {PlotlyPick} event */
  const onHover = event => show(box, data, event)
  const leave = () => {
    node?.removeListener?.("plotly_hover", onHover)
    node?.removeListener?.("plotly_unhover", hide)
    node = null
  }
  // The chart is drawn when its library has arrived, and anew when it was away.
  const look = () => {
    /** @type {PlotlyNode | null} */
    const found = document.querySelector(`.st-key-${data.chart} .live-plot`)
    if (found === node || !found?.on) return
    leave()
    node = found
    node.on("plotly_hover", onHover)
    node.on("plotly_unhover", hide)
  }
  look()
  const timer = setInterval(look, LOOK_MS)
  return () => {
    clearInterval(timer)
    leave()
    hide()
  }
}
