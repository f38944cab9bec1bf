"""Probabilities of one image: ten bars."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go


def draw_probabilities(
    probabilities: Sequence[float], class_names: Sequence[str], *, true: int, predicted: int
) -> go.Figure:
    """Draw the probability of each class, the true and the predicted one in colours of their own.

    Args:
        probabilities: one a class, in [0, 1].
        class_names: as the axis prints them.
        true: the image's class.
        predicted: the most probable class.
    """
    groups = (
        (
            "other",
            6,
            [label for label in range(len(probabilities)) if label not in (true, predicted)],
        ),
        ("true" if true != predicted else "true and predicted", 2, [true]),
        ("predicted", 1, [predicted] if predicted != true else []),
    )
    traces = [
        go.Bar(
            x=[probabilities[label] for label in labels],
            y=[class_names[label] for label in labels],
            text=[_written(probabilities[label]) for label in labels],
            textposition="outside",
            cliponaxis=False,
            orientation="h",
            name=name,
            uid=name,
            meta={"color": color},
            hovertemplate="%{y}: %{x:.6f}<extra>%{fullData.name}</extra>",
        )
        for name, color, labels in groups
        if labels
    ]
    layout = go.Layout(
        barmode="overlay",
        bargap=0.25,
        dragmode=False,
        margin={"l": 24, "r": 48, "t": 28, "b": 8},
        showlegend=True,
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1.0,
            "yanchor": "bottom",
            "itemclick": False,
            "itemdoubleclick": False,
        },
        xaxis={"range": [0, 1], "visible": False, "fixedrange": True},
        yaxis={
            "type": "category",
            "categoryorder": "array",
            "categoryarray": list(class_names),
            "autorange": "reversed",
            "showgrid": False,
            "fixedrange": True,
            "automargin": True,
        },
    )
    return go.Figure(traces, layout)


def _written(probability: float) -> str:
    """Write a probability so that small ones can still be told apart."""
    return (
        f"{probability:.4f}"
        if probability >= 1e-3 or probability == 0
        else f"{probability:.0e}".replace("e-0", "e-")
    )
