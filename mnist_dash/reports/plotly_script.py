"""Plotly's own script, for pages that carry it with them."""

from __future__ import annotations

from plotly.offline import get_plotlyjs


def plotly_script() -> str:
    """Read the script of the installed plotly package: about 4.8 MB of JavaScript that asks no network for anything."""
    return str(get_plotlyjs())
