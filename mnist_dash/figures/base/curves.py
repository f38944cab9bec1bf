"""Learning curves: rows of a history in, a figure of loss or accuracy out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mnist_dash.core.config.experiments import Curve as PublishedCurve
from mnist_dash.core.config.experiments import Published
from mnist_dash.figures.base.hover import hover_texts

Metric = Literal["loss", "accuracy"]
Axis = Literal["epoch", "step", "seconds"]
AXIS_TITLES: dict[Axis, str] = {"epoch": "epoch", "step": "step", "seconds": "seconds"}
MIN_SMOOTHED_POINTS = 3
"""Lines shorter than this are not smoothed: there is nothing to smooth."""
GOOD_ACCURACY = 0.9
CLIPPED_ACCURACY = 0.8
"""Once a line has come as high as the former, the axis begins at the latter: the first batches would press everything else to the top."""


@dataclass(frozen=True)
class CurveOptions:
    """How the curves are drawn; every choice is in the page's address."""

    axis: Axis = "epoch"
    log_scale: bool = False
    smoothing: float = 0.0
    """Share of the former mean that each smoothed value keeps, in [0, 1)."""


@dataclass(frozen=True)
class Curve:
    """One line of a chart.

    Attributes:
        name: as the legend prints it.
        color: index into the theme's chart colours, or ``text`` for the colour of the text.
        x: positions on the chosen axis.
        y: values, as recorded.
        by_epoch: whether there is one point an epoch, drawn with markers, rather than one a step.
        dash: Plotly's name of the line's pattern.
        hidden: whether the line waits in the legend until it is asked for.
    """

    name: str
    color: int | Literal["text"]
    x: tuple[float, ...]
    y: tuple[float, ...]
    by_epoch: bool
    dash: str = "solid"
    hidden: bool = False


def prepare_curves(
    epochs: pd.DataFrame,
    steps: pd.DataFrame,
    *,
    metric: Metric,
    axis: Axis,
    steps_per_epoch: int,
    steps_until: Sequence[int] = (),
    leak: bool = False,
    published: Published | None = None,
) -> tuple[Curve, ...]:
    """Choose the lines of a chart: batches and their running averages; the three sets with dropout off; what was published.

    Args:
        epochs: one row an epoch; columns ``epoch``, ``step``, ``running_<metric>``, ``train_<metric>``, ``val_<metric>``,
            ``test_<metric>``, ``seconds_training``, ``seconds_evaluation``.
        steps: columns ``step``, ``seconds``, ``<metric>``; one row a recorded step.
        metric: which figure.
        axis: what runs along x.
        steps_per_epoch: turns steps into parts of epochs.
        steps_until: updates in the first 0, 1, 2 ... epochs, where they are not the same in each.
        leak: whether the validation part is the test set; the legend says so, and there is no test line of its own.
        published: what the run's experiment has published.
    """
    x = tuple(epoch_positions(epochs, axis).tolist())

    def by_epoch(name: str, color: int, column: str, *, dash: str, hidden: bool = False) -> Curve:
        return Curve(name, color, x, tuple(epochs[f"{column}_{metric}"].tolist()), by_epoch=True, dash=dash, hidden=hidden)

    batches = tuple(_step_axis(steps, axis, steps_per_epoch, steps_until).tolist()), tuple(steps[metric].tolist())
    lines = [
        Curve("training, by batch", 0, *batches, by_epoch=False),
        by_epoch("training, running average", 3, "running", dash="dot"),
        by_epoch("training", 0, "train", dash="solid"),
        by_epoch("validation (test set, a leak)" if leak else "validation", 1, "val", dash="dash"),
    ]
    if not leak:
        lines.append(by_epoch("test", 2, "test", dash="dashdot", hidden=True))
    if published is not None and axis != "seconds":
        stride = 1 if axis == "epoch" else steps_per_epoch
        lines += [
            _published("published, training average", getattr(published, f"train_{metric}"), stride, "dot"),
            _published("published, validation", getattr(published, f"val_{metric}"), stride, "dash"),
        ]
    return tuple(line for line in lines if line.x)


def _published(name: str, points: PublishedCurve, stride: int, dash: str) -> Curve:
    return Curve(name, "text", tuple(epoch * stride for epoch, _ in points), tuple(y for _, y in points), by_epoch=True, dash=dash)


def smooth(values: Sequence[float], weight: float) -> tuple[float, ...]:
    """Average exponentially, without the pull towards zero at the start (the correction of Kingma and Ba, 2015, section 3).

    Args:
        values: as recorded.
        weight: share of the former mean that is kept, in [0, 1).
    """
    smoothed: list[float] = []
    mean, kept = 0.0, 1.0
    for value in values:
        mean = weight * mean + (1 - weight) * value
        kept *= weight
        smoothed.append(mean / (1 - kept))
    return tuple(smoothed)


def draw_curves(curves: Sequence[Curve], *, metric: Metric, options: CurveOptions, best_epoch: int | None = None) -> go.Figure:
    """Draw prepared curves; smoothed lines have the recorded ones behind them.

    Args:
        curves: from `prepare_curves`.
        metric: names the y axis.
        options: scale and smoothing.
        best_epoch: marked with a star on the validation line, when given.
    """
    traces: list[go.Scatter] = []
    for curve in curves:
        smoothed = options.smoothing > 0 and len(curve.y) >= MIN_SMOOTHED_POINTS and curve.color != "text"
        if smoothed:
            traces.append(_raw(curve))
        values = smooth(curve.y, options.smoothing) if smoothed else curve.y
        traces.append(_line(curve, values, is_share=metric == "accuracy"))
    star = _best(curves, best_epoch, is_share=metric == "accuracy") if options.axis == "epoch" else None
    figure = go.Figure([*traces, *([star] if star else [])], _layout(metric, options))
    if metric == "accuracy" and any(max(curve.y) >= GOOD_ACCURACY for curve in curves):
        figure.update_yaxes(
            autorangeoptions={"clipmin": CLIPPED_ACCURACY, "clipmax": 1.005}
        )  # and not a range, which would undo a person's zoom
    if not traces:
        figure.add_annotation(text="Waiting for the first steps", showarrow=False, xref="paper", yref="paper", x=0.5, y=0.5)
        figure.update_layout(xaxis={"range": [0, 1]}, yaxis={"range": [0, 1], "type": "linear", "dtick": None})
    return figure


def epoch_layout(what: str) -> go.Layout:
    """Lay lines by epoch out: the legend above, one hover for all of them, zoom and hidden lines kept."""
    return go.Layout(
        uirevision="kept",
        margin={"l": 56, "r": 8, "t": 36, "b": 40},
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hovermode="x unified",
        xaxis={"title": {"text": "epoch", "standoff": 6}, "zeroline": False},
        yaxis={"title": {"text": what, "standoff": 6}},
    )


def _step_axis(steps: pd.DataFrame, axis: Axis, steps_per_epoch: int, steps_until: Sequence[int]) -> pd.Series[float]:
    if axis == "epoch" and steps_until:
        return pd.Series(np.interp(steps["step"].to_numpy(), steps_until, range(len(steps_until))))
    return steps["seconds"] if axis == "seconds" else steps["step"] / (steps_per_epoch if axis == "epoch" else 1)


def epoch_positions(epochs: pd.DataFrame, axis: Axis) -> pd.Series[float]:
    """Say where along an axis each epoch ended."""
    if axis == "seconds":
        return (epochs["seconds_training"] + epochs["seconds_evaluation"]).cumsum()
    return epochs[axis]


def _line(curve: Curve, values: Sequence[float], *, is_share: bool) -> go.Scatter:
    line = go.Scatter(
        x=curve.x,
        y=values,
        name=curve.name,
        uid=curve.name,
        legendgroup=curve.name,  # its raw line comes and goes with it
        meta={"color": curve.color},
        text=hover_texts(values, is_share=is_share),
        hovertemplate="%{text}<extra>%{fullData.name}</extra>",
    )
    if curve.hidden:
        line.visible = "legendonly"
    if curve.color == "text":
        line.mode, line.opacity = "lines+markers", 0.45
        line.line, line.marker = {"width": 1.5, "dash": curve.dash}, {"size": 5, "symbol": "x-thin-open"}
    elif curve.by_epoch:
        line.mode = "lines+markers"
        line.line = {"width": 2, "dash": curve.dash}
        line.marker = {"size": 7, "symbol": "circle" if curve.color == 0 else "diamond"}
    else:
        line.mode = "lines" if len(curve.x) > 1 else "markers"
        line.line = {"width": 1}
        line.opacity = 0.55
    return line


def _raw(curve: Curve) -> go.Scatter:
    return go.Scatter(
        x=curve.x,
        y=curve.y,
        uid=f"{curve.name}, raw",
        meta={"color": curve.color},
        mode="lines",
        line={"width": 1},
        opacity=0.3,
        showlegend=False,
        legendgroup=curve.name,
        hoverinfo="skip",
    )


def _best(curves: Sequence[Curve], best_epoch: int | None, *, is_share: bool) -> go.Scatter | None:
    validation = next((curve for curve in curves if curve.name.startswith("validation")), None)
    if validation is None or best_epoch not in validation.x:
        return None
    value = validation.y[validation.x.index(best_epoch)]
    return go.Scatter(
        x=[best_epoch],
        y=[value],
        text=hover_texts([value], is_share=is_share),
        name="best epoch",
        uid="best epoch",
        legendgroup="best epoch",
        meta={"color": 4},
        mode="markers",
        marker={"symbol": "star", "size": 13},
        hovertemplate="best: %{text}<extra>epoch %{x}</extra>",
    )


def _layout(metric: Metric, options: CurveOptions) -> go.Layout:
    is_log = options.log_scale and metric == "loss"
    return go.Layout(
        # A new axis is a new view; the lines a person has hidden stay hidden all the same.
        uirevision=f"{options.axis}-{is_log}",
        margin={"l": 52, "r": 8, "t": 36, "b": 40},
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "uirevision": "kept"},
        hovermode="x unified",
        xaxis={"title": {"text": AXIS_TITLES[options.axis], "standoff": 6}, "rangemode": "tozero", "zeroline": False},
        yaxis={
            "title": {"text": metric, "standoff": 6},
            "type": "log" if is_log else "linear",
            "dtick": "D2" if is_log else None,
            "tickformat": ".2~%" if metric == "accuracy" else None,
            "zeroline": False,
        },
    )
