"""A chart that keeps its zoom and its hidden lines while its data grow.

`st.plotly_chart` builds a chart anew whenever its data change. This component calls ``Plotly.react`` on one node instead, and takes its
colours from the theme of the page. Plotly's own script comes from the installed plotly package and is served by this server; nothing
comes from elsewhere.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.components.v2.get_bidi_component_manager import get_bidi_component_manager
from streamlit.components.v2.manifest_scanner import ComponentConfig, ComponentManifest

from mnist_dash.figures.base.alt_text import describe
from mnist_dash.reports.page import chart_paint

_ASSETS = "mnist_dash.plotly"
_CSS = """
.live-plot-frame { position: relative; }
.live-plot-frame > button {
  position: absolute; right: 0; bottom: 0; padding: 0 0.5rem; font: inherit; font-size: 0.8rem; cursor: pointer;
  color: var(--st-link-color); background: none; border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius);
}
.live-plot-frame > button[hidden] { display: none; }
.live-plot { width: 100%; min-width: 0; }
.live-plot.clickable .draglayer .drag { cursor: pointer; }
/* Points within a mark can be clicked. */
.live-plot :is(.selectionlayer, .select-outline, .outline-controllers) * { pointer-events: none !important; }
/* Parallel coordinates are black on white by themselves, and tell it nobody. */
.live-plot .parcoords :is(.domain, .tick line) { stroke: var(--st-text-color) !important; stroke-opacity: 0.6 !important; }
.live-plot .parcoords text { text-shadow: 0 0 3px var(--st-background-color), 0 0 3px var(--st-background-color) !important; }
.live-plot .parcoords .highlight { stroke: var(--st-text-color) !important; }
"""
_MOST_FIGURES = 512
_FIGURES: dict[bytes, str] = {}
"""What the latest figures say, by their digest; of all sessions."""
_LIVE_PLOT = st.components.v2.component(
    "mnist_dash_live_plot",
    html="<div class='live-plot-frame'><div class='live-plot'></div><button type='button' hidden>Full range</button></div>",
    css=_CSS,
    js=chart_paint() + "\n" + (Path(__file__).parent / "live_plot.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def live_plot(
    figure_json: str, *, key: str, alt: str, height: int | str = 320, clickable: bool = False
) -> object | None:
    """Draw a figure in place; the same key is the same chart.

    Colours come from the theme: a trace's ``meta={"color": n}`` names the n-th chart colour, ``meta={"scale": "sequential"}`` or
    ``"diverging"`` one of the theme's scales, ``meta={"ring": "text"}`` or
    ``"background"`` outlines markers in the colour of the text or of the page.

    Args:
        figure_json: the whole chart as it should look now, from ``Figure.to_json``; its ``layout.uirevision`` says how long zoom and
            hidden lines are kept.
        key: names the chart on its page.
        alt: what the chart shows, for those who cannot see it; its figures are added, from what is drawn.
        height: in pixels, or as CSS has it, such as ``calc(100vh - 315px)`` for a chart that fills the first screen.
        clickable: whether clicks on points that have ``customdata`` are reported.

    Returns:
        The ``customdata`` of the point, bar or cell that was clicked, in the one rerun that the click causes; else None.
    """
    data = {
        "figure": figure_json,
        "alt": spoken(figure_json, alt),
        "height": height,
        "clickable": clickable,
        "plotly_url": _plotly_url(),
    }
    if not clickable:
        _LIVE_PLOT(key=key, data=data, height="content")
        return None
    clicked: object | None = _LIVE_PLOT(
        key=key, data=data, height="content", on_clicked_change=_ignore
    ).clicked
    return clicked


@dataclass(frozen=True)
class Brush:
    """A part of one axis that a person has marked."""

    axis: str
    """What the axis shows, as the figure's ``layout.meta["axes"]`` says: a setting's path, an objective's name, ``number``."""
    low: float | None = None
    """Least value, in the setting's own unit; None on an axis of choices, and where the mark was taken away."""
    high: float | None = None
    """Greatest value."""
    choices: tuple[object, ...] | None = None
    """On an axis of choices those that are marked, as JSON has them; None on an axis of numbers."""

    @property
    def is_cleared(self) -> bool:
        """Whether the mark was taken away."""
        return self.low is None and self.high is None and self.choices is None


@dataclass(frozen=True)
class Interaction:
    """What a person has just done to a chart, in the one rerun that the gesture causes."""

    clicked: int | str | None = None
    """The ``customdata`` of the point that was clicked."""
    brushed: tuple[Brush, ...] = ()
    """The axes of a box, or the one axis of parallel coordinates, that were marked."""
    placed: tuple[object, object] | None = None
    """Where a surface with ``meta={"place": True}`` was clicked: x and y in the settings' own units, a choice as JSON has it."""


def interactive_plot(
    figure_json: str, *, key: str, alt: str, height: int = 320, brushable: bool = False
) -> Interaction:
    """Draw a figure in place, as `live_plot` does, and report clicks, brushes and places.

    With ``brushable``, dragging a mouse marks a box instead of zooming; Ctrl and the wheel zoom, a double click resets. Dragging a finger
    scrolls the page, as everywhere. The mark goes when the figure's ``layout.uirevision`` changes.

    The figure's ``layout.meta`` says what its axes show: ``axes`` names each by its letter (``{"x": "optimizer.learning_rate"}``; others
    are not reported); by name, ``choices`` lists those that stand at 0, 1, 2 ..., ``integers`` are rounded, and ``logs`` are drawn by
    parallel coordinates as exponents of ten; ``complements`` lists letters of axes that show 1 - value.

    Args:
        figure_json: the whole chart as it should look now, from ``Figure.to_json``.
        key: names the chart on its page.
        alt: what the chart shows, for those who cannot see it; its figures are added, from what is drawn.
        height: in pixels.
        brushable: whether dragging marks a box.
    """
    wishes = {"clickable": True, "interactive": True, "brushable": brushable}
    data = {
        "figure": figure_json,
        "alt": spoken(figure_json, alt),
        "height": height,
        "plotly_url": _plotly_url(),
        **wishes,
    }
    seen = _LIVE_PLOT(
        key=key,
        data=data,
        height="content",
        on_clicked_change=_ignore,
        on_brushed_change=_ignore,
        on_placed_change=_ignore,
    )
    brushes = tuple(_brush(one) for one in seen.brushed or ())
    return Interaction(
        seen.clicked, brushes, None if seen.placed is None else (seen.placed[0], seen.placed[1])
    )


def _brush(said: Mapping[str, Any]) -> Brush:
    choices = said.get("choices")
    return Brush(
        str(said["axis"]),
        said.get("low"),
        said.get("high"),
        None if choices is None else tuple(choices),
    )


def spoken(figure_json: str, alt: str) -> str:
    """Say what a chart shows and its figures: the text that stands for it where it cannot be seen.

    The figures are read once a figure, not once a tick.
    """
    digest = hashlib.blake2b(figure_json.encode(), digest_size=16).digest()
    figures = _FIGURES.get(digest)
    if figures is None:
        while len(_FIGURES) >= _MOST_FIGURES:
            _FIGURES.pop(next(iter(_FIGURES)), None)
        figures = _FIGURES[digest] = describe(figure_json)
    return f"{alt[:1].upper()}{alt[1:].rstrip('.')}. {figures}".strip()


def preload_plotly() -> None:
    """Fetch Plotly's script before the first chart needs it; draws nothing."""
    _LIVE_PLOT(key="preload_plotly", data={"figure": None, "plotly_url": _plotly_url()})


def _ignore() -> None:
    """Let the click arrive as a returned value."""


def _plotly_url() -> str:
    """Serve the script from the plotly package and name its address, the version in it."""
    manager = get_bidi_component_manager()
    version = importlib.metadata.version("plotly")
    if manager.get(_ASSETS) is None:
        spec = importlib.util.find_spec("plotly")
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError(
                "Charts need the plotly package. Install it with: pip install plotly"
            )
        namespace, name = _ASSETS.split(".")
        manifest = ComponentManifest(
            namespace, version, [ComponentConfig(name, asset_dir="package_data")]
        )
        manager.register_from_manifest(manifest, Path(spec.submodule_search_locations[0]))
    base = str(st.get_option("server.baseUrlPath")).strip("/")
    return (
        f"{f'/{base}' if base else ''}/_stcore/bidi-components/{_ASSETS}/plotly.min.js?v={version}"
    )
