"""Confusion matrix: counts in, a heat map out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go


def draw_confusion(matrix: Sequence[Sequence[int]], class_names: Sequence[str]) -> go.Figure:
    """Draw counts of true classes (rows, downwards) against predicted ones (columns).

    Colour is the logarithm of the count, so that rare errors show beside a full diagonal.

    Args:
        matrix: ``(n_classes, n_classes)`` counts; a row is a true class, a column a predicted one.
        class_names: as the axes print them.
    """
    totals = [sum(row) for row in matrix]
    hover = [
        [_sentence(class_names, true, predicted, count, totals[true]) for predicted, count in enumerate(row)]
        for true, row in enumerate(matrix)
    ]
    heat = go.Heatmap(
        x=list(class_names),
        y=list(class_names),
        z=[[math.log1p(count) for count in row] for row in matrix],
        text=[[str(count) if count else "" for count in row] for row in matrix],
        texttemplate="%{text}",
        hovertext=hover,
        hoverinfo="text",
        showscale=False,
        xgap=1,
        ygap=1,
        meta={"scale": "sequential"},
    )
    return go.Figure(heat, _layout())


def _sentence(class_names: Sequence[str], true: int, predicted: int, count: int, total: int) -> str:
    share = f"{count / total:.1%} of them" if total else "there are none"
    return f"true {class_names[true]}, predicted {class_names[predicted]}: {count:,} ({share})"


def _layout() -> go.Layout:
    ticks = {"type": "category", "showgrid": False, "ticks": "", "fixedrange": True, "automargin": True}
    return go.Layout(
        uirevision="kept",
        dragmode=False,
        margin={"l": 44, "r": 8, "t": 8, "b": 44},
        xaxis={**ticks, "title": {"text": "predicted", "standoff": 4}},
        yaxis={**ticks, "title": {"text": "true", "standoff": 4}, "autorange": "reversed"},
    )
