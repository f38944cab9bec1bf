"""Any setting or figure of the compared runs against any other: a point a run, in its own colour."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from mnist_dash.figures.compare.look import Look
from mnist_dash.figures.study.drawing import say_empty, write_choice
from mnist_dash.figures.study.trials import Axis


@dataclass(frozen=True)
class Place:
    """One run's point.

    Attributes:
        run_id: reported when it is clicked.
        name: as the hover prints it; escaped here.
        look: colour and symbol.
        x: value of the axis along the bottom; None where it has none.
        y: value of the upright axis.
    """

    run_id: str
    name: str
    look: Look
    x: object
    y: object


def draw_scatter(
    places: Sequence[Place], x: Axis, y: Axis, *, titles: tuple[str, str], shares: tuple[bool, bool]
) -> go.Figure:
    """Draw the runs that have both values; a point's ``customdata`` is its run's id.

    Args:
        places: the runs.
        x: what runs along the bottom.
        y: what runs upwards.
        titles: of the axes.
        shares: which of them are accuracies.
    """
    shown = [place for place in places if _is_there(place.x, x) and _is_there(place.y, y)]
    points = [
        go.Scatter(
            x=[_write(place.x, x)],
            y=[_write(place.y, y)],
            uid=place.run_id,
            name=html.escape(place.name, quote=False),
            customdata=[place.run_id],
            mode="markers",
            marker={"size": 11, "symbol": place.look.symbol},
            meta={"color": place.look.color},
            showlegend=False,
            hovertemplate="%{x}<br>%{y}<extra>%{fullData.name}</extra>",
        )
        for place in shown
    ]
    sides = [
        _side(axis, title, is_share=is_share)
        for axis, title, is_share in zip((x, y), titles, shares, strict=True)
    ]
    margin = {"l": 64, "r": 12, "t": 12, "b": 48}
    layout = go.Layout(
        uirevision=f"{x.path} {y.path}",
        margin=margin,
        hovermode="closest",
        showlegend=False,
        xaxis=sides[0],
        yaxis=sides[1],
    )
    figure = go.Figure(points, layout)
    return figure if points else say_empty(figure, "No run has both")


def _side(axis: Axis, title: str, *, is_share: bool) -> dict[str, object]:
    side: dict[str, object] = {
        "title": {"text": html.escape(title, quote=False), "standoff": 6},
        "zeroline": False,
        "automargin": True,
    }
    if axis.kind == "choice":
        return side | {
            "type": "category",
            "categoryorder": "array",
            "categoryarray": [write_choice(choice) for choice in axis.choices],
        }
    return side | {
        "type": "log" if axis.log else "linear",
        "tickformat": ".2~%" if is_share else None,
        "dtick": "D2" if axis.log else None,
    }


def _is_there(value: object, axis: Axis) -> bool:
    if axis.kind == "choice":
        return True
    return isinstance(value, int | float) and math.isfinite(value) and (value > 0 or not axis.log)


def _write(value: object, axis: Axis) -> object:
    return write_choice(value) if axis.kind == "choice" else value
