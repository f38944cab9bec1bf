"""Which part of an axis a chart shows and where its ticks stand: one rule for every chart.

A few values far on the bad side of all others, such as the first batches, a spike or a trial at 10 %, would press everything else into
a line. They are left out of the range and marked at its edge; "Full range" at the chart shows them. What is counted, such as epochs and
trials, has whole ticks, each once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from mnist_dash.formatting import number, percent

Floats = npt.NDArray[np.float64]
Side = Literal["low", "high"]
"""Where on an axis the better values are: low for a loss, high for an accuracy."""

FAR = 8.0
"""So many median deviations beyond the median, a value is an outlier."""
LEAST_DEVIATION = 0.1
"""A median deviation counts as at least this share of the median, so that lines that hardly move have no outliers."""
WORTH = 3.0
"""Outliers are left out only where the chart would else spend more than this many times the height of all others."""
NOISE_SHOWN = 0.9
"""Share of the values of a noisy line, such as that of the batches, that decides the range."""
MARGIN = 0.05
"""Room beyond the outermost point, as a share of the range."""
CEILING = 0.015
"""Room above 100 %, as a share of the range: half a marker."""
SMALLEST_ERROR = 5e-5
"""Where an error of zero is drawn on a logarithmic scale: half an image in ten thousand."""
MOST_TICKS = 10
MOST_MARKS = 8
"""Outliers of one line that are marked, the farthest ones; of a noisy line only the very farthest."""


@dataclass(frozen=True)
class Line:
    """What a line adds to the range of its axis.

    Attributes:
        x: ``(n,)`` positions.
        y: ``(n,)`` values as drawn; nan where there is none.
        color: index into the theme's chart colours, or ``text``.
        is_noisy: whether it scatters so much that most of its values decide, rather than all but the outliers.
        is_curve: whether it is a course of which the last value counts in any case.
        is_kept: whether none of its values is left out.
    """

    x: Floats
    y: Floats
    color: int | Literal["text"] = "text"
    is_noisy: bool = False
    is_curve: bool = True
    is_kept: bool = False


@dataclass(frozen=True)
class Range:
    """The part of an axis that is shown, and what lies beyond it.

    Attributes:
        low: lower end, margin included.
        high: upper end, margin included.
        clips: whether values lie beyond the ends.
    """

    low: float
    high: float
    clips: bool = False


def value_range(
    lines: Sequence[Line], *, better: Side, is_share: bool = False, to_ceiling: bool = False
) -> Range | None:
    """Choose the range of an axis of values, on a linear scale.

    Args:
        lines: all that is seen.
        better: where the better values are; outliers are looked for on the other side alone.
        is_share: whether values are fractions of one, which end at 100 %.
        to_ceiling: whether the axis reaches 100 % even if no value does.

    Returns:
        The range; None where there is no finite value.
    """
    known = [line for line in lines if np.isfinite(line.y).any()]
    if not known:
        return None
    best, worst = (min, max) if better == "low" else (max, min)
    every = np.concatenate([_finite(line.y) for line in known])
    top, bottom = best(every.tolist()), worst(every.tolist())
    usual = worst([_usual_end(line, better, is_share=is_share) for line in known])
    settled = any(line.is_curve and not line.is_noisy for line in known) or not any(
        line.is_noisy for line in known
    )
    origin = 1.0 if is_share and better == "high" and to_ceiling else top
    clips = settled and abs(bottom - origin) > WORTH * max(abs(usual - origin), 1e-9)
    end = usual if clips else bottom
    low, high = min(top, end), max(top, end)
    return _with_margin(
        low,
        high,
        is_share=is_share,
        to_ceiling=to_ceiling,
        clips=clips,
        all_positive=bool((every >= 0).all()),
    )


def _finite(values: Floats) -> Floats:
    return values[np.isfinite(values)]


def _usual_end(line: Line, better: Side, *, is_share: bool) -> float:
    """Give the worst value of a line that is no outlier."""
    values = _finite(line.y)
    badness = values if better == "low" else (1.0 if is_share else 0.0) - values
    if line.is_noisy:
        end = float(np.quantile(badness, NOISE_SHOWN))
    else:
        median = float(np.median(badness))
        deviation = max(float(np.median(np.abs(badness - median))), LEAST_DEVIATION * abs(median))
        kept = badness if line.is_kept else badness[badness <= median + FAR * deviation]
        end = float(kept.max())
        if line.is_curve:
            end = max(end, float(badness[-1]))
    return end if better == "low" else (1.0 if is_share else 0.0) - end


def _with_margin(
    low: float, high: float, *, is_share: bool, to_ceiling: bool, clips: bool, all_positive: bool
) -> Range:
    if is_share and to_ceiling:
        high = 1.0
    extent = high - low or max(abs(high) * 0.1, 1e-3)
    low, top = low - MARGIN * extent, high + MARGIN * extent
    if all_positive:
        low = max(low, 0.0)
    return Range(low, min(top, 1 + CEILING * (1 - low)) if is_share else top, clips)


def range_of(shown: Range | None) -> dict[str, Any]:
    """Lay an axis out with a range that a person's zoom outlives: the chart finds it anew whenever it draws all there is."""
    if shown is None:
        return {}
    return {
        "autorange": True,
        "autorangeoptions": {"minallowed": shown.low, "maxallowed": shown.high},
    }


def edge_marks(
    lines: Sequence[Line],
    shown: Range | None,
    *,
    is_share: bool,
    axes: tuple[str, str] = ("x", "y"),
) -> list[go.Scatter]:
    """Mark what lies beyond a range: a triangle at the edge for each stretch of a line that is out of sight, the farthest with its value.

    Args:
        lines: as `value_range` took them.
        shown: the range.
        is_share: whether values are written as percentages.
        axes: of the layout.
    """
    if shown is None or not shown.clips:
        return []
    marks = []
    for place, line in enumerate(lines):
        for edge, beyond, symbol in (
            (shown.high, line.y > shown.high, "triangle-up"),
            (shown.low, line.y < shown.low, "triangle-down"),
        ):
            farthest = _farthest(line.y, beyond, edge)[: 1 if line.is_noisy else MOST_MARKS]
            if len(farthest):
                marks.append(
                    _mark(
                        line,
                        farthest,
                        edge,
                        symbol,
                        is_share=is_share,
                        axes=axes,
                        uid=f"beyond {place} {symbol} {axes[1]}",
                    )
                )
    return marks


def _farthest(y: Floats, beyond: npt.NDArray[np.bool_], edge: float) -> npt.NDArray[np.intp]:
    """Find the farthest point of each stretch beyond an edge, the farthest stretch first."""
    places = np.flatnonzero(beyond)
    if not len(places):
        return places
    stretches = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
    ends = np.array([stretch[int(np.abs(y[stretch] - edge).argmax())] for stretch in stretches])
    return ends[np.argsort(-np.abs(y[ends] - edge), kind="stable")]


def _mark(
    line: Line,
    places: npt.NDArray[np.intp],
    edge: float,
    symbol: str,
    *,
    is_share: bool,
    axes: tuple[str, str],
    uid: str,
) -> go.Scatter:
    farthest = float(line.y[places[0]])
    texts = [percent(farthest) if is_share else number(farthest), *[""] * (len(places) - 1)]
    middle = float(np.nanmin(line.x) + np.nanmax(line.x)) / 2
    side = "left" if line.x[places[0]] > middle else "right"
    return go.Scatter(
        x=line.x[places],
        y=np.full(len(places), edge),
        xaxis=axes[0],
        yaxis=axes[1],
        mode="markers+text",
        text=texts,
        textposition=f"{'bottom' if symbol == 'triangle-up' else 'top'} {side}",
        textfont={"size": 11},
        name="beyond the range",
        uid=uid,
        showlegend=False,
        hoverinfo="skip",
        cliponaxis=False,
        marker={"symbol": symbol, "size": 9},
        meta={"color": line.color, "edge": "y"},
    )


def edge_marks_across(
    lines: Sequence[Line], shown: Range | None, *, is_share: bool, upright: Range | None
) -> list[go.Scatter]:
    """Mark what lies beyond the range of the x axis, as `edge_marks` does for y.

    Args:
        lines: ``y`` is the value along x, ``x`` the one along y.
        shown: the range of x.
        is_share: of the values along x.
        upright: the range of y, within which the marks stand.
    """
    marks = edge_marks(lines, shown, is_share=is_share)
    for mark in marks:
        across, along = mark.y, np.asarray(mark.x)
        is_far = mark.marker.symbol == "triangle-up"
        along = along if upright is None else np.clip(along, upright.low, upright.high)
        mark.update(
            x=across,
            y=along,
            textposition=f"middle {'left' if is_far else 'right'}",
            meta={**mark.meta, "edge": "x"},
        )
        mark.update(
            uid=f"{mark.uid} across",
            marker={"symbol": "triangle-right" if is_far else "triangle-left"},
        )
    return marks


def whole_step(extent: float, most: int = MOST_TICKS) -> int:
    """Choose the distance of whole ticks, 1, 2, 5, 10 ..., of which at most ``most`` lie within an extent."""
    step = 1
    while extent / step > most:
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    return step


def counted_axis(title: str, low: float, high: float, *, margin: float = 0.5) -> dict[str, Any]:
    """Lay out an axis of epochs, steps or trials: it begins and ends with what is there, and its ticks are whole numbers, each once.

    Args:
        title: of the axis.
        low: the first position.
        high: the last one.
        margin: room beyond both, in positions; none below zero epochs.
    """
    room = max(margin, 0.02 * (high - low)) if margin else 0.02 * (high - low)
    begin = low - room if margin else low
    return {
        "title": {"text": title, "standoff": 6},
        "zeroline": False,
        "tick0": 0,
        "dtick": whole_step(high - low),
        "autorange": True,
        "autorangeoptions": {"minallowed": begin, "maxallowed": max(high + room, begin + 1e-9)},
    }


def count_along_x(figure: go.Figure, title: str = "epoch") -> go.Figure:
    """Give a figure an x axis of what is counted, from what it shows; without data it stays as it is."""
    places = [
        np.asarray(trace.x, dtype=np.float64)
        for trace in figure.data
        if trace.x is not None and len(trace.x)
    ]
    finite = _finite(np.concatenate(places)) if places else np.zeros(0)
    if len(finite):
        figure.update_xaxes(
            counted_axis(title, float(finite.min()), float(finite.max()), margin=0.25)
        )
    return figure


def whole_log_ticks(low: float, high: float) -> dict[str, Any]:
    """Put whole ticks on a logarithmic axis of what is counted: all where there are few, else 1, 2, 5, 10 ..."""
    last = max(1, math.ceil(high))
    few = last <= MOST_TICKS
    ticks = (
        list(range(1, last + 1))
        if few
        else [step * 10**decade for decade in range(len(str(last))) for step in (1, 2, 5)]
    )
    return {"tickvals": [tick for tick in ticks if low / 2 <= tick <= 2 * high]}


def above_zero(values: Floats, *, is_share: bool) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Lift what a logarithmic axis cannot show, zero and less, to its lower edge.

    Args:
        values: ``(n,)``.
        is_share: whether they are error rates, whose edge is the same in every chart.

    Returns:
        ``(n,)`` values, and which of them were lifted.
    """
    positive = values[np.isfinite(values) & (values > 0)]
    edge = SMALLEST_ERROR if is_share else float(positive.min()) / 2 if len(positive) else 1e-6
    lifted = np.isfinite(values) & (values < edge)
    return np.where(lifted, edge, values), lifted
