// A Plotly chart that is updated in place: node, zoom and hidden lines live on from tick to tick.

const instances = new WeakMap()

// The library is fetched once a page and kept by the browser from visit to visit; the address carries its version.
async function scriptAddress(url) {
  if (!globalThis.caches) return url // plain http on another host: no cache storage there
  const cache = await caches.open("mnist-dash-plotly")
  const kept = await cache.match(url)
  if (kept) return URL.createObjectURL(await kept.blob())
  for (const request of await cache.keys()) await cache.delete(request)
  await cache.add(url)
  return URL.createObjectURL(await (await cache.match(url)).blob())
}

function addScript(address) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script")
    script.src = address
    script.onload = () => resolve(window.Plotly)
    script.onerror = () => reject(new Error("The chart library did not load"))
    document.head.appendChild(script)
  })
}

function loadPlotly(url) {
  window.__mnistDashPlotly ??= scriptAddress(url)
    .catch(() => url)
    .then(addScript)
  return window.__mnistDashPlotly
}

function readTheme(element) {
  const style = getComputedStyle(element)
  const read = name => style.getPropertyValue(`--st-${name}`).trim()
  return {
    text: read("text-color"),
    grid: read("border-color"),
    panel: read("secondary-background-color"),
    font: read("font"),
    categorical: read("chart-categorical-colors").split(","),
    sequential: read("chart-sequential-colors").split(","),
    diverging: read("chart-diverging-colors").split(","),
  }
}

function paintTrace(trace, theme) {
  const { color, scale } = trace.meta ?? {}
  if (color !== undefined) {
    const painted = color === "text" ? theme.text : theme.categorical[color % theme.categorical.length]
    trace.line = { ...trace.line, color: painted }
    trace.marker = { ...trace.marker, color: painted }
  }
  if (scale !== undefined) {
    const last = theme[scale].length - 1
    trace.colorscale = theme[scale].map((step, index) => [index / last, step])
  }
}

function paintLayout(layout, theme) {
  layout.paper_bgcolor = "rgba(0,0,0,0)"
  layout.plot_bgcolor = "rgba(0,0,0,0)"
  layout.font = { family: theme.font, color: theme.text, size: 12, ...layout.font }
  layout.hoverlabel = { bgcolor: theme.panel, bordercolor: theme.grid, font: { color: theme.text, family: theme.font } }
  for (const shape of layout.shapes ?? []) shape.line = { color: theme.text, ...shape.line }
  for (const name of Object.keys(layout).filter(key => /^[xy]axis\d*$/.test(key))) {
    layout[name] = { gridcolor: theme.grid, zerolinecolor: theme.grid, linecolor: theme.grid, ...layout[name] }
  }
}

// Dragging scrolls the page on a touch screen, and zooms where there is a mouse.
const isTouch = () => window.matchMedia("(pointer: coarse)").matches

async function draw(Plotly, node, source, theme) {
  const { data, layout } = JSON.parse(source)
  data.forEach(trace => paintTrace(trace, theme))
  paintLayout(layout, theme)
  layout.autosize = true
  layout.dragmode ??= isTouch() ? false : "zoom"
  await Plotly.react(node, data, layout, {
    displayModeBar: false, // it would lie over the legend, and offers to send the chart elsewhere
  })
  node.dataset.points = data.reduce((sum, trace) => sum + (trace.x?.length ?? 0), 0)
  node.dataset.draws = Number(node.dataset.draws ?? 0) + 1
}

// Plotly keeps its listeners through react, so one is enough; it asks for the latest way back to the server.
function listen(node, state) {
  if (state.listens) return
  state.listens = true
  node.on("plotly_click", event => {
    const picked = event.points.find(point => point.customdata !== undefined && point.customdata !== null)
    if (picked) state.report?.("clicked", picked.customdata)
  })
}

function start(node) {
  const state = { drawn: "", turn: Promise.resolve(), observer: null, report: null, listens: false }
  state.observer = new ResizeObserver(() => {
    if (node.data && node.offsetWidth) window.Plotly.Plots.resize(node)
  })
  state.observer.observe(node)
  instances.set(node, state)
  return state
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  const node = parentElement.querySelector(".live-plot")
  const state = instances.get(node) ?? start(node)
  if (!data.figure) {
    loadPlotly(data.plotly_url).catch(() => {})
    return
  }
  node.style.height = `${data.height}px`
  node.setAttribute("aria-label", data.alt)
  node.classList.toggle("clickable", Boolean(data.clickable))
  state.report = data.clickable ? setTriggerValue : null
  const theme = readTheme(parentElement)
  const wanted = data.figure + JSON.stringify(theme)
  if (wanted !== state.drawn) {
    state.drawn = wanted
    state.turn = state.turn
      .then(() => loadPlotly(data.plotly_url))
      .then(Plotly => (state.drawn === wanted ? draw(Plotly, node, data.figure, theme) : undefined))
      .then(() => (node.data ? listen(node, state) : undefined))
      .catch(error => {
        node.textContent = `${error.message}. Reload the page to try again.`
      })
  }
  return () => {
    state.observer.disconnect()
    if (window.Plotly && node.data) window.Plotly.purge(node)
    instances.delete(node)
  }
}
