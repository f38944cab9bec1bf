// A Plotly chart that is updated in place: node, zoom and hidden lines live on from tick to tick.

/**
 * @typedef {object} PlotData
 * @property {string | null} figure as JSON; null only fetches the library
 * @property {string} alt
 * @property {number | string} height in pixels, or as CSS
 * @property {boolean} [clickable]
 * @property {boolean} [interactive]
 * @property {boolean} [brushable]
 * @property {string} plotly_url
 */

/**
 * @typedef {object} State
 * @property {string} drawn what is drawn or about to be
 * @property {Promise<void>} turn ends when the former drawing has ended
 * @property {ResizeObserver} observer
 * @property {Reporter | null} report
 * @property {Reporter | null} interact
 * @property {boolean} brushable
 * @property {Partial<Record<AxisName, AxisLayout>>} axes as the figure asked for them
 * @property {string[]} marked
 * @property {boolean} listens
 * @property {boolean} isFull whether outliers are shown with all the rest
 */

/** @type {WeakMap<PlotlyNode, State>} */
const instances = new WeakMap()

// The library is fetched once a page and kept by the browser from visit to visit; the address carries its version.
/** @param {string} url */
async function scriptAddress(url) {
  if (!globalThis.caches) return url // plain http on another host: no cache storage there
  const cache = await caches.open("mnist-dash-plotly")
  const kept = await cache.match(url)
  if (kept) return URL.createObjectURL(await kept.blob())
  for (const request of await cache.keys()) await cache.delete(request)
  await cache.add(url)
  const added = await cache.match(url)
  return added ? URL.createObjectURL(await added.blob()) : url // added, and lost at once: no room
}

/**
 * @param {string} address
 * @returns {Promise<PlotlyLibrary>}
 */
function addScript(address) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script")
    script.src = address
    const fail = () => reject(new Error("The chart library did not load"))
    script.onload = () => (window.Plotly ? resolve(window.Plotly) : fail())
    script.onerror = fail
    document.head.appendChild(script)
  })
}

/** @param {string} url */
function loadPlotly(url) {
  window.__mnistDashPlotly ??= scriptAddress(url)
    .catch(() => url)
    .then(addScript)
  return window.__mnistDashPlotly
}

/**
 * @param {Element} element
 * @returns {Theme}
 */
function readTheme(element) {
  const style = getComputedStyle(element)
  /** @param {string} name */
  const read = name => style.getPropertyValue(`--st-${name}`).trim()
  return {
    text: read("text-color"),
    background: read("background-color"),
    grid: read("border-color"),
    panel: read("secondary-background-color"),
    font: read("font"),
    categorical: read("chart-categorical-colors").split(","),
    sequential: read("chart-sequential-colors").split(","),
    diverging: read("chart-diverging-colors").split(","),
  }
}

// Dragging scrolls the page on a touch screen, and zooms where there is a mouse.
const isTouch = () => window.matchMedia("(pointer: coarse)").matches

/**
 * @param {PlotlyLibrary} Plotly
 * @param {PlotlyNode} node
 * @param {string} source
 * @param {Theme} theme
 * @param {State} state
 */
async function draw(Plotly, node, source, theme, state) {
  const { brushable } = state
  const { data: painted, layout } = paintFigure(source, theme)
  const data = state.isFull ? withFullRange(painted, layout) : painted
  layout.dragmode ??= isTouch() ? false : brushable ? "select" : "zoom"
  if (brushable) {
    layout.newselection = { line: { color: theme.text, width: 1.5, dash: "dash" }, ...layout.newselection }
    layout.activeselection = { fillcolor: theme.text, opacity: 0.08, ...layout.activeselection }
  }
  // Plotly writes a person's zoom into the layout, so what was asked for is put aside for the way back.
  state.axes = {}
  for (const name of axisNames(layout)) {
    const { range, autorange } = layout[name] ?? {}
    state.axes[name] = { range: range && [...range], autorange }
  }
  for (const name of axisNames(layout)) {
    const zoomed = node.layout?.[name]
    if (layout[name] && zoomed?.autorange === false) layout[name].dtick = wholeStep(layout[name], zoomed.range)
  }
  await Plotly.react(node, data, layout, {
    displayModeBar: false, // it would lie over the legend, and offers to send the chart elsewhere
    scrollZoom: Boolean(brushable), // with Ctrl only, see below
    doubleClick: brushable ? false : "reset+autosize", // and its own answer instead: selecting knows no reset
  })
  // Plotly's own copies: arrays come as base64 and are read by it.
  const n_points = node._fullData.reduce((sum, { x, dimensions }) => sum + ((x ?? dimensions?.[0]?.values)?.length ?? 0), 0)
  node.dataset.points = String(n_points)
  node.dataset.draws = String(Number(node.dataset.draws ?? 0) + 1)
}

// Leaves the marks of what lies beyond the range out, and lets the axes show all there is; figures/base/axes.py says what that is.
/**
 * @param {Trace[]} data
 * @param {Layout} layout
 */
function withFullRange(data, layout) {
  for (const { meta, xaxis, yaxis } of data) {
    if (!meta?.edge) continue
    const name = meta.edge === "x" ? `xaxis${(xaxis ?? "x").slice(1)}` : `yaxis${(yaxis ?? "y").slice(1)}`
    if (isAxisName(name)) delete layout[name]?.autorangeoptions
  }
  return data.filter(({ meta }) => !meta?.edge)
}

// Whole ticks stay whole, and become neither too many nor too few, however closely a person looks.
/**
 * @param {AxisLayout} axis as the figure asked for it
 * @param {unknown[]} [range] what a person looks at
 */
function wholeStep({ dtick, tick0 }, range) {
  if (tick0 !== 0 || typeof dtick !== "number" || !range) return dtick
  const extent = Math.abs(Number(range[1]) - Number(range[0]))
  let step = 1
  while (extent / step > MOST_TICKS) step = String(step).startsWith("2") ? step * 2.5 : step * 2
  return step
}

const MOST_TICKS = 10

// Plotly keeps its listeners through react, so one is enough; it asks for the latest way back to the server.
/**
 * @param {PlotlyNode} node
 * @param {State} state
 */
function listen(node, state) {
  if (state.listens) return
  state.listens = true
  node.on("plotly_click", event => {
    const picked = event.points.find(point => point.customdata !== undefined && point.customdata !== null)
    if (picked) state.report?.("clicked", picked.customdata)
    else if (event.points.some(point => point.data.meta?.place)) reportPlace(node, state, event.event)
  })
  node.on("plotly_selected", event => {
    if (event?.range) reportBox(node, state, event.range)
  })
  node.on("plotly_restyle", ([change]) => reportConstraint(node, state, change))
  node.on("plotly_relayout", () => {
    /** @type {Record<string, unknown>} */
    const change = {}
    for (const name of axisNames(node.layout ?? {})) {
      const axis = node.layout?.[name]
      const dtick = axis && wholeStep(axis, axis.range)
      if (axis && dtick !== axis.dtick) change[`${name}.dtick`] = dtick
    }
    if (Object.keys(change).length) window.Plotly?.update(node, {}, change)
  })
  node.on("plotly_deselect", () => {
    if (state.brushable) resetView(node, state) // a double click, where boxes are marked
  })
  node.addEventListener("wheel", event => state.brushable && !event.ctrlKey && event.stopPropagation(), { capture: true })
}

/**
 * @param {PlotlyNode} node
 * @param {string} letter with its number: x, y, x2
 */
function axisOf(node, letter) {
  const name = letter.replace(/^([xy])/, "$1axis")
  return isAxisName(name) ? node._fullLayout[name] : undefined
}

// A place along an axis in the unit of what it shows: a choice by name, whole numbers rounded.
/**
 * @param {AxesMeta} meta
 * @param {string} letter
 * @param {number} place
 */
function valueAt(meta, letter, place) {
  const path = meta.axes?.[letter] ?? ""
  const choices = meta.choices?.[path]
  if (choices) return choices[Math.min(Math.max(Math.round(place), 0), choices.length - 1)]
  if (meta.complements?.includes(letter)) return 1 - place
  return meta.integers?.includes(path) ? Math.round(place) : place
}

/**
 * @param {string} path
 * @param {unknown[] | undefined} choices
 * @param {number} low
 * @param {number} high
 */
function brush(path, choices, low, high) {
  if (choices) return { axis: path, choices: choices.filter((_, index) => low <= index && index <= high) }
  return { axis: path, low, high }
}

/**
 * @param {PlotlyNode} node
 * @param {State} state
 * @param {MouseEvent} event
 */
function reportPlace(node, state, { clientX, clientY }) {
  const meta = node._fullLayout.meta ?? {}
  const corner = node.getBoundingClientRect()
  const { xaxis, yaxis } = node._fullLayout
  const x = xaxis.p2d(clientX - corner.left - xaxis._offset)
  const y = yaxis.p2d(clientY - corner.top - yaxis._offset)
  state.interact?.("placed", [valueAt(meta, "x", x), valueAt(meta, "y", y)])
}

// Plotly gives the ends of a box in values, of a logarithmic axis too.
/**
 * @param {PlotlyNode} node
 * @param {State} state
 * @param {Record<string, number[]>} range
 */
function reportBox(node, state, range) {
  const meta = node._fullLayout.meta ?? {}
  const brushes = Object.entries(range).flatMap(([letter, ends]) => {
    const path = meta.axes?.[letter]
    if (path === undefined || !axisOf(node, letter)) return []
    const [low, high] = ends.map(end => (meta.complements?.includes(letter) ? 1 - end : end)).sort((a, b) => a - b)
    return [brush(path, meta.choices?.[path], low, high)]
  })
  state.marked = brushes.map(({ axis }) => axis)
  if (brushes.length) state.interact?.("brushed", brushes)
}

/**
 * @param {PlotlyNode} node
 * @param {State} state
 * @param {Record<string, unknown>} change
 */
function reportConstraint(node, state, change) {
  const meta = node._fullLayout.meta ?? {}
  for (const [name, value] of Object.entries(change)) {
    const index = /^dimensions\[(\d+)\]\.constraintrange$/.exec(name)?.[1]
    const path = node._fullData[0]?.dimensions?.[Number(index)]?.name
    if (path === undefined) continue
    const range = Array.isArray(value) ? value[0] : undefined
    if (!Array.isArray(range)) {
      state.interact?.("brushed", [{ axis: path }])
      return
    }
    // Several ranges of one axis count as one from end to end.
    const ends = range.flat().map(end => (meta.logs?.includes(path) ? 10 ** end : end))
    state.interact?.("brushed", [brush(path, meta.choices?.[path], Math.min(...ends), Math.max(...ends))])
  }
}

/**
 * @param {PlotlyNode} node
 * @param {State} state
 */
function resetView(node, state) {
  /** @type {Record<string, unknown>} */
  const change = { selections: [] }
  for (const name of axisNames(node._fullLayout)) {
    const { range, autorange } = state.axes[name] ?? {}
    Object.assign(change, range ? { [`${name}.range`]: range } : { [`${name}.autorange`]: autorange ?? true })
  }
  window.Plotly?.update(node, { selectedpoints: null }, change)
  if (state.marked.length)
    state.interact?.(
      "brushed",
      state.marked.map(axis => ({ axis })),
    )
  state.marked = []
}

/**
 * @param {PlotlyNode} node
 * @returns {State}
 */
function start(node) {
  /** @type {State} */
  const state = {
    drawn: "",
    turn: Promise.resolve(),
    observer: new ResizeObserver(() => {
      if (node.data && node.offsetWidth) window.Plotly?.Plots.resize(node)
    }),
    report: null,
    interact: null,
    brushable: false,
    axes: {},
    marked: [],
    listens: false,
    isFull: false,
  }
  state.observer.observe(node)
  instances.set(node, state)
  return state
}

const EDGE_MARK = '"edge":'

/** @param {Component<PlotData>} component */
export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  /** @type {PlotlyNode} */
  const node = parentElement.querySelector(".live-plot")
  const state = instances.get(node) ?? start(node)
  const { figure } = data
  if (!figure) {
    loadPlotly(data.plotly_url).catch(() => {})
    return
  }
  node.style.height = typeof data.height === "number" ? `${data.height}px` : data.height
  node.setAttribute("role", "img")
  node.setAttribute("aria-label", data.alt)
  node.classList.toggle("clickable", Boolean(data.clickable))
  state.report = data.clickable ? setTriggerValue : null
  state.interact = data.interactive ? setTriggerValue : null
  state.brushable = Boolean(data.brushable)
  const button = parentElement.querySelector("button")
  const show = () => {
    const theme = readTheme(node)
    const wanted = figure + JSON.stringify(theme) + state.brushable + state.isFull
    if (wanted === state.drawn) return
    state.drawn = wanted
    button.hidden = !figure.includes(EDGE_MARK)
    button.textContent = state.isFull ? "Usual range" : "Full range"
    state.turn = state.turn
      .then(() => loadPlotly(data.plotly_url))
      .then(Plotly => (state.drawn === wanted ? draw(Plotly, node, figure, theme, state) : undefined))
      .then(() => (node.data ? listen(node, state) : undefined))
      .catch(error => {
        node.textContent = `${error.message}. Reload the page to try again.`
      })
  }
  button.onclick = () => {
    state.isFull = !state.isFull
    show()
  }
  show()
  return () => {
    state.observer.disconnect()
    if (window.Plotly && node.data) window.Plotly.purge(node)
    instances.delete(node)
  }
}
