"""Learning curves: rows of a history in, a figure of loss or accuracy out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from mnist_dash.core.config.experiments import Curve as PublishedCurve
from mnist_dash.core.config.experiments import Published
from mnist_dash.figures.base import axes
from mnist_dash.figures.base.hover import hover_texts

Metric = Literal["loss", "accuracy"]
Axis = Literal["epoch", "step", "seconds"]
AXIS_TITLES: dict[Axis, str] = {"epoch": "epoch", "step": "step", "seconds": "seconds"}
MIN_SMOOTHED_POINTS = 3
"""Lines shorter than this are not smoothed: there is nothing to smooth."""
_GAP = 0.05
"""Between the two charts of a figure of both metrics, as a share of its height."""


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
        return Curve(
            name,
            color,
            x,
            tuple(epochs[f"{column}_{metric}"].tolist()),
            by_epoch=True,
            dash=dash,
            hidden=hidden,
        )

    batches = (
        tuple(_step_axis(steps, axis, steps_per_epoch, steps_until).tolist()),
        tuple(steps[metric].tolist()),
    )
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
            _published(
                "published, training average", getattr(published, f"train_{metric}"), stride, "dot"
            ),
            _published(
                "published, validation", getattr(published, f"val_{metric}"), stride, "dash"
            ),
        ]
    return tuple(line for line in lines if line.x)


def _published(name: str, points: PublishedCurve, stride: int, dash: str) -> Curve:
    return Curve(
        name,
        "text",
        tuple(epoch * stride for epoch, _ in points),
        tuple(y for _, y in points),
        by_epoch=True,
        dash=dash,
    )


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


def draw_curves(
    curves: Sequence[Curve], *, metric: Metric, options: CurveOptions, best_epoch: int | None = None
) -> go.Figure:
    """Draw prepared curves; smoothed lines have the recorded ones behind them.

    Args:
        curves: from `prepare_curves`.
        metric: names the y axis.
        options: scale and smoothing.
        best_epoch: marked with a star on the validation line, when given.
    """
    figure = go.Figure(_traces(curves, metric, options, best_epoch), _layout(options, curves))
    figure.update_layout(yaxis=_value_axis(curves, metric, options))
    figure.add_traces(_marks(curves, metric, options, ("x", "y")))
    return figure if curves else _waiting(figure)


def draw_both(
    loss: Sequence[Curve],
    accuracy: Sequence[Curve],
    *,
    options: CurveOptions,
    best_epoch: int | None = None,
) -> go.Figure:
    """Draw loss above accuracy over one x axis, so that a pointer reads both at one place.

    Args:
        loss: from `prepare_curves`.
        accuracy: the same.
        options: scale and smoothing.
        best_epoch: marked with a star on both validation lines, when given.
    """
    figure = go.Figure(layout=_layout(options, [*loss, *accuracy]))
    parts: tuple[tuple[Sequence[Curve], Metric, str, list[float]], ...] = (
        (loss, "loss", "y", [0.5 + _GAP / 2, 1]),
        (accuracy, "accuracy", "y2", [0, 0.5 - _GAP / 2]),
    )
    marks: list[go.Scatter] = []
    for curves, metric, axis, domain in parts:
        traces = _traces(curves, metric, options, best_epoch)
        for trace in traces:
            trace.update(
                yaxis=axis,
                uid=f"{metric}, {trace.uid}",
                showlegend=trace.showlegend is not False and axis == "y",
            )
            if trace.hoverinfo != "skip":
                trace.hovertemplate = trace.hovertemplate.replace("<extra>", f"<extra>{metric}, ")
        figure.add_traces(traces)
        marks += _marks(curves, metric, options, ("x", axis))
        figure.update_layout(
            {f"yaxis{axis[1:]}": _value_axis(curves, metric, options) | {"domain": domain}}
        )
    # Last: they come and go, and a line that a person has hidden is known by its place.
    figure.add_traces(marks)
    figure.update_layout(hoversubplots="axis", xaxis={"anchor": "y2"})
    return figure if loss or accuracy else _waiting(figure)


def _traces(
    curves: Sequence[Curve], metric: Metric, options: CurveOptions, best_epoch: int | None
) -> list[go.Scatter]:
    traces: list[go.Scatter] = []
    for curve in curves:
        y, lifted = _drawn(curve, metric, options)
        if _is_smoothed(curve, options):
            traces.append(_raw(curve))
        traces.append(_line(curve, y, is_share=metric == "accuracy"))
        if lifted.any():
            traces.append(_at_the_edge(curve, y, lifted))
    star = (
        _best(curves, best_epoch, is_share=metric == "accuracy")
        if options.axis == "epoch"
        else None
    )
    return [*traces, *([star] if star else [])]


def _is_smoothed(curve: Curve, options: CurveOptions) -> bool:
    return options.smoothing > 0 and len(curve.y) >= MIN_SMOOTHED_POINTS and curve.color != "text"


def _drawn(
    curve: Curve, metric: Metric, options: CurveOptions
) -> tuple[axes.Floats, npt.NDArray[np.bool_]]:
    """Give the values as drawn, ``(n,)``, and which of them stand at the lower edge of a logarithmic scale."""
    y = np.array(
        smooth(curve.y, options.smoothing) if _is_smoothed(curve, options) else curve.y,
        dtype=np.float64,
    )
    if options.log_scale and metric == "loss":
        return axes.above_zero(y, is_share=False)
    return y, np.zeros(len(y), dtype=bool)


def _lines(curves: Sequence[Curve], metric: Metric, options: CurveOptions) -> list[axes.Line]:
    return [
        axes.Line(
            np.array(curve.x, dtype=np.float64),
            _drawn(curve, metric, options)[0],
            curve.color,
            is_noisy=not curve.by_epoch,
        )
        for curve in curves
        if not curve.hidden
    ]


def _shown(curves: Sequence[Curve], metric: Metric, options: CurveOptions) -> axes.Range | None:
    if options.log_scale and metric == "loss":
        return None
    is_share = metric == "accuracy"
    better: axes.Side = "high" if is_share else "low"
    return axes.value_range(
        _lines(curves, metric, options), better=better, is_share=is_share, to_ceiling=is_share
    )


def _marks(
    curves: Sequence[Curve], metric: Metric, options: CurveOptions, where: tuple[str, str]
) -> list[go.Scatter]:
    shown = _shown(curves, metric, options)
    return axes.edge_marks(
        _lines(curves, metric, options), shown, is_share=metric == "accuracy", axes=where
    )


def _value_axis(curves: Sequence[Curve], metric: Metric, options: CurveOptions) -> dict[str, Any]:
    is_log = options.log_scale and metric == "loss"
    return {
        "title": {"text": metric, "standoff": 6},
        "type": "log" if is_log else "linear",
        "dtick": "D2" if is_log else None,
        "tickformat": ".2~%" if metric == "accuracy" else None,
        "zeroline": False,
    } | axes.range_of(_shown(curves, metric, options))


def _waiting(figure: go.Figure) -> go.Figure:
    figure.add_annotation(
        text="Waiting for the first steps",
        showarrow=False,
        xref="paper",
        yref="paper",
        x=0.5,
        y=0.5,
    )
    figure.update_layout(xaxis={"range": [0, 1], "autorange": None})
    return figure.update_yaxes(range=[0, 1], type="linear", dtick=None)


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


def _step_axis(
    steps: pd.DataFrame, axis: Axis, steps_per_epoch: int, steps_until: Sequence[int]
) -> pd.Series[float]:
    if axis == "epoch" and steps_until:
        return pd.Series(np.interp(steps["step"].to_numpy(), steps_until, range(len(steps_until))))
    return (
        steps["seconds"]
        if axis == "seconds"
        else steps["step"] / (steps_per_epoch if axis == "epoch" else 1)
    )


def epoch_positions(epochs: pd.DataFrame, axis: Axis) -> pd.Series[float]:
    """Say where along an axis each epoch ended."""
    if axis == "seconds":
        return (epochs["seconds_training"] + epochs["seconds_evaluation"]).cumsum()
    return epochs[axis]


def _line(curve: Curve, values: axes.Floats, *, is_share: bool) -> go.Scatter:
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
        line.line, line.marker = (
            {"width": 1.5, "dash": curve.dash},
            {"size": 5, "symbol": "x-thin-open"},
        )
    elif curve.by_epoch:
        line.mode = "lines+markers"
        line.line = {"width": 2, "dash": curve.dash}
        line.marker = {"size": 7, "symbol": "circle" if curve.color == 0 else "diamond"}
    else:
        line.mode = "lines" if len(curve.x) > 1 else "markers"
        line.line = {"width": 1}
        line.opacity = 0.55
    return line


def _at_the_edge(curve: Curve, y: axes.Floats, lifted: npt.NDArray[np.bool_]) -> go.Scatter:
    return go.Scatter(
        x=np.array(curve.x, dtype=np.float64)[lifted],
        y=y[lifted],
        name="zero",
        uid=f"{curve.name}, zero",
        legendgroup=curve.name,
        showlegend=False,
        mode="markers",
        marker={"symbol": "triangle-down", "size": 8},
        hoverinfo="skip",
        cliponaxis=False,
        meta={"color": curve.color},
    )


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


def _layout(options: CurveOptions, curves: Sequence[Curve]) -> go.Layout:
    return go.Layout(
        # A new axis is a new view; the lines a person has hidden stay hidden all the same.
        uirevision=f"{options.axis}-{options.log_scale}",
        margin={"l": 52, "r": 8, "t": 36, "b": 40},
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "uirevision": "kept"},
        hovermode="x unified",
        hoverdistance=-1,  # every line has a value to say, wherever its nearest point is
        xaxis=_position_axis(options.axis, curves),
    )


def _position_axis(axis: Axis, curves: Sequence[Curve]) -> dict[str, Any]:
    last = max((curve.x[-1] for curve in curves), default=1)
    if axis == "seconds":
        return {
            "title": {"text": AXIS_TITLES[axis], "standoff": 6},
            "rangemode": "tozero",
            "zeroline": False,
        }
    return axes.counted_axis(AXIS_TITLES[axis], 0, last, margin=0)
