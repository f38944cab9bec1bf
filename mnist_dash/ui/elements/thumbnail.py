"""The image of the point under the pointer, beside a live plot whose points have the index of an image as ``customdata``."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from mnist_dash.ui.elements.sprite import cut_out

_THUMBNAIL = st.components.v2.component(
    "mnist_dash_thumbnail",
    html="<div class='thumbnail' aria-hidden='true'></div>\n<!-- follows the pointer -->",
    css=""".thumbnail { display: none; position: fixed; z-index: 1000; width: 84px; height: 84px; pointer-events: none;
 border: 1px solid var(--st-border-color); border-radius: 4px; box-shadow: 0 2px 8px rgb(0 0 0 / 30%); image-rendering: pixelated; }""",
    js=cut_out() + (Path(__file__).parent / "thumbnail.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def thumbnails(sprite: str, *, n: int, columns: int, chart: str, key: str) -> None:
    """Show images on hover; an element of its own, so that the images travel once and not with every change of the chart.

    Args:
        sprite: address of a picture with all images side by side, from `mnist_dash.core.export.png.data_uri`.
        n: how many images it holds.
        columns: how many of them stand in a row.
        chart: key of the live plot.
        key: names this element on its page.
    """
    data = {
        "sprite": sprite,
        "n": n,
        "columns": columns,
        "rows": max(1, -(-n // columns)),
        "chart": chart,
    }
    _THUMBNAIL(key=key, data=data, height="content")
