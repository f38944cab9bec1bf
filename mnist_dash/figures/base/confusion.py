"""Confusion matrix: counts in, a heat map out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import plotly.graph_objects as go

from mnist_dash.formatting import percent

Shares = Literal["counts", "by row", "by column"]
"""What the cells print: images, or their share of the true class, or of the predicted one."""


def draw_confusion(
    matrix: Sequence[Sequence[int]],
    class_names: Sequence[str],
    *,
    shares: Shares = "counts",
    selected: tuple[int | None, int | None] = (None, None),
) -> go.Figure:
    """Draw counts of true classes (rows, downwards) against predicted ones (columns).

    Colour is the logarithm of the count or share, so that rare errors show beside a full diagonal. A cell's ``customdata`` is its true
    and its predicted class.

    Args:
        matrix: ``(n_classes, n_classes)`` counts; a row is a true class, a column a predicted one.
        class_names: as the axes print them.
        shares: what the cells print.
        selected: framed; true class and predicted class, a whole row or column where the other is None.
    """
    n = len(matrix)
    rows, columns = (
        [sum(row) for row in matrix],
        [sum(column) for column in zip(*matrix, strict=True)],
    )
    cells = [
        [(true, predicted, matrix[true][predicted]) for predicted in range(n)] for true in range(n)
    ]

    def share(true: int, predicted: int, count: int) -> float:
        whole = {"counts": 1, "by row": rows[true], "by column": columns[predicted]}[shares]
        return count / whole if whole else 0.0

    heat = go.Heatmap(
        x=list(class_names),
        y=list(class_names),
        z=[
            [math.log1p(share(*cell) * (1 if shares == "counts" else 10_000)) for cell in row]
            for row in cells
        ],
        text=[[_text(share(*cell), shares) for cell in row] for row in cells],
        texttemplate="%{text}",
        customdata=[[[true, predicted] for true, predicted, _ in row] for row in cells],
        hovertext=[
            [
                _sentence(class_names, *cell, of_true=rows[cell[0]], of_predicted=columns[cell[1]])
                for cell in row
            ]
            for row in cells
        ],
        hoverinfo="text",
        showscale=False,
        xgap=1,
        ygap=1,
        meta={"scale": "sequential"},
    )
    return go.Figure(heat, _layout(_frame(selected, n)))


def _text(value: float, shares: Shares) -> str:
    if value == 0:
        return ""
    if shares == "counts":
        return str(int(value))
    share = 100 * value
    return f"{share:.2f}" if share < 1 else f"{share:.1f}"


def _sentence(
    class_names: Sequence[str],
    true: int,
    predicted: int,
    count: int,
    *,
    of_true: int,
    of_predicted: int,
) -> str:
    recall = f"{percent(count / of_true)} of this class" if of_true else "no such images"
    called = (
        f"<br>{percent(count / of_predicted)} of those predicted {class_names[predicted]}"
        if of_predicted
        else ""
    )
    return f"true {class_names[true]}, predicted {class_names[predicted]}: {count:,} ({recall}){called}"


def _frame(selected: tuple[int | None, int | None], n: int) -> list[dict[str, object]]:
    true, predicted = selected
    if true is None and predicted is None:
        return []
    (top, bottom), (left, right) = (
        (-0.5, n - 0.5) if place is None else (place - 0.5, place + 0.5)
        for place in (true, predicted)
    )
    return [
        {"type": "rect", "x0": left, "x1": right, "y0": top, "y1": bottom, "line": {"width": 3}}
    ]


def _layout(shapes: list[dict[str, object]]) -> go.Layout:
    ticks = {
        "type": "category",
        "showgrid": False,
        "ticks": "",
        "fixedrange": True,
        "automargin": True,
    }
    return go.Layout(
        uirevision="kept",
        dragmode=False,
        margin={"l": 44, "r": 8, "t": 8, "b": 44},
        xaxis={**ticks, "title": {"text": "predicted", "standoff": 4}},
        yaxis={**ticks, "title": {"text": "true", "standoff": 4}, "autorange": "reversed"},
        shapes=shapes,
    )
