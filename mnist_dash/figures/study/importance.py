"""Importance of a study's settings: shares in, sorted bars out."""

from __future__ import annotations

import math
from collections.abc import Mapping

import plotly.graph_objects as go

from mnist_dash.figures.study.drawing import say_empty, study_layout
from mnist_dash.formatting import percent


def draw_importances(importances: Mapping[str, float], titles: Mapping[str, str]) -> go.Figure:
    """Draw the share of each setting in what the values vary by, the largest on top; a bar's ``customdata`` is its path.

    Args:
        importances: fractions by path; what is not finite is left out.
        titles: short names by path; the path itself where there is none.
    """
    ordered = sorted(
        (pair for pair in importances.items() if math.isfinite(pair[1])),
        key=lambda pair: (-pair[1], pair[0]),
    )
    layout = study_layout(
        "importances",
        showlegend=False,
        bargap=0.3,
        dragmode=False,
        margin={"l": 8, "r": 52, "t": 8, "b": 40},
        xaxis={
            "title": {"text": "importance", "standoff": 6},
            "tickformat": ".0%",
            "rangemode": "tozero",
            "fixedrange": True,
        },
        yaxis={
            "type": "category",
            "autorange": "reversed",
            "showgrid": False,
            "fixedrange": True,
            "automargin": True,
        },
    )
    bars = go.Bar(
        x=[share for _, share in ordered],
        y=[titles.get(path, path) for path, _ in ordered],
        text=[percent(share) for _, share in ordered],
        textposition="outside",
        cliponaxis=False,
        orientation="h",
        customdata=[path for path, _ in ordered],
        hovertemplate="%{customdata}: %{text}<extra></extra>",
        meta={"color": 0},
    )
    figure = go.Figure([bars] if ordered else [], layout)
    return figure if ordered else say_empty(figure, "Importance needs a few complete trials")
