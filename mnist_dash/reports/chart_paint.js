// Puts the colours of a theme into a Plotly figure that names them by their places; before live_plot.js, and in self-contained pages.

/**
 * @param {string} source the figure as JSON
 * @param {Theme} theme
 * @returns {PlotlyFigure}
 */
function paintFigure(source, theme) {
  /** @type {PlotlyFigure} */
  const { data, layout } = JSON.parse(source)
  for (const trace of data) paintTrace(trace, theme)
  paintLayout(layout, theme)
  layout.autosize = true
  return { data, layout }
}

/**
 * @param {Trace} trace
 * @param {Theme} theme
 */
function paintTrace(trace, theme) {
  const { color, shade, scale, ring } = trace.meta ?? {}
  if (color !== undefined) {
    const painted = color === "text" ? theme.text : theme.categorical[color % theme.categorical.length]
    trace.line = { ...trace.line, color: painted }
    trace.marker = { ...trace.marker, color: painted }
  }
  if (shade !== undefined) {
    const painted = shadeOf(shade, theme)
    trace.line = { ...trace.line, color: painted }
    trace.marker = { ...trace.marker, color: painted }
  }
  if (scale !== undefined) {
    const holder = (trace.type === "parcoords" ? trace.line : trace.marker?.color !== undefined ? trace.marker : trace) ?? trace
    // Lines and points lie on the page's background, which is the scale's first step: they begin with one that can be seen.
    holder.colorscale = spread(holder === trace || scale !== "sequential" ? theme[scale] : theme[scale].slice(VISIBLE_STEP))
  }
  if (ring !== undefined) trace.marker = { ...trace.marker, line: { ...trace.marker?.line, color: theme[ring] } }
}

/** Places of the chart colours between which the lines of ordered values are coloured: each can be read as a line, and all in their order. */
const SHADES = [1, 3, 0]

/**
 * @param {number} share from 0, the least value, to 1
 * @param {Theme} theme
 * @returns {string}
 */
function shadeOf(share, theme) {
  const place = Math.min(1, Math.max(0, share)) * (SHADES.length - 1)
  const first = Math.min(Math.floor(place), SHADES.length - 2)
  const [from, to] = [channels(theme.categorical[SHADES[first]]), channels(theme.categorical[SHADES[first + 1]])]
  return `rgb(${from.map((channel, index) => Math.round(channel + (to[index] - channel) * (place - first))).join(",")})`
}

/**
 * @param {string} hex such as `#0072b2`
 * @returns {number[]}
 */
const channels = hex => [1, 3, 5].map(index => Number.parseInt(hex.trim().slice(index, index + 2), 16))

const VISIBLE_STEP = 4

/**
 * @param {string[]} steps
 * @returns {ColorScale}
 */
const spread = steps => steps.map((step, index) => [index / (steps.length - 1), step])

/**
 * @param {Layout} layout
 * @param {Theme} theme
 */
function paintLayout(layout, theme) {
  layout.paper_bgcolor = "rgba(0,0,0,0)"
  layout.plot_bgcolor = "rgba(0,0,0,0)"
  layout.font = { family: theme.font, color: theme.text, size: 12, ...layout.font }
  layout.hoverlabel = { bgcolor: theme.panel, bordercolor: theme.grid, font: { color: theme.text, family: theme.font } }
  for (const shape of layout.shapes ?? []) shape.line = { color: theme.text, ...shape.line }
  for (const name of axisNames(layout)) {
    layout[name] = { gridcolor: theme.grid, zerolinecolor: theme.grid, linecolor: theme.grid, ...layout[name] }
  }
}

/** @param {object} layout */
const axisNames = layout => Object.keys(layout).filter(isAxisName)

/**
 * @param {string} name
 * @returns {name is AxisName}
 */
const isAxisName = name => /^[xy]axis\d*$/.test(name)
