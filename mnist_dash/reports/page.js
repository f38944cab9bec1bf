// Draws the charts of a self-contained page, in the colours that its reader prefers; light on paper.

const THEMES = {
  light: {
    text: "#17212b",
    background: "#ffffff",
    grid: "#d3dbe3",
    panel: "#f2f5f8",
    font: "system-ui, sans-serif",
    categorical: ["#0072b2", "#d55e00", "#00805e", "#b3478a", "#a36a00", "#2f8fc4", "#5b5b5b", "#1b1b1b", "#aa22ff", "#771100"],
    sequential: ["#f7fafc", "#e3eef6", "#c9dfee", "#a9cce3", "#82b5d6", "#5a9bc7", "#3681b5", "#19689f", "#075084", "#023a63"],
    diverging: ["#8a3b00", "#b5560c", "#d98238", "#edb27c", "#f8ddc4", "#cfe3f0", "#97c4df", "#559dc7", "#1c76a8", "#004f7c"],
  },
  dark: {
    text: "#e8edf2",
    background: "#11161c",
    grid: "#38434f",
    panel: "#1c242d",
    font: "system-ui, sans-serif",
    categorical: ["#56b4e9", "#f0934a", "#3fcfa4", "#e79ac6", "#f0c04a", "#9ecbe8", "#b9b9b9", "#ffffff", "#aa55ff", "#ff3366"],
    sequential: ["#161d25", "#18293a", "#1a3850", "#1c4868", "#205b82", "#286f9d", "#3785b7", "#519dcf", "#78b7e2", "#aad4f2"],
    diverging: ["#ffb27a", "#e08e50", "#b86a30", "#86491c", "#4f3018", "#1c3a50", "#1f5878", "#2c7aa6", "#4f9fcf", "#8cc9ee"],
  },
}
const prefersDark = window.matchMedia("(prefers-color-scheme: dark)")

/** @param {Theme} theme */
function drawAll(theme) {
  for (const place of document.querySelectorAll(".chart > .plot")) {
    const { data, layout } = paintFigure(place.nextElementSibling?.textContent ?? "", theme)
    layout.dragmode ??= "zoom"
    Plotly.react(place, data, layout, { displayModeBar: false, responsive: true })
  }
}

const chosen = () => THEMES[prefersDark.matches ? "dark" : "light"]
drawAll(chosen())
prefersDark.addEventListener("change", () => drawAll(chosen()))
window.addEventListener("beforeprint", () => drawAll(THEMES.light))
window.addEventListener("afterprint", () => drawAll(chosen()))
