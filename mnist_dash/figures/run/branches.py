"""Where a run comes from and what was done to it, as its curves show it: the parent's thin lines, and marks along the bottom axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from mnist_dash.figures.base.curves import Axis, Curve, Metric, epoch_positions


@dataclass(frozen=True)
class Mark:
    """Something that was done at the end of an epoch."""

    epoch: int
    sentence: str


def parent_curves(
    epochs: pd.DataFrame, *, name: str, metric: Metric, axis: Axis
) -> tuple[Curve, ...]:
    """Draw the run that another has branched from as thin lines behind it.

    Args:
        epochs: the parent's history, as `mnist_dash.figures.base.curves.prepare_curves` takes it.
        name: what the legend calls the parent.
        metric: which figure.
        axis: what runs along x.
    """
    x = tuple(epoch_positions(epochs, axis).tolist())
    parts = (("training", "train", "solid"), ("validation", "val", "dash"))
    return tuple(
        Curve(
            f"{name}, {part}",
            "text",
            x,
            tuple(epochs[f"{column}_{metric}"].tolist()),
            by_epoch=True,
            dash=dash,
        )
        for part, column, dash in parts
        if x
    )


def add_marks(
    figure: go.Figure, marks: Sequence[Mark], *, epochs: pd.DataFrame, axis: Axis
) -> None:
    """Draw a vertical line at each mark, with its sentence on hover.

    Args:
        figure: from `mnist_dash.figures.base.curves.draw_curves`; changed in place.
        marks: in any order; those of one epoch share a line, and those beyond the history are drawn on the axis of epochs alone.
        epochs: the run's history.
        axis: what runs along x.
    """
    places = dict(
        zip(epochs["epoch"].tolist(), epoch_positions(epochs, axis).tolist(), strict=True)
    )
    for epoch in sorted({mark.epoch for mark in marks}):
        x = places.get(epoch, epoch if axis == "epoch" else None)
        if x is None:
            continue
        figure.add_shape(
            type="line",
            x0=x,
            x1=x,
            y0=0,
            y1=1,
            yref="paper",
            layer="below",
            line={"width": 1, "dash": "dot"},
            opacity=0.6,
        )
        sentences = "<br>".join(mark.sentence for mark in marks if mark.epoch == epoch)
        figure.add_annotation(
            x=x, y=1, yref="paper", yanchor="top", text="◆", showarrow=False, hovertext=sentences
        )
