"""History of a study: the value of each trial by its number, and the best so far."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from mnist_dash.figures.base import axes
from mnist_dash.figures.base.axes import SMALLEST_ERROR
from mnist_dash.figures.study.drawing import (
    LOOKS,
    add_points,
    objective_range,
    points,
    say_empty,
    sentences,
    study_layout,
    value_axis,
)
from mnist_dash.figures.study.trials import Objective, Trials, running_best

ValueScale = Literal["linear", "log"]
"""``log``: of an accuracy the error, 1 - accuracy, so that the last tenths of a percent are seen; of others the value itself."""

RUG_HEIGHT = 0.035
VALUED = ("complete", "pruned", "stopped", "running")
VALUELESS = ("diverged", "failed")


def draw_history(
    trials: Trials,
    objective: Objective,
    *,
    column: int = 0,
    scale: ValueScale = "linear",
    selected: Collection[int] = (),
) -> go.Figure:
    """Draw values by trial number; trials that diverged or failed stand along the lower edge.

    Error bars are one standard deviation over seeds. A running trial stands where its curve is now. The figure's ``layout.meta`` names
    the axes ``number`` and the objective's name.

    Args:
        trials: of the study.
        objective: which.
        column: of ``trials.values``.
        scale: of the values; see `ValueScale`.
        selected: numbers of trials that stand out.
    """
    values = (
        trials.current()
        if column == 0
        else trials.values[:, column]
        if len(trials)
        else np.zeros(0)
    )
    is_error = scale == "log" and objective.is_share
    y = as_errors(values) if is_error else values
    figure = go.Figure(layout=_layout(objective, scale))
    drawable = np.isfinite(y) & ((y > 0) | (scale == "linear"))
    traces = _points(trials, objective, column, y, drawable=drawable, scale=scale)
    if not traces:
        return say_empty(figure, "No trial has a value yet")
    if line := _best_line(trials, objective, column, is_error=is_error):
        figure.add_trace(line)
    add_points(figure, traces, selected)
    if scale == "linear":
        seen = [
            axes.Line(
                trials.numbers.astype(np.float64),
                np.where(drawable, y, np.nan),
                LOOKS["complete"].color,
                is_curve=False,
            )
        ]
        shown = objective_range(seen, objective)
        figure.update_layout(yaxis=axes.range_of(shown))
        figure.add_traces(axes.edge_marks(seen, shown, is_share=objective.is_share))
    figure.update_layout(
        xaxis=axes.counted_axis("trial", float(trials.numbers.min()), float(trials.numbers.max()))
    )
    return figure


def as_errors(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Turn fractions that are right into fractions that are wrong, none smaller than a logarithmic scale can show."""
    return np.maximum(1 - values, SMALLEST_ERROR)


def _points(
    trials: Trials,
    objective: Objective,
    column: int,
    y: npt.NDArray[np.float64],
    *,
    drawable: npt.NDArray[np.bool_],
    scale: ValueScale,
) -> list[go.Scatter | go.Scattergl]:
    """Draw trials with a value at it, those without along the lower edge; a trace for each state."""
    traces = []
    numbers = trials.numbers.astype(np.float64)
    for state in VALUED:
        chosen = np.flatnonzero((trials.states == state) & drawable)
        if len(chosen):
            texts = sentences(trials, objective, chosen, column=column)
            trace = points(
                trials,
                chosen,
                numbers,
                y,
                look=LOOKS[state],
                name=state,
                texts=texts,
            )
            if state == "complete" and column == 0 and np.isfinite(trials.deviations[chosen]).any():
                trace.error_y = _error_bars(
                    y[chosen],
                    trials.deviations[chosen],
                    floor=SMALLEST_ERROR if scale == "log" else None,
                )
            traces.append(trace)
    for state in VALUELESS:
        chosen = np.flatnonzero(
            (trials.states == state)
            | ((trials.states == "complete") & ~drawable & (state == "diverged"))
        )
        if len(chosen):
            edge = np.full(len(trials), RUG_HEIGHT)
            texts = sentences(trials, objective, chosen, column=column)
            traces.append(
                points(
                    trials,
                    chosen,
                    numbers,
                    edge,
                    look=LOOKS[state],
                    name=f"{state}, no value",
                    texts=texts,
                    axes=("x", "y2"),
                )
            )
    return traces


def _best_line(
    trials: Trials, objective: Objective, column: int, *, is_error: bool
) -> go.Scatter | None:
    """Draw the steps of the best value so far: only the trials that improved on it, and the last one."""
    complete = trials.complete(column)
    if not complete.any():
        return None
    so_far = running_best(
        np.where(complete, trials.values[:, column], np.nan), maximize=objective.maximize
    )
    better = np.flatnonzero(
        np.isfinite(so_far) & (so_far != np.concatenate(([np.nan], so_far[:-1])))
    )
    corners = np.append(better, len(trials) - 1)
    heights = so_far[corners]
    return go.Scatter(
        x=trials.numbers[corners],
        y=as_errors(heights) if is_error else heights,
        mode="lines",
        name="best so far",
        uid="best so far",
        line={"width": 1.5, "shape": "hv"},
        meta={"color": "text"},
        text=[objective.write(height) for height in heights.tolist()],
        hovertemplate="best so far: %{text}<extra></extra>",
    )


def _error_bars(
    y: npt.NDArray[np.float64], deviations: npt.NDArray[np.float64], *, floor: float | None
) -> dict[str, object]:
    bars = np.where(np.isfinite(deviations), deviations, 0.0)
    down = bars if floor is None else np.minimum(bars, np.maximum(y - floor, 0))
    return {
        "type": "data",
        "symmetric": False,
        "array": bars,
        "arrayminus": down,
        "thickness": 1,
        "width": 0,
    }


def _layout(objective: Objective, scale: ValueScale) -> go.Layout:
    is_error = scale == "log" and objective.is_share
    y = value_axis(objective)
    if is_error:
        y |= {
            "title": {"text": f"error rate, 1 − {objective.title}", "standoff": 6},
            "autorange": "reversed",
        }
    return study_layout(
        f"history {scale} {objective.name}",
        xaxis={"title": {"text": "trial", "standoff": 6}, "zeroline": False},
        yaxis=y
        | ({"type": "log", "dtick": "D2", "exponentformat": "power"} if scale == "log" else {}),
        yaxis2={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
        meta={
            "axes": {"x": "number", "y": objective.name},
            "complements": ["y"] if is_error else [],
        },
    )
