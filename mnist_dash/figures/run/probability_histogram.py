"""Histograms over [0, 1]: the probability of one class, and how far the most probable class is ahead of the second."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from mnist_dash.core.analysis.thresholds import Histogram


@dataclass(frozen=True)
class Bars:
    """The bars of one group of images.

    Attributes:
        name: as the legend prints it.
        color: index into the theme's chart colours.
        histogram: the counts.
    """

    name: str
    color: int
    histogram: Histogram


def draw_histogram(
    bars: Sequence[Bars], *, title: str, threshold: float | None = None, marked: float | None = None
) -> go.Figure:
    """Draw groups of images over one another; counts are logarithmic, for one image in a thousand is the interesting one.

    Args:
        bars: the groups, all over the same bins; the first lies behind.
        title: names the x axis.
        threshold: drawn as a line through the chart.
        marked: where the selected image lies, drawn as a dotted line.
    """
    traces = [_trace(group, ahead=bool(index)) for index, group in enumerate(bars)]
    lines = [
        _line(place, dash)
        for place, dash in ((threshold, "solid"), (marked, "dot"))
        if place is not None
    ]
    highest = max((int(group.histogram.counts.max()) for group in bars), default=1)
    return go.Figure(traces, _layout(title, lines, highest))


def _trace(group: Bars, *, ahead: bool) -> go.Bar:
    edges, counts = group.histogram.edges, group.histogram.counts
    width = float(edges[1] - edges[0])
    spans = [f"{low:.2f} to {high:.2f}" for low, high in itertools.pairwise(edges)]
    return go.Bar(
        x=((edges[:-1] + edges[1:]) / 2).tolist(),
        y=counts.tolist(),
        width=width * (0.5 if ahead else 0.92),
        name=group.name,
        uid=group.name,
        meta={"color": group.color},
        hovertext=spans,
        hovertemplate="%{hovertext}: %{y:,}<extra>%{fullData.name}</extra>",
    )


def _line(place: float, dash: str) -> dict[str, object]:
    return {
        "type": "line",
        "x0": place,
        "x1": place,
        "y0": 0,
        "y1": 1,
        "yref": "paper",
        "line": {"width": 2, "dash": dash},
    }


def _layout(title: str, lines: list[dict[str, object]], highest: int) -> go.Layout:
    return go.Layout(
        uirevision="kept",
        barmode="overlay",
        bargap=0,
        margin={"l": 52, "r": 8, "t": 36, "b": 40},
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        shapes=lines,
        xaxis={"title": {"text": title, "standoff": 6}, "range": [-0.01, 1.01], "zeroline": False},
        yaxis={
            "title": {"text": "images", "standoff": 6},
            "type": "log",
            "dtick": 1,
            "range": [float(np.log10(0.6)), float(np.log10(max(highest, 2) * 1.5))],
            "tickformat": ",d",
        },
    )
