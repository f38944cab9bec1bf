"""A chart that keeps its zoom and its hidden lines while its data grow.

`st.plotly_chart` builds a chart anew whenever its data change. This component calls ``Plotly.react`` on one node instead, and takes its
colours from the theme of the page. Plotly's own script comes from the installed plotly package and is served by this server; nothing
comes from elsewhere.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path

import streamlit as st
from streamlit.components.v2.get_bidi_component_manager import get_bidi_component_manager
from streamlit.components.v2.manifest_scanner import ComponentConfig, ComponentManifest

_ASSETS = "mnist_dash.plotly"
_LIVE_PLOT = st.components.v2.component(
    "mnist_dash_live_plot",
    html="<div class='live-plot' role='figure'></div>\n<!-- drawn by Plotly -->",
    css=".live-plot { width: 100%;\n min-width: 0; }\n.live-plot.clickable .draglayer .drag { cursor: pointer; }",
    js=(Path(__file__).parent / "live_plot.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def live_plot(figure_json: str, *, key: str, alt: str, height: int = 320, clickable: bool = False) -> object | None:
    """Draw a figure in place; the same key is the same chart.

    Colours come from the theme: a trace's ``meta={"color": n}`` names the n-th chart colour, ``meta={"scale": "sequential"}`` or
    ``"diverging"`` one of the theme's scales.

    Args:
        figure_json: the whole chart as it should look now, from ``Figure.to_json``; its ``layout.uirevision`` says how long zoom and
            hidden lines are kept.
        key: names the chart on its page.
        alt: what the chart shows, for those who cannot see it.
        height: in pixels.
        clickable: whether clicks on points that have ``customdata`` are reported.

    Returns:
        The ``customdata`` of the point, bar or cell that was clicked, in the one rerun that the click causes; else None.
    """
    data = {"figure": figure_json, "alt": alt, "height": height, "clickable": clickable, "plotly_url": _plotly_url()}
    if not clickable:
        _LIVE_PLOT(key=key, data=data, height="content")
        return None
    clicked: object | None = _LIVE_PLOT(key=key, data=data, height="content", on_clicked_change=_ignore).clicked
    return clicked


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
            raise ModuleNotFoundError("Charts need the plotly package. Install it with: pip install plotly")
        namespace, name = _ASSETS.split(".")
        manifest = ComponentManifest(namespace, version, [ComponentConfig(name, asset_dir="package_data")])
        manager.register_from_manifest(manifest, Path(spec.submodule_search_locations[0]))
    base = str(st.get_option("server.baseUrlPath")).strip("/")
    return f"{f'/{base}' if base else ''}/_stcore/bidi-components/{_ASSETS}/plotly.min.js?v={version}"
