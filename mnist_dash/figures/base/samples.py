"""Figures of a data set and of single images: counts by class, grey values, pixels with their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from mnist_dash.formatting import percent

_FIXED = {"fixedrange": True, "automargin": True}
_NO_TICKS = {
    "showticklabels": False,
    "ticks": "",
    "showgrid": False,
    "zeroline": False,
    "fixedrange": True,
}


def draw_class_counts(counts: Mapping[str, Sequence[int]], class_names: Sequence[str]) -> go.Figure:
    """Draw the images of each class as bars, one colour a part.

    Args:
        counts: images of each class by the name of the part.
        class_names: below the bars.
    """
    bars = [
        go.Bar(
            name=part,
            x=list(class_names),
            y=list(values),
            meta={"color": color},
            hovertemplate=f"%{{x}}: %{{y:,}} images<extra>{part}</extra>",
        )
        for color, (part, values) in enumerate(counts.items())
    ]
    return go.Figure(
        bars,
        go.Layout(
            barmode="group",
            bargap=0.25,
            margin={"l": 48, "r": 8, "t": 8, "b": 36},
            legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
            xaxis={"type": "category", **_FIXED},
            yaxis={"title": {"text": "images"}, **_FIXED},
        ),
    )


def draw_grey_values(counts: Sequence[int], *, log_scale: bool) -> go.Figure:
    """Draw how often each grey value occurs among all pixels.

    Args:
        counts: ``(256,)``.
        log_scale: whether the counts are on a logarithmic axis, on which a value that never occurs has no bar.
    """
    total = sum(counts)
    bars = go.Bar(
        x=list(range(len(counts))),
        y=list(counts),
        customdata=[[percent(count / max(total, 1), 3)] for count in counts],
        meta={"color": 0},
        hovertemplate="grey value %{x}: %{y:,} pixels (%{customdata[0]})<extra></extra>",
    )
    return go.Figure(
        bars,
        go.Layout(
            bargap=0,
            margin={"l": 56, "r": 8, "t": 8, "b": 40},
            xaxis={
                "title": {"text": "grey value, 0 is background", "standoff": 4},
                "range": [-1.5, 256.5],
                **_FIXED,
            },
            yaxis={
                "title": {"text": "pixels"},
                "exponentformat": "SI",
                **({"type": "log", "dtick": 1} if log_scale else {}),
                **_FIXED,
            },
        ),
    )


def draw_pixels(image: npt.NDArray[np.uint8]) -> go.Figure:
    """Draw an image ``(28, 28)`` uint8 as a heat map with the number of each pixel in it; background has none."""
    size = list(range(len(image)))
    heat = go.Heatmap(
        x=size,
        y=size,
        z=image.tolist(),
        zmin=0,
        zmax=255,
        text=[[str(value) if value else "" for value in row] for row in image.tolist()],
        texttemplate="%{text}",
        textfont={"size": 11},
        hovertemplate="row %{y}, column %{x}: %{z}<extra></extra>",
        showscale=False,
        xgap=1,
        ygap=1,
        meta={"scale": "sequential"},
    )
    ticks: dict[str, Any] = {
        "dtick": 1,
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        **_FIXED,
        "tickfont": {"size": 10},
    }
    return go.Figure(
        heat,
        go.Layout(
            dragmode=False,
            margin={"l": 28, "r": 4, "t": 24, "b": 4},
            xaxis={**ticks, "side": "top"},
            yaxis={**ticks, "autorange": "reversed"},
        ),
    )


def draw_scaled(values: npt.NDArray[np.float32]) -> go.Figure:
    """Draw a scaled image ``(28, 28)`` with its own scale of colours beside it."""
    heat = go.Heatmap(
        z=np.round(values.astype(float), 4).tolist(),
        hovertemplate="row %{y}, column %{x}: %{z}<extra></extra>",
        colorbar={"thickness": 10, "outlinewidth": 0, "len": 1},
        meta={"scale": "sequential"},
    )
    return go.Figure(
        heat,
        go.Layout(
            dragmode=False,
            margin={"l": 4, "r": 4, "t": 6, "b": 6},
            xaxis={**_NO_TICKS, "constrain": "domain"},
            yaxis={**_NO_TICKS, "autorange": "reversed", "scaleanchor": "x", "constrain": "domain"},
        ),
    )
