"""Accuracy of each class after the kept epochs: one line a class."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from mnist_dash.figures.base.axes import counted_axis
from mnist_dash.figures.base.hover import hover_texts

N_COLORS = 7
"""Chart colours of the theme; classes beyond them are dashed."""


def draw_class_accuracies(
    epochs: Sequence[int],
    accuracies: Sequence[Sequence[float]],
    class_names: Sequence[str],
    *,
    selected: int | None = None,
) -> go.Figure:
    """Draw the accuracy of each class by epoch.

    Args:
        epochs: the kept ones, ascending, at least one.
        accuracies: one row an epoch, one column a class, in [0, 1].
        class_names: as the legend prints them.
        selected: a class to draw in full; the others step back.
    """
    lines = [
        go.Scatter(
            x=list(epochs),
            y=[row[label] for row in accuracies],
            name=name,
            uid=f"class {label}",
            mode="lines+markers",
            line={
                "width": 3 if label == selected else 2,
                "dash": "solid" if label < N_COLORS else "dash",
            },
            marker={"size": 6, "symbol": "circle" if label < N_COLORS else "diamond"},
            opacity=1.0 if selected in (None, label) else 0.35,
            meta={"color": label % N_COLORS},
            text=hover_texts([row[label] for row in accuracies], is_share=True),
            hovertemplate="%{text}<extra>%{fullData.name}</extra>",
        )
        for label, name in enumerate(class_names)
    ]
    layout = go.Layout(
        uirevision="kept",
        margin={"l": 52, "r": 8, "t": 36, "b": 40},
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hovermode="x unified",
        xaxis=counted_axis("epoch", epochs[0], epochs[-1], margin=0.25),
        yaxis={
            "title": {"text": "accuracy", "standoff": 6},
            "tickformat": ".2~%",
            "zeroline": False,
        },
    )
    return go.Figure(lines, layout)
