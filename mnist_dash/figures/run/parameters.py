"""Parameters: how many each layer of a network has, and what they bought in all runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from mnist_dash.core.layers import LayerPlan
from mnist_dash.formatting import percent
from mnist_dash.text import plural

KINDS = ("linear", "dense", "convolutional")
"""What a network is by its layers, in the order of the legend."""
_LEAST_ERROR = 1e-4
_ERRORS = (0.9, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)


@dataclass(frozen=True)
class RunPoint:
    """A finished run as one point."""

    run_id: str
    network: str
    """Its layers in a few words."""
    kind: str
    """One of `KINDS`."""
    depth: int
    """Layers with weights."""
    n_parameters: int
    test_accuracy: float
    """In [0, 1]."""


def draw_layer_parameters(plans: Sequence[LayerPlan]) -> go.Figure:
    """Draw how the parameters of a network lie between its layers, one bar a layer that has any, input side on top."""
    trained = [planned for planned in plans if planned.n_parameters]
    total, largest = (
        sum(planned.n_parameters for planned in trained),
        max(planned.n_parameters for planned in trained),
    )
    bars = go.Bar(
        orientation="h",
        y=[planned.name for planned in trained],
        x=[planned.n_parameters for planned in trained],
        text=[
            f"{planned.n_parameters:,} · {percent(planned.n_parameters / total)}"
            for planned in trained
        ],
        textposition="outside",
        hovertext=[f"{planned.summary}<br>{planned.parameter_arithmetic}" for planned in trained],
        hoverinfo="text",
        cliponaxis=False,
        meta={"color": 0},
    )
    return go.Figure(
        bars,
        go.Layout(
            uirevision="kept",
            dragmode=False,
            bargap=0.25,
            margin={"l": 8, "r": 16, "t": 8, "b": 40},
            xaxis={
                "title": {"text": "parameters", "standoff": 4},
                "fixedrange": True,
                "tickformat": "~s",
                "range": [0, 1.5 * largest],
            },
            yaxis={
                "autorange": "reversed",
                "automargin": True,
                "fixedrange": True,
                "type": "category",
            },
        ),
    )


def draw_accuracy_by_parameters(points: Sequence[RunPoint]) -> go.Figure:
    """Draw test accuracy against parameters, one point a run; both axes are logarithmic, the upright one in the share of errors.

    Args:
        points: one a finished run; a click gives ``run_id``.
    """
    traces = [
        _points(kind, color, [point for point in points if point.kind == kind])
        for color, kind in enumerate(KINDS)
    ]
    return go.Figure([trace for trace in traces if len(trace.x)], _scatter_layout(points))


def _points(kind: str, color: int, points: Sequence[RunPoint]) -> go.Scatter:
    return go.Scatter(
        name=kind,
        uid=kind,
        mode="markers",
        x=[point.n_parameters for point in points],
        y=[_error(point.test_accuracy) for point in points],
        customdata=[point.run_id for point in points],
        text=[_sentence(point) for point in points],
        hovertemplate="%{text}<extra></extra>",
        marker={
            "size": [min(6 + 2 * point.depth, 20) for point in points],
            "opacity": 0.75,
            "line": {"width": 1},
        },
        meta={"color": color},
    )


def _sentence(point: RunPoint) -> str:
    layers = f"{plural(point.depth, 'layer')} with weights"
    return (
        f"<b>{point.run_id}</b>: {point.network}<br>{point.n_parameters:,} "
        f"parameters, {layers}<br>test accuracy {percent(point.test_accuracy)}"
    )


def _error(accuracy: float) -> float:
    return max(1 - accuracy, _LEAST_ERROR)


def _scatter_layout(points: Sequence[RunPoint]) -> go.Layout:
    errors = [_error(point.test_accuracy) for point in points] or [0.1]
    shown = [error for error in _ERRORS if min(errors) / 2.1 <= error <= max(errors) * 2.1] or list(
        _ERRORS
    )
    return go.Layout(
        uirevision="kept",
        margin={"l": 60, "r": 12, "t": 36, "b": 44},
        showlegend=True,
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "yanchor": "bottom",
            "itemsizing": "constant",
        },
        hovermode="closest",
        xaxis={
            "type": "log",
            "title": {"text": "parameters", "standoff": 6},
            "dtick": 1 if len(points) > 1 else None,
        },
        yaxis={
            "type": "log",
            "autorange": "reversed",
            "title": {"text": "test accuracy", "standoff": 6},
            "tickvals": shown,
            "ticktext": [f"{100 * (1 - error):g} %" for error in shown],
        },
        meta={"complements": ["y"]},
    )
