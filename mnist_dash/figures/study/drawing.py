"""How the figures of a study draw trials: looks of the states, points that report their trial, axes of settings."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from mnist_dash.figures.base import axes
from mnist_dash.figures.study.trials import Axis, Objective, Trials

SVG_POINTS = 1000
"""Up to so many points are drawn as SVG: a browser has only about 16 WebGL contexts for all charts of a page."""
SELECTED_PIXELS = 13
SELECTED_COLOR = 1
"""Fills selected points that have the colour of their ring otherwise."""
NOT_SET = "not set"
"""Names the place of trials to which a setting does not apply."""
JITTER = 0.5
"""Width of the band, in categories, over which points of one choice are spread."""
GOLDEN = 0.6180339887498949
_MAX_LABEL = 22


@dataclass(frozen=True)
class Look:
    """How a state is drawn: a colour of the theme and, for who cannot tell colours apart, a symbol, a dash and a pattern."""

    color: int | Literal["text"]
    symbol: str
    size: int = 7
    dash: str = "solid"
    pattern: str = ""


LOOKS = {
    "complete": Look(0, "circle"),
    "pruned": Look(6, "x", 6, "dot", "/"),
    "running": Look(2, "diamond", 9, "dash", "-"),
    "stopped": Look(3, "square", 6, "dashdot", "|"),
    "diverged": Look(1, "triangle-up", 8, "longdash", "x"),
    "failed": Look(7, "cross", 8, "longdashdot", "+"),
    "waiting": Look(5, "circle-open", 6, "dot", "."),
}
"""The look of each state, in the legend's order."""


@dataclass(frozen=True)
class Scale:
    """Colours points by a number on the theme's sequential scale.

    Attributes:
        values: ``(n,)``, one a trial.
        title: stands at the colour bar.
        tick_format: of the bar, Plotly's; None for Plotly's own choice.
        low: value of the palest colour.
        high: value of the strongest colour.
    """

    values: npt.NDArray[np.float64]
    title: str
    tick_format: str | None = None
    low: float | None = None
    high: float | None = None


def scatter_type(n_points: int) -> type[go.Scatter | go.Scattergl]:
    """Choose SVG for few points and WebGL for many."""
    kind: type[go.Scatter | go.Scattergl] = go.Scatter if n_points <= SVG_POINTS else go.Scattergl
    return kind


def is_selected(trials: Trials, selected: Collection[int]) -> npt.NDArray[np.bool_]:
    """Mark ``(n,)`` trials whose number is among the selected ones."""
    return np.isin(trials.numbers, np.fromiter(selected, dtype=np.int64, count=len(selected)))


def sentences(
    trials: Trials, objective: Objective, positions: npt.NDArray[np.intp], *, column: int = 0
) -> list[str]:
    """Say number, state, value and what differs in the configuration, one text a position."""
    values = (trials.current() if column == 0 else trials.values[:, column])[positions].tolist()
    numbers, states = trials.numbers[positions].tolist(), trials.states[positions].tolist()
    deviations = trials.deviations[positions].tolist()
    return [
        f"<b>trial {number}</b>, {state}<br>{objective.title} {_value(objective, value, deviation)}<br>{trials.hovers[position]}"
        for number, state, value, deviation, position in zip(
            numbers, states, values, deviations, positions.tolist(), strict=True
        )
    ]


def _value(objective: Objective, value: float, deviation: float) -> str:
    return objective.write_exactly(value) + (
        f" ± {objective.write_exactly(deviation)}" if math.isfinite(deviation) else ""
    )


def points(
    trials: Trials,
    positions: npt.NDArray[np.intp],
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    *,
    look: Look,
    name: str,
    texts: Sequence[str] | None = None,
    template: str = "%{text}<extra></extra>",
    sizes: npt.NDArray[np.float64] | None = None,
    scale: Scale | None = None,
    many: bool | None = None,
    halo: Literal["background"] | None = None,
    axes: tuple[str, str] = ("x", "y"),
) -> go.Scatter | go.Scattergl:
    """Draw trials as points whose ``customdata`` is their number.

    Args:
        trials: of the study.
        positions: ``(m,)``, which ones.
        x: ``(n,)``, one a trial.
        y: ``(n,)``, one a trial.
        look: symbol, colour, size.
        name: in the legend.
        texts: what each says under the pointer, in the order of ``positions``.
        template: Plotly's, for points that have no text of their own.
        sizes: ``(n,)`` pixels, in place of the look's.
        scale: colours in place of the look's colour.
        many: whether to draw with WebGL; by default where there are many points.
        halo: what outlines the points, so that they stand out from a surface.
        axes: of the layout.
    """
    kind = scatter_type(len(positions)) if many is None else go.Scattergl if many else go.Scatter
    marker: dict[str, object] = {
        "symbol": look.symbol,
        "size": look.size if sizes is None else sizes[positions],
        "line": {"width": 0 if halo is None else 1},
    }
    meta: dict[str, object] = {"color": look.color} | ({} if halo is None else {"ring": halo})
    if scale is not None:
        meta = {"scale": "sequential"}
        marker |= {"color": scale.values[positions], "cmin": scale.low, "cmax": scale.high}
    return kind(
        x=x[positions],
        y=y[positions],
        xaxis=axes[0],
        yaxis=axes[1],
        mode="markers",
        name=name,
        uid=f"{name} {axes[0]}{axes[1]}",
        marker=marker,
        customdata=trials.numbers[positions],
        text=None
        if texts is None
        # Which Plotly takes as it is; a list it would check one by one.
        else np.array(texts, dtype=object),
        hovertemplate=template,
        meta=meta,
    )


def ringed(trace: go.Scatter | go.Scattergl, chosen: npt.NDArray[np.bool_]) -> go.Scatter | None:
    """Repeat the selected ones of a trace's points, larger and ringed in the colour of the text; None where there are none.

    Args:
        trace: of points.
        chosen: ``(m,)``, which of its points are selected.
    """
    if not chosen.any():
        return None
    marker = trace.marker.to_plotly_json() | {
        "size": SELECTED_PIXELS,
        "opacity": 1,
        "line": {"width": 2.5},
        "showscale": False,
    }
    if isinstance(marker.get("color"), np.ndarray):
        marker["color"] = np.asarray(marker["color"])[chosen]
    marker.pop("colorbar", None)
    return go.Scatter(
        x=np.asarray(trace.x)[chosen],
        y=np.asarray(trace.y)[chosen],
        xaxis=trace.xaxis,
        yaxis=trace.yaxis,
        mode="markers",
        name="selected",
        uid=f"{trace.uid} selected",
        showlegend=False,
        legendgroup=trace.legendgroup,
        marker=marker,
        customdata=np.asarray(trace.customdata)[chosen],
        text=None if trace.text is None else np.asarray(trace.text, dtype=object)[chosen],
        hovertemplate=trace.hovertemplate,
        meta={**trace.meta, "ring": "text"}
        | ({"color": SELECTED_COLOR} if trace.meta.get("color") == "text" else {}),
    )


def add_points(
    figure: go.Figure, traces: Iterable[go.Scatter | go.Scattergl], selected: Collection[int]
) -> None:
    """Add traces of points, and above all of them the selected ones again with their rings."""
    traces = list(traces)
    figure.add_traces(traces)
    chosen = np.fromiter(selected, dtype=np.int64, count=len(selected))
    rings = (
        [ringed(trace, np.isin(trace.customdata, chosen)) for trace in traces]
        if len(chosen)
        else []
    )
    figure.add_traces([ring for ring in rings if ring is not None])


def color_bar(
    scale: Scale, *, ticks: Sequence[float] | None = None, tick_texts: Sequence[str] | None = None
) -> dict[str, object]:
    """Lay out a slim colour bar along the right edge, its title along it."""
    return {
        "title": {"text": scale.title, "side": "right"},
        "tickformat": scale.tick_format,
        "tickvals": ticks,
        "ticktext": tick_texts,
        "thickness": 10,
        "outlinewidth": 0,
        "xpad": 4,
        "ypad": 0,
    }


def write_choice(choice: object) -> str:
    """Print a choice for an axis, shortened and HTML-escaped."""
    said = (
        choice
        if isinstance(choice, str)
        else NOT_SET
        if choice is None
        else json.dumps(choice, default=str)
    )
    return html.escape(
        said if len(said) <= _MAX_LABEL else f"{said[: _MAX_LABEL - 1]}…", quote=False
    )


def choices_of(axis: Axis, values: Sequence[object]) -> list[object]:
    """List an axis's choices, then those that only trials have, such as ones banned since."""
    found: dict[str, object] = {repr(choice): choice for choice in axis.choices}
    for value in values:
        if value is not None:
            found.setdefault(repr(value), value)
    return list(found.values())


def positions_on(axis: Axis, trials: Trials) -> npt.NDArray[np.float64]:
    """Place trials along a setting's axis, ``(n,)``: the number itself, the index of a choice; nan where it does not apply."""
    values = trials.parameters.get(axis.path, [None] * len(trials))
    if axis.kind != "choice":
        numbers = np.array(values, dtype=np.float64)  # None becomes nan
        if axis.log:
            numbers[~(numbers > 0)] = np.nan
        return numbers
    index = {repr(choice): place for place, choice in enumerate(choices_of(axis, values))}
    return np.array([index.get(repr(value), math.nan) for value in values], dtype=np.float64)


def spread(
    axis: Axis, places: npt.NDArray[np.float64], numbers: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Move points of one choice apart by the golden ratio of their number, always alike; numbers stay where they are."""
    return (
        places + (((numbers + 1) * GOLDEN) % 1 - 0.5) * JITTER if axis.kind == "choice" else places
    )


def bounds_of(axis: Axis, places: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Give the least and the greatest place that the explored range or a trial has; ``(0, 1)`` where nothing is known."""
    known = [
        float(place)
        for place in (axis.low, axis.high)
        if place is not None and axis.kind != "choice"
    ]
    finite = places[np.isfinite(places)]
    known += [float(finite.min()), float(finite.max())] if len(finite) else []
    if axis.kind == "choice":
        known += [0.0, float(max(len(axis.choices) - 1, 0))]
    low, high = (min(known), max(known)) if known else (1.0, 10.0) if axis.log else (0.0, 1.0)
    return (
        (low, high)
        if high > low or axis.kind == "choice"
        else (low * 0.5, low * 2)
        if axis.log
        else (low - 0.5, low + 0.5)
    )


def axis_layout(axis: Axis, trials: Trials, title: str) -> dict[str, object]:
    """Lay out the axis of a setting: its explored range with a margin, decades where it is logarithmic, choices by name."""
    places = positions_on(axis, trials)
    low, high = bounds_of(axis, places)
    plain: dict[str, object] = {
        "title": {"text": title, "standoff": 6},
        "zeroline": False,
        "automargin": True,
    }
    if axis.kind == "choice":
        choices = choices_of(axis, trials.parameters.get(axis.path, ()))
        span = {"range": [-0.5, max(len(choices), 1) - 0.5], "tickvals": list(range(len(choices)))}
        return plain | span | {"ticktext": [write_choice(choice) for choice in choices]}
    if axis.log:
        start, end = math.log10(low), math.log10(high)
        margin = 0.04 * (end - start)
        ticks = [
            (10**exponent, text)
            for exponent, text in zip(*log_ticks(start, end), strict=True)
            if text
        ]
        named = (
            {"tickvals": [tick for tick, _ in ticks], "ticktext": [text for _, text in ticks]}
            if len(ticks) >= 2
            else {"nticks": 5}
        )
        return (
            plain
            | {"type": "log", "range": [start - margin, end + margin], "tickformat": "~g"}
            | named
        )
    margin = 0.04 * (high - low)
    return plain | {"range": [low - margin, high + margin], "exponentformat": "power", "nticks": 6}


def log_ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    """Put ticks at 1 to 9 times each decade between two exponents of ten; decades are named, and some between where there are few.

    Returns:
        Exponents, and what to print at each, maybe nothing.
    """
    named = (
        (1,)
        if high - low >= 2
        else (1, 3)
        if high - low >= 1
        else (1, 2, 5)
        if high - low >= 0.5
        else tuple(range(1, 10))
    )
    ticks, texts = [], []
    for decade in range(math.floor(low), math.ceil(high) + 1):
        for step in range(1, 10):
            exponent = decade + math.log10(step)
            if low - 1e-9 <= exponent <= high + 1e-9:
                ticks.append(exponent)
                texts.append(f"{step * 10.0**decade:.6g}" if step in named else "")
    return ticks, texts


def axes_meta(
    shown: dict[str, Axis], trials: Trials, *, measured: dict[str, str] | None = None
) -> dict[str, object]:
    """Tell the page which setting each axis shows, so that it can name what a person brushes or places.

    Args:
        shown: settings by Plotly's axis letter, such as ``x2``.
        trials: they may have choices that the axis no longer has.
        measured: names of what is no setting, by axis letter, such as an objective's.
    """
    return {
        "axes": (measured or {}) | {letter: axis.path for letter, axis in shown.items()},
        "choices": {
            axis.path: [
                _plain(choice) for choice in choices_of(axis, trials.parameters.get(axis.path, ()))
            ]
            for axis in shown.values()
            if axis.kind == "choice"
        },
        "integers": [axis.path for axis in shown.values() if axis.kind == "int"],
        "logs": [axis.path for axis in shown.values() if axis.log],
    }


def _plain(choice: object) -> object:
    """Keep what JSON can say; print the rest."""
    return (
        choice
        if choice is None or isinstance(choice, str | int | float | list | tuple | dict)
        else str(choice)
    )


def value_axis(objective: Objective) -> dict[str, object]:
    """Lay out an axis of an objective's values."""
    title = {"text": objective.title, "standoff": 6}
    return {
        "title": title,
        "tickformat": objective.tick_format,
        "zeroline": False,
        "automargin": True,
    }


def objective_range(seen: Sequence[axes.Line], objective: Objective) -> axes.Range | None:
    """Choose the range of an axis of an objective's values: what matters of what is seen."""
    return axes.value_range(
        seen, better="high" if objective.maximize else "low", is_share=objective.is_share
    )


def study_layout(revision: str, **more: object) -> go.Layout:
    """Lay out what all figures of a study share; zoom, hidden lines and brushes are kept while ``revision`` stays the same."""
    return go.Layout(
        {
            "uirevision": revision,
            "margin": {"l": 52, "r": 10, "t": 34, "b": 44},
            "showlegend": True,
            "legend": {
                "orientation": "h",
                "x": 0,
                "y": 1.02,
                "yanchor": "bottom",
                "uirevision": "kept",
                "itemsizing": "constant",
            },
            "hovermode": "closest",
        }
        | more
    )


def say_empty(figure: go.Figure, text: str) -> go.Figure:
    """Write in the middle of a figure without data that there is none, and hide its scales."""
    figure.add_annotation(text=text, showarrow=False, xref="paper", yref="paper", x=0.5, y=0.5)
    figure.update_layout(showlegend=False)
    figure.update_xaxes(showticklabels=False, showgrid=False)
    figure.update_yaxes(showticklabels=False, showgrid=False)
    return figure


NOTHING_YET = "No trial has ended yet"
"""What figures of values say of a study that has just begun."""
