"""Learning curves of several runs over each other: a line a run, or a mean line and a band a group."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from mnist_dash.figures.base import axes
from mnist_dash.figures.base.curves import MIN_SMOOTHED_POINTS, smooth
from mnist_dash.figures.base.hover import hover_texts
from mnist_dash.figures.compare.look import Look

Axis = Literal["epoch", "step", "seconds", "images"]
AXIS_TITLES: dict[Axis, str] = {
    "epoch": "epoch",
    "step": "step",
    "seconds": "seconds of training and evaluation",
    "images": "images trained on",
}
_MOST_PLACES = 300
"""Places at which the mean of a group is taken at most, where its runs do not share theirs."""
_SOME = 3
"""From so many lines on, a whole line may be an outlier."""
_SAMPLES = 21
"""Of the values of a run, from its worst to its best, where many runs decide a range together."""
_CROWDED = 12
"""More lines than these have neither points nor a legend: the pointer names them."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RunLine:
    """One run's figure along an axis.

    Attributes:
        key: names the line for good, such as the run's id.
        name: as the legend prints it; escaped here.
        look: colour and dash.
        x: ``(n,)`` ascending positions.
        y: ``(n,)`` values.
    """

    key: str
    name: str
    look: Look
    x: Floats
    y: Floats


@dataclass(frozen=True)
class GroupLines:
    """A group of runs, drawn as its mean and a band of one standard deviation either way."""

    key: str
    name: str
    look: Look
    lines: tuple[RunLine, ...]


@dataclass(frozen=True)
class OverlayOptions:
    """How the curves are drawn; every choice is in the page's address."""

    axis: Axis = "epoch"
    is_share: bool = True
    """Whether the figure is an accuracy."""
    log_x: bool = False
    log_y: bool = False
    """An accuracy is then drawn as its error, 1 - accuracy."""
    smoothing: float = 0.0
    """Share of the former mean that each smoothed value keeps, in [0, 1)."""


def draw_overlay(lines: Sequence[RunLine], title: str, options: OverlayOptions) -> go.Figure:
    """Draw one line a run; smoothed lines have the recorded ones behind them.

    Args:
        lines: the runs.
        title: of the y axis.
        options: scales and smoothing.
    """
    traces: list[go.Scatter] = []
    crowded = len(lines) > _CROWDED
    for line in lines:
        y = _drawn(line.y, options)
        if options.smoothing > 0 and len(y) >= MIN_SMOOTHED_POINTS:
            traces.append(_trace(line, y, options, is_raw=True))
            y = np.array(smooth(y.tolist(), options.smoothing))
        traces.append(_trace(line, y, options, marked=not crowded))
        traces += _zeros(line, y, options)
    return _finished(traces, title, options, n_lines=len(lines), lines=lines)


def draw_bands(groups: Sequence[GroupLines], title: str, options: OverlayOptions) -> go.Figure:
    """Draw the mean of each group, with a band of one standard deviation either way where two runs or more are at a place.

    Where its runs do not share their places, each is interpolated linearly between its own. A mean is of the runs that have come so far;
    how many these are is said under the pointer.

    Args:
        groups: of at least one run each.
        title: of the y axis.
        options: scales and smoothing.
    """
    bands, means = [], []
    for group in groups:
        x, mean, deviation, counts = summarise(
            [(line.x, _smoothed(_drawn(line.y, options), options)) for line in group.lines]
        )
        if not len(x):
            continue
        several = counts > 1
        if several.any():
            bands += _band(group, x[several], mean[several], deviation[several], options)
        said = [
            [int(count), float(spread)] for count, spread in zip(counts, deviation, strict=True)
        ]
        trace = _trace(
            RunLine(group.key, group.name, group.look, x, mean),
            mean,
            options,
            marked=len(groups) <= _CROWDED,
        )
        trace.update(
            customdata=said,
            text=[
                f"{centre} ± {spread}"
                for centre, spread in zip(
                    hover_texts(mean.tolist(), is_share=options.is_share),
                    hover_texts(deviation.tolist(), is_share=options.is_share),
                    strict=True,
                )
            ],
            hovertemplate="%{text}, mean of %{customdata[0]}<extra>%{fullData.name}</extra>",
        )
        if len(x) == 1 and counts[0] > 1:  # a band of one place could not be seen
            trace.update(
                error_y={
                    "type": "constant",
                    "value": float(deviation[0]),
                    "thickness": 1.5,
                    "width": 6,
                }
            )
        means.append(trace)
    return _finished(
        [*bands, *means],
        title,
        options,
        n_lines=len(groups),
        lines=[line for group in groups for line in group.lines],
    )


def summarise(
    lines: Sequence[tuple[Floats, Floats]],
) -> tuple[Floats, Floats, Floats, npt.NDArray[np.int64]]:
    """Take mean and standard deviation over lines at every place.

    Args:
        lines: positions, ascending, and values of each; empty ones are left out.

    Returns:
        Positions ``(n,)``, means, deviations with n - 1 (0 where there is one line), and how many lines are there.
    """
    there = [(x, y) for x, y in lines if len(x)]
    if not there:
        return np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, np.int64)
    places = np.unique(np.concatenate([x for x, _ in there]))
    if len(places) > _MOST_PLACES:
        places = np.linspace(places[0], places[-1], _MOST_PLACES)
    values = np.array([np.interp(places, x, y, left=np.nan, right=np.nan) for x, y in there])
    known = np.isfinite(values)
    counts = known.sum(axis=0)
    places, values, known, counts = (
        places[counts > 0],
        values[:, counts > 0],
        known[:, counts > 0],
        counts[counts > 0],
    )
    mean = np.where(known, values, 0).sum(axis=0) / counts
    squares = np.where(known, (values - mean) ** 2, 0).sum(axis=0)
    return places, mean, np.sqrt(squares / np.maximum(counts - 1, 1)), counts


def _drawn(y: Floats, options: OverlayOptions) -> Floats:
    if not options.log_y:
        return y
    return axes.above_zero(1 - y if options.is_share else y, is_share=options.is_share)[0]


def _zeros(line: RunLine, y: Floats, options: OverlayOptions) -> list[go.Scatter]:
    """Mark where a line stands at the lower edge of a logarithmic scale because its value is zero."""
    if not options.log_y:
        return []
    lifted = axes.above_zero(1 - line.y if options.is_share else line.y, is_share=options.is_share)[
        1
    ]
    if not lifted.any():
        return []
    trace = _trace(line, y, options)
    zeros = go.Scatter(
        x=line.x[lifted].tolist(),
        y=y[lifted].tolist(),
        meta=trace.meta,
        legendgroup=line.key,
        uid=f"{line.key}, zero",
    )
    look = {"symbol": "triangle-down", "size": 9}
    return [
        zeros.update(
            mode="markers",
            name="zero",
            marker=look,
            showlegend=False,
            hoverinfo="skip",
            cliponaxis=False,
        )
    ]


def _smoothed(y: Floats, options: OverlayOptions) -> Floats:
    return (
        np.array(smooth(y.tolist(), options.smoothing))
        if options.smoothing > 0 and len(y) >= MIN_SMOOTHED_POINTS
        else y
    )


def _trace(
    line: RunLine, y: Floats, options: OverlayOptions, *, is_raw: bool = False, marked: bool = False
) -> go.Scatter:
    trace = go.Scatter(
        x=line.x.tolist(),
        y=y.tolist(),
        name=html.escape(line.name, quote=False),
        uid=f"{line.key}, raw" if is_raw else line.key,
        legendgroup=line.key,
        meta={"color": line.look.color},
        mode="lines" if is_raw or (not marked and len(line.x) > 1) else "lines+markers",
        line={"width": 1 if is_raw else 2, "dash": "solid" if is_raw else line.look.dash},
        marker={"size": 6, "symbol": line.look.symbol},
        text=hover_texts(y.tolist(), is_share=options.is_share),
        hovertemplate="%{text}<extra>%{fullData.name}</extra>",
    )
    if is_raw:
        trace.update(opacity=0.3, showlegend=False, hoverinfo="skip", hovertemplate=None, text=None)
    return trace


def _band(
    group: GroupLines, x: Floats, mean: Floats, deviation: Floats, options: OverlayOptions
) -> list[go.Scatter]:
    least = mean.min() / 10 if options.log_y else -np.inf  # below 0 a logarithmic axis has no place
    ends = (np.maximum(mean - deviation, np.minimum(least, mean)), mean + deviation)
    return [
        go.Scatter(
            x=x.tolist(),
            y=end.tolist(),
            uid=f"{group.key}, band {name}",
            legendgroup=group.key,
            meta={"color": group.look.color},
            mode="lines",
            line={"width": 0},
            fill="tonexty" if name == "above" else None,
            opacity=0.35,
            showlegend=False,
            hoverinfo="skip",
        )
        for name, end in zip(("below", "above"), ends, strict=True)
    ]


def _finished(
    traces: Sequence[go.Scatter],
    title: str,
    options: OverlayOptions,
    *,
    n_lines: int,
    lines: Sequence[RunLine],
) -> go.Figure:
    is_error = options.is_share and options.log_y
    layout = go.Layout(
        uirevision=f"{title} {options.axis} {options.log_x} {options.log_y}",
        margin={"l": 56, "r": 8, "t": 12, "b": 40},
        showlegend=1 < n_lines <= _CROWDED,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "uirevision": "kept"},
        hovermode="x unified" if n_lines <= _CROWDED else "closest",
        hoverdistance=-1 if n_lines <= _CROWDED else 20,
        xaxis=_position_axis(options, [line.x for line in lines if len(line.x)]),
        yaxis={
            "title": {"text": f"error rate (1 − {title})" if is_error else title, "standoff": 6},
            "type": "log" if options.log_y else "linear",
            "tickformat": ".2~%" if options.is_share else None,
            "zeroline": False,
        },
    )
    figure = go.Figure(list(traces), layout)
    if not options.log_y:
        better: axes.Side = "high" if options.is_share else "low"
        seen = [axes.Line(line.x, _smoothed(line.y, options), line.look.color) for line in lines]
        shown = axes.value_range(
            _pooled(seen), better=better, is_share=options.is_share, to_ceiling=options.is_share
        )
        figure.update_yaxes(axes.range_of(shown))
        figure.add_traces(axes.edge_marks(seen, shown, is_share=options.is_share))
    if not traces:
        figure.add_annotation(
            text="Waiting for the first epoch",
            showarrow=False,
            xref="paper",
            yref="paper",
            x=0.5,
            y=0.5,
        )
        figure.update_layout(
            xaxis={"range": [0, 1], "type": "linear", "autorange": None},
            yaxis={"range": [0, 1], "type": "linear"},
        )
    return figure


def _pooled(lines: Sequence[axes.Line]) -> list[axes.Line]:
    """Take many lines as one, so that a whole run may be an outlier; of two nobody can say which one is.

    Each counts as much as any other, however many epochs it has.
    """
    known = [line.y[np.isfinite(line.y)] for line in lines]
    known = [values for values in known if len(values)]
    if len(known) < _SOME:
        return list(lines)
    y = np.concatenate([np.quantile(values, np.linspace(0, 1, _SAMPLES)) for values in known])
    return [axes.Line(np.arange(len(y), dtype=np.float64), y, is_curve=False)]


def _position_axis(options: OverlayOptions, places: Sequence[Floats]) -> dict[str, Any]:
    title, known = AXIS_TITLES[options.axis], np.concatenate(places) if places else np.ones(1)
    low, high = float(known.min()), float(known.max())
    if options.log_x:
        ticks = axes.whole_log_ticks(low, high) if options.axis == "epoch" else {}
        return {"title": {"text": title, "standoff": 6}, "type": "log", "zeroline": False} | ticks
    if options.axis == "seconds":
        return {"title": {"text": title, "standoff": 6}, "rangemode": "tozero", "zeroline": False}
    return axes.counted_axis(title, 0, high, margin=0)
