// What our JavaScript uses of Plotly, of its inside too (names with an underscore), and what a figure of ours says to it. For `make lint` alone.

/** Colours of a page, by name and by place. */
interface Theme {
  text: string
  background: string
  grid: string
  panel: string
  font: string
  categorical: string[]
  sequential: string[]
  diverging: string[]
}

type ColorScale = [position: number, color: string][]

interface Paint {
  color?: unknown
  colorscale?: ColorScale
  line?: Paint
}

interface Trace extends Paint {
  type?: string
  xaxis?: string
  yaxis?: string
  marker?: Paint
  meta?: {
    /** Place of a chart colour. */
    color?: number | "text"
    /** Place among ordered values, from 0 to 1. */
    shade?: number
    scale?: "sequential" | "diverging"
    /** Outlines markers. */
    ring?: "text" | "background"
    /** Whether a click on the surface is reported as a place. */
    place?: boolean
    /** Marks what lies beyond the range of this axis. */
    edge?: "x" | "y"
  }
}

/** What the axes of a figure show; see `interactive_plot` in live_plot.py. */
interface AxesMeta {
  axes?: Record<string, string>
  choices?: Record<string, unknown[]>
  complements?: string[]
  integers?: string[]
  logs?: string[]
}

type AxisName = `${"x" | "y"}axis${number | ""}`

interface AxisLayout {
  range?: unknown[]
  autorange?: boolean | string
  autorangeoptions?: object
  dtick?: unknown
  tick0?: unknown
  gridcolor?: string
  zerolinecolor?: string
  linecolor?: string
}

type Layout = {
  autosize?: boolean
  paper_bgcolor?: string
  plot_bgcolor?: string
  dragmode?: string | false
  font?: object
  hoverlabel?: object
  newselection?: object
  activeselection?: object
  shapes?: Paint[]
  meta?: AxesMeta
} & { [name in AxisName]?: AxisLayout }

interface PlotlyFigure {
  data: Trace[]
  layout: Layout
}

interface FullAxis {
  /** Pixels of the left or upper end. */
  _offset: number
  p2d(pixels: number): number
}

interface FullTrace {
  x?: ArrayLike<unknown>
  dimensions?: { name?: string; values?: ArrayLike<unknown> }[]
}

interface PlotlyPick {
  points: { customdata?: unknown; data: Trace }[]
  event: MouseEvent
}

interface PlotlySelection {
  range?: Record<string, number[]>
}

/** An element that Plotly draws in; what it adds is there once it has drawn. */
interface PlotlyNode extends HTMLElement {
  data?: Trace[]
  layout?: Layout
  _fullData: FullTrace[]
  _fullLayout: { meta?: AxesMeta } & { [name in AxisName]?: FullAxis } & { xaxis: FullAxis; yaxis: FullAxis }
  on(name: "plotly_click" | "plotly_hover", listener: (event: PlotlyPick) => void): void
  on(name: "plotly_selected", listener: (event?: PlotlySelection) => void): void
  on(name: "plotly_restyle", listener: (change: [Record<string, unknown>, number[]]) => void): void
  on(name: "plotly_deselect" | "plotly_relayout" | "plotly_unhover", listener: () => void): void
  removeListener?(name: "plotly_hover", listener: (event: PlotlyPick) => void): void
  removeListener?(name: "plotly_unhover", listener: () => void): void
}

interface PlotlyLibrary {
  react(node: Element, data: Trace[], layout: Layout, config: object): Promise<unknown>
  update(node: Element, traces: object, layout: object): Promise<unknown>
  purge(node: Element): void
  Plots: { resize(node: Element): void }
}

/** Global where its script stands before ours, as in a self-contained page. */
declare const Plotly: PlotlyLibrary

interface Window {
  Plotly?: PlotlyLibrary
  /** The library on its way: asked for once a page. */
  __mnistDashPlotly?: Promise<PlotlyLibrary>
}
