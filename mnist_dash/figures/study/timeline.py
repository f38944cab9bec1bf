"""Timeline of a study: when each trial ran, in as few lanes as there were trials at once."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from mnist_dash.figures.study.drawing import (
    LOOKS,
    is_selected,
    say_empty,
    scatter_type,
    sentences,
    study_layout,
)
from mnist_dash.figures.study.trials import Objective, Trials

MOST_BARS = 1000
"""More trials than this are drawn as lines: a browser is slow with bars."""
UNITS = ((1.0, "seconds"), (60.0, "minutes"), (3600.0, "hours"), (86400.0, "days"))
_THIN, _THICK, _ALL_LANES = 2.0, 16.0, 220.0


class _Spans(NamedTuple):
    """Trials of one state along the axis: columns of one length."""

    numbers: npt.NDArray[np.int64]
    starts: npt.NDArray[np.float64]
    lengths: npt.NDArray[np.float64]
    lanes: npt.NDArray[np.int64]
    chosen: npt.NDArray[np.bool_]


def pack_lanes(
    started: npt.NDArray[np.float64], ended: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """Give each span the lowest lane that is free when it starts; there are as many lanes as spans at once, no more.

    Args:
        started: ``(m,)``, finite.
        ended: ``(m,)``, finite; a span may start where another ends.
    """
    lanes = np.zeros(len(started), dtype=np.int64)
    busy: list[tuple[float, int]] = []
    free: list[int] = []
    for index in np.lexsort((ended, started)).tolist():
        while busy and busy[0][0] <= started[index]:
            heapq.heappush(free, heapq.heappop(busy)[1])
        lane = heapq.heappop(free) if free else len(busy)
        heapq.heappush(busy, (float(max(ended[index], started[index])), lane))
        lanes[index] = lane
    return lanes


def draw_timeline(
    trials: Trials,
    objective: Objective,
    *,
    events: Sequence[tuple[float, str]] = (),
    now: float | None = None,
    selected: Collection[int] = (),
) -> go.Figure:
    """Draw a bar a trial from its start to its end; time counts from the first start.

    Args:
        trials: of the study.
        objective: the first one, for what is said under the pointer.
        events: seconds since 1970 and an HTML-escaped sentence each; vertical lines.
        now: seconds since 1970, where running trials end; by default the latest time that is known.
        selected: numbers of trials that stand out.
    """
    shown = np.flatnonzero(np.isfinite(trials.started))
    if not len(shown):
        return say_empty(go.Figure(layout=_layout("seconds", 1)), "No trial has started yet")
    started, ended = trials.started[shown], trials.ended[shown].copy()
    times = [time for time, _ in events if np.isfinite(time)]
    latest = (
        now
        if now is not None
        else max([float(started.max()), *ended[np.isfinite(ended)].tolist(), *times])
    )
    ended = np.maximum(np.where(np.isfinite(ended), ended, latest), started)
    first = float(started.min())
    span = max(float(ended.max()), *times, first) - first if times else float(ended.max()) - first
    seconds, unit = next((pair for pair in reversed(UNITS) if span >= 2 * pair[0]), UNITS[0])
    lanes = pack_lanes(started, ended)
    starts, lengths = (started - first) / seconds, (ended - started) / seconds
    figure = go.Figure(layout=_layout(unit, int(lanes.max()) + 1))
    chosen = is_selected(trials, selected)[shown]
    draw = _bars if len(shown) <= MOST_BARS else _lines
    for state in LOOKS:
        own = np.flatnonzero(trials.states[shown] == state)
        if len(own):
            texts = sentences(trials, objective, shown[own])
            figure.add_traces(
                draw(
                    _Spans(
                        trials.numbers[shown[own]],
                        starts[own],
                        lengths[own],
                        lanes[own],
                        chosen[own],
                    ),
                    state,
                    texts,
                )
            )
    if times:
        figure.add_trace(_marks(events, first, seconds, unit, float(lanes.max())))
    return figure


def _bars(spans: _Spans, state: str, texts: list[str]) -> list[go.Bar]:
    numbers, starts, lengths, lanes, chosen = spans
    look = LOOKS[state]
    bars = []
    for mask, more in ((~chosen, {"line": {"width": 0}}), (chosen, {"line": {"width": 2.5}})):
        own = np.flatnonzero(mask)
        if len(own):
            is_ring = mask is chosen
            bars.append(
                go.Bar(
                    base=starts[own],
                    x=lengths[own],
                    y=lanes[own],
                    width=0.95 if is_ring else 0.8,
                    orientation="h",
                    name=state,
                    uid=f"{state} selected" if is_ring else state,
                    legendgroup=state,
                    showlegend=not is_ring or bool(chosen.all()),
                    customdata=numbers[own],
                    hovertext=[texts[index] for index in own],
                    hovertemplate="%{hovertext}<extra></extra>",
                    marker={
                        "pattern": {
                            "shape": look.pattern,
                            "size": 5,
                            "solidity": 0.25,
                            "fillmode": "overlay",
                        },
                        **more,
                    },
                    meta={"color": look.color, "ring": "text"}
                    if is_ring
                    else {"color": look.color},
                )
            )
    return bars


def _lines(spans: _Spans, state: str, texts: list[str]) -> list[go.Scatter | go.Scattergl]:
    """Draw start, middle and end of each trial, then a gap; the middle says what the trial is."""
    numbers, starts, lengths, lanes, chosen = spans
    look, lines = LOOKS[state], []
    width = min(max(_ALL_LANES / (float(lanes.max()) + 1), _THIN), _THICK)
    # The ring lies behind.
    for own, is_ring in (
        (np.flatnonzero(chosen), True),
        (np.arange(len(numbers)), False),
    ):
        if not len(own):
            continue
        x = np.column_stack(
            [
                starts[own],
                starts[own] + lengths[own] / 2,
                starts[own] + lengths[own],
                np.full(len(own), np.nan),
            ]
        ).ravel()
        said = np.full((len(own), 4), "", dtype=object)
        # What follows number and state.
        said[:, 1] = [texts[index].partition("<br>")[2] for index in own]
        lines.append(
            scatter_type(4 * len(own))(
                x=x,
                y=np.repeat(lanes[own], 4),
                mode="lines",
                connectgaps=False,
                name="selected" if is_ring else state,
                uid=f"{state} selected" if is_ring else state,
                legendgroup=state,
                showlegend=not is_ring,
                line={
                    "width": width + 4 if is_ring else width,
                    "dash": "solid" if is_ring else look.dash,
                },
                customdata=np.repeat(numbers[own], 4),
                text=said.ravel(),
                hovertemplate=f"trial %{{customdata}}, {state}<br>%{{text}}<extra></extra>",
                meta={"color": "text" if is_ring else look.color},
            )
        )
    return lines


def _marks(
    events: Sequence[tuple[float, str]], first: float, seconds: float, unit: str, top: float
) -> go.Scatter:
    """Draw a vertical line an event, with points along it so that the pointer finds it."""
    heights = np.append(np.linspace(-0.5, top + 0.5, 9), np.nan)
    known = [(time, sentence) for time, sentence in events if np.isfinite(time)]
    places = np.array([(time - first) / seconds for time, _ in known])
    return go.Scatter(
        x=np.repeat(places, len(heights)),
        y=np.tile(heights, len(known)),
        mode="lines",
        line={"width": 1.5, "dash": "dot"},
        connectgaps=False,
        name="events",
        uid="events",
        text=np.repeat(np.array([sentence for _, sentence in known], dtype=object), len(heights)),
        hovertemplate=f"%{{text}}<br>after %{{x:.4~g}} {unit}<extra></extra>",
        meta={"color": "text"},
    )


def _layout(unit: str, n_lanes: int) -> go.Layout:
    return study_layout(
        f"timeline {unit}",
        barmode="overlay",
        xaxis={
            "title": {"text": f"{unit} since the first trial started", "standoff": 6},
            "zeroline": False,
            "rangemode": "tozero",
        },
        yaxis={
            "title": {"text": "parallel trials", "standoff": 6},
            "range": [n_lanes - 0.4, -0.6],
            "tickvals": list(range(0, n_lanes, max(1, n_lanes // 8))),
            "ticktext": [str(lane + 1) for lane in range(0, n_lanes, max(1, n_lanes // 8))],
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
        },
        meta={"axes": {}},
    )
