"""A race: the curves of all values of one hyperparameter on one chart, and the outcome against the value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from mnist_dash.figures.base.axes import counted_axis
from mnist_dash.figures.base.curves import smooth
from mnist_dash.figures.base.hover import hover_texts
from mnist_dash.figures.study.drawing import LOOKS, say_empty, study_layout, write_choice
from mnist_dash.figures.study.trials import Objective

Array = npt.NDArray[np.float64]
Metric = Literal["accuracy", "loss"]
Outcome = Literal["best", "final"]
SMOOTHING = 0.9
"""Of the batches' own values; the epochs are drawn as they were measured."""
MOST_POINTS = 150
"""Of a line by step."""
_ENDED_EARLY = ("pruned", "stopped", "diverged", "failed")
_GOOD_ACCURACY = 0.9
_CLIPPED_ACCURACY = 0.6
"""Once somebody is as good as `_GOOD_ACCURACY`, the axis begins here at the lowest: a loser's whole curve is no outlier of its own."""
_LOG_RATIO = 8.0
"""From this ratio of the largest value to the least on, values stand on a logarithmic axis."""


@dataclass(frozen=True)
class SeedCurves:
    """One run of a contestant.

    Attributes:
        steps: ``(n, 2)``: epochs trained, and the batch's value.
        epochs: ``(m,)`` validation values, from epoch 1.
    """

    steps: Array
    epochs: Array


@dataclass(frozen=True)
class Contestant:
    """One value of the hyperparameter, with the runs of its seeds."""

    number: int
    """Of the trial."""
    value: object
    label: str
    state: str
    runs: tuple[SeedCurves, ...]

    def outcomes(self, outcome: Outcome, *, maximize: bool) -> Array:
        """Give the best or the last validation value of each run that has finished an epoch, ``(k,)``."""
        ended = [run.epochs[np.isfinite(run.epochs)] for run in self.runs]
        choose = (np.max if maximize else np.min) if outcome == "best" else _last
        return np.array([float(choose(values)) for values in ended if len(values)])


def _last(values: Array) -> float:
    return float(values[-1])


def leader(
    contestants: Sequence[Contestant], outcome: Outcome, *, maximize: bool
) -> Contestant | None:
    """Find the contestant with the best mean outcome, the first of equals; None before an epoch is finished."""
    sign = -1 if maximize else 1
    means = [
        (sign * values.mean(), index)
        for index, one in enumerate(contestants)
        if len(values := one.outcomes(outcome, maximize=maximize))
    ]
    return contestants[min(means)[1]] if means else None


def draw_race(contestants: Sequence[Contestant], metric: Metric, *, n_epochs: int) -> go.Figure:
    """Draw the curves of all contestants by epoch, coloured by the order of their values.

    A thin line is the training metric by batch, smoothed; a strong one with symbols the validation metric by epoch. One that ended
    early has a cross at its end.

    Args:
        contestants: in the order of their values; curves are those of `metric`.
        metric: names the axis.
        n_epochs: that a run has, for the axis.
    """
    is_share = metric == "accuracy"
    y: dict[str, object] = {
        "title": {"text": metric, "standoff": 6},
        "zeroline": False,
        "automargin": True,
    }
    y |= {"tickformat": ".2~%"} if is_share else {"type": "log", "dtick": "D2"}
    figure = go.Figure(
        layout=study_layout(
            f"race {metric}",
            xaxis=counted_axis("epoch", 0, n_epochs, margin=0),
            yaxis=y,
            legend=_legend(),
        )
    )
    if not any(len(run.steps) for one in contestants for run in one.runs):
        return say_empty(figure, "Waiting for the first steps")
    for index, one in enumerate(contestants):
        shade = _shade(index, len(contestants))
        figure.add_traces(
            [*_batches(one, shade), *_by_epoch(one, shade, is_share=is_share), *_cross(one, shade)]
        )
    if is_share and any(
        len(run.epochs) and run.epochs.max() >= _GOOD_ACCURACY
        for one in contestants
        for run in one.runs
    ):
        figure.update_yaxes(autorangeoptions={"clipmin": _CLIPPED_ACCURACY, "clipmax": 1.005})
    return figure


def _legend() -> dict[str, object]:
    return {
        "orientation": "h",
        "x": 0,
        "y": 1.02,
        "yanchor": "bottom",
        "uirevision": "kept",
        "itemsizing": "constant",
    }


def _shade(index: int, n: int) -> float:
    return index / max(1, n - 1)


def _batches(one: Contestant, shade: float) -> list[go.Scatter]:
    """Draw the runs by step, as one line with gaps between the seeds."""
    x: list[float] = []
    y: list[float] = []
    for run in one.runs:
        if not len(run.steps):
            continue
        values = np.asarray(smooth(run.steps[:, 1].tolist(), SMOOTHING))
        kept = np.unique(
            np.linspace(0, len(values) - 1, min(len(values), MOST_POINTS)).round().astype(int)
        )
        x += [*run.steps[kept, 0].tolist(), math.nan]
        y += [*values[kept].tolist(), math.nan]
    has_epochs = any(len(run.epochs) for run in one.runs)
    return [
        go.Scatter(
            x=x,
            y=y,
            mode="lines",
            name=one.label,
            uid=f"{one.number} batches",
            legendgroup=one.label,
            showlegend=not has_epochs,
            line={"width": 1.5},
            opacity=0.5 if has_epochs else 0.9,
            connectgaps=False,
            hoverinfo="skip",
            meta={"shade": shade},
        )
    ]


def _by_epoch(one: Contestant, shade: float, *, is_share: bool) -> list[go.Scatter]:
    """Draw the validation values by epoch, the mean over the seeds."""
    means = _mean_by_epoch(one)
    if not len(means):
        return []
    return [
        go.Scatter(
            x=list(range(1, len(means) + 1)),
            y=means.tolist(),
            mode="lines+markers",
            name=one.label,
            uid=f"{one.number} validation",
            legendgroup=one.label,
            line={"width": 2.5, "dash": "dot" if one.state in _ENDED_EARLY else "solid"},
            marker={"size": 7, "symbol": LOOKS["complete"].symbol},
            text=hover_texts(means.tolist(), is_share=is_share),
            hovertemplate=f"<b>{one.label}</b><br>epoch %{{x}}: %{{text}}<extra></extra>",
            customdata=[one.number] * len(means),
            meta={"shade": shade},
        )
    ]


def _cross(one: Contestant, shade: float) -> list[go.Scatter]:
    """Mark where one that ended early ended."""
    if one.state not in _ENDED_EARLY:
        return []
    means = _mean_by_epoch(one)
    ends = [
        (float(run.steps[-1, 0]), smooth(run.steps[:, 1].tolist(), SMOOTHING)[-1])
        for run in one.runs
        if len(run.steps)
    ]
    end = (float(len(means)), float(means[-1])) if len(means) else max(ends, default=None)
    if end is None:
        return []
    return [
        go.Scatter(
            x=[end[0]],
            y=[end[1]],
            mode="markers",
            uid=f"{one.number} end",
            name=f"{one.label}, {one.state}",
            legendgroup=one.label,
            showlegend=False,
            marker={"size": 11, "symbol": "x-thin-open", "line": {"width": 2.5}},
            hovertemplate=f"<b>{one.label}</b>, {one.state}<extra></extra>",
            customdata=[one.number],
            meta={"shade": shade},
        )
    ]


def _mean_by_epoch(one: Contestant) -> Array:
    """Average the validation values of the epochs that all seeds have."""
    known = [run.epochs for run in one.runs if len(run.epochs)]
    if not known or len(known) < len(one.runs):
        return np.zeros(0)
    length = min(len(values) for values in known)
    return np.asarray(np.mean([values[:length] for values in known], axis=0))


def draw_outcome(
    contestants: Sequence[Contestant],
    objective: Objective,
    outcome: Outcome,
    *,
    title: str,
    own: object = None,
    own_label: str = "now",
) -> go.Figure:
    """Draw the best or the final validation value against the hyperparameter, with the standard deviation over the seeds as a band.

    Args:
        contestants: in the order of their values; curves are those of `objective`.
        objective: names and directs the outcome.
        outcome: which value of each run.
        title: of the hyperparameter.
        own: the value to mark, which the network has without the race.
        own_label: what is written at it.
    """
    if not contestants:
        return say_empty(go.Figure(layout=study_layout("outcome")), "No value has begun yet")
    places, axis = _axis([one.value for one in contestants], [one.label for one in contestants])
    y: dict[str, object] = {
        "title": {"text": objective.title, "standoff": 6},
        "tickformat": objective.tick_format,
    }
    y |= {"zeroline": False, "automargin": True} | (
        {"autorangeoptions": {"clipmin": 0, "clipmax": 1.005}} if objective.is_share else {}
    )
    x = axis | {"title": {"text": title, "standoff": 6}, "zeroline": False, "automargin": True}
    more = {"showlegend": False, "margin": {"l": 52, "r": 10, "t": 8, "b": 44}}
    figure = go.Figure(layout=study_layout(f"outcome {objective.name} {outcome}", xaxis=x, yaxis=y))
    figure.update_layout(more)
    found = [
        (place, one, index)
        for index, (place, one) in enumerate(zip(places, contestants, strict=True))
    ]
    known = [
        (place, one, index, values)
        for place, one, index in found
        if len(values := one.outcomes(outcome, maximize=objective.maximize))
    ]
    if not known:
        return say_empty(figure, "No value has finished an epoch yet")
    _mark_own(figure, contestants, places, own, own_label, is_log=axis.get("type") == "log")
    xs, means = [place for place, *_ in known], [float(values.mean()) for *_, values in known]
    deviations = [float(values.std(ddof=1)) if len(values) > 1 else 0.0 for *_, values in known]
    figure.add_traces([*_band(xs, means, deviations), _joined(xs, means)])
    for (place, one, index, values), mean, deviation in zip(known, means, deviations, strict=True):
        figure.add_trace(
            _point(
                place,
                one,
                mean,
                deviation,
                objective,
                shade=_shade(index, len(contestants)),
                n_seeds=len(values),
            )
        )
    best = leader(contestants, outcome, maximize=objective.maximize)
    if best is not None:
        at = [one for _, one, *_ in known].index(best)
        figure.add_trace(_star(xs[at], means[at], f"{best.label}: {objective.write(means[at])}"))
    return figure


def _axis(values: Sequence[object], labels: Sequence[str]) -> tuple[list[float], dict[str, object]]:
    """Place values along their axis: numbers where they are, others side by side."""
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        span = {"range": [-0.5, len(values) - 0.5], "tickvals": list(range(len(values)))}
        return [float(index) for index in range(len(values))], span | {
            "ticktext": [write_choice(label) for label in labels]
        }
    numbers = [float(str(value)) for value in values]
    low, high = min(numbers), max(numbers)
    if low > 0 and high / low >= _LOG_RATIO:
        ends = [math.log10(low), math.log10(high)]
        margin = 0.05 * (ends[1] - ends[0])
        return numbers, {
            "type": "log",
            "range": [ends[0] - margin, ends[1] + margin],
            "tickvals": numbers,
            "ticktext": list(labels),
        }
    margin = 0.05 * (high - low)
    return numbers, {
        "range": [low - margin, high + margin],
        "tickvals": numbers,
        "ticktext": list(labels),
    }


def _mark_own(
    figure: go.Figure,
    contestants: Sequence[Contestant],
    places: Sequence[float],
    own: object,
    label: str,
    *,
    is_log: bool,
) -> None:
    place = next(
        (
            place
            for place, one in zip(places, contestants, strict=True)
            if own is not None and one.value == own
        ),
        None,
    )
    if place is None:
        return
    figure.add_shape(
        type="line",
        x0=place,
        x1=place,
        y0=0,
        y1=1,
        yref="paper",
        opacity=0.4,
        line={"width": 1, "dash": "dot"},
    )
    at = math.log10(place) if is_log else place
    figure.add_annotation(
        x=at,
        y=0,
        yref="paper",
        yanchor="bottom",
        text=label,
        showarrow=False,
        font={"size": 11},
        xanchor="left",
        xshift=3,
    )


def _band(
    x: Sequence[float], means: Sequence[float], deviations: Sequence[float]
) -> list[go.Scatter]:
    """Draw what lies within one standard deviation; nothing with one seed."""
    if not any(deviations):
        return []
    edges = {
        "below": [mean - one for mean, one in zip(means, deviations, strict=True)],
        "above": [mean + one for mean, one in zip(means, deviations, strict=True)],
    }
    return [
        go.Scatter(
            x=list(x),
            y=values,
            mode="lines",
            name=f"one standard deviation {name}",
            uid=f"band {name}",
            line={"width": 0},
            fill="tonexty" if name == "above" else None,
            fillcolor="rgba(128,128,128,0.22)" if name == "above" else None,
            hoverinfo="skip",
            meta={"color": "text"},
        )
        for name, values in edges.items()
    ]


def _joined(x: Sequence[float], means: Sequence[float]) -> go.Scatter:
    return go.Scatter(
        x=list(x),
        y=list(means),
        mode="lines",
        name="mean",
        uid="mean",
        line={"width": 1.5},
        opacity=0.45,
        hoverinfo="skip",
        meta={"color": "text"},
    )


def _point(
    place: float,
    one: Contestant,
    mean: float,
    deviation: float,
    objective: Objective,
    *,
    shade: float,
    n_seeds: int,
) -> go.Scatter:
    spread = f" ± {objective.write_exactly(deviation)}, {n_seeds} seeds" if n_seeds > 1 else ""
    return go.Scatter(
        x=[place],
        y=[mean],
        mode="markers",
        name=one.label,
        uid=f"{one.number} outcome",
        marker={
            "size": 11,
            "symbol": LOOKS["pruned"].symbol if one.state in _ENDED_EARLY else "circle",
        },
        text=[
            f"<b>{one.label}</b>, {one.state}<br>{objective.title} {objective.write_exactly(mean)}{spread}"
        ],
        hovertemplate="%{text}<extra></extra>",
        customdata=[one.number],
        meta={"shade": shade},
    )


def _star(place: float, mean: float, text: str) -> go.Scatter:
    return go.Scatter(
        x=[place],
        y=[mean],
        mode="markers+text",
        name="best",
        uid="best",
        marker={"size": 20, "symbol": "star-open", "line": {"width": 2}},
        text=[text],
        textposition="bottom center",
        hoverinfo="skip",
        cliponaxis=False,
        meta={"color": "text"},
    )
