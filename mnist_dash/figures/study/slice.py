"""Slices of a study: the value against each setting on its own."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np
import plotly.graph_objects as go

from mnist_dash.figures.base.axes import Line, edge_marks, range_of
from mnist_dash.figures.base.hover import hover_texts
from mnist_dash.figures.study.drawing import (
    LOOKS,
    NOTHING_YET,
    SVG_POINTS,
    Scale,
    add_points,
    axes_meta,
    axis_layout,
    color_bar,
    objective_range,
    points,
    positions_on,
    say_empty,
    sentences,
    spread,
    study_layout,
    value_axis,
)
from mnist_dash.figures.study.trials import Axis, Objective, Trials, titles

ROW_PIXELS = 220
MOST_TEXTS = 20_000
"""More points than this say number, state and value only: the configuration, once a setting, would weigh megabytes."""
_TOP, _BOTTOM = 34, 52


def slices_height(n_axes: int, n_columns: int = 2) -> int:
    """Give the height in pixels at which each row of slices can be read."""
    return ROW_PIXELS * max(1, math.ceil(n_axes / n_columns)) + 40


def draw_slices(
    trials: Trials,
    objective: Objective,
    axes: Sequence[Axis],
    *,
    column: int = 0,
    n_columns: int = 2,
    selected: Collection[int] = (),
) -> go.Figure:
    """Draw a chart a setting, all with the same axis of values; later trials are larger and stronger in colour.

    Pruned trials are crosses. Points of one choice are spread by the golden ratio of their number. A trial to which a setting does not
    apply is not in that setting's chart.

    Args:
        trials: of the study.
        objective: which.
        axes: one a chart, row by row.
        column: of ``trials.values``.
        n_columns: charts in a row.
        selected: numbers of trials that stand out.
    """
    letters = [
        ("x", "y") if place == 0 else (f"x{place + 1}", f"y{place + 1}")
        for place in range(len(axes))
    ]
    finite = np.isfinite(trials.values[:, column]) if len(trials) else np.zeros(0, dtype=bool)
    figure = go.Figure(layout=_layout(trials, objective, axes, letters, n_columns))
    groups = {
        state: np.flatnonzero((trials.states == state) & finite) for state in ("pruned", "complete")
    }
    total = sum(len(group) for group in groups.values())
    if not total or not axes:
        return say_empty(figure, NOTHING_YET)
    order = trials.numbers.astype(np.float64)
    scale = Scale(
        order, "trial", "d", low=float(order.min()), high=float(max(order.max(), order.min() + 1))
    )
    sizes = 5 + 4 * (order - order.min()) / max(float(np.ptp(order)), 1.0)
    is_small = total * len(axes) <= MOST_TEXTS
    traces = []
    for state, positions in groups.items():
        values = trials.values[positions, column].tolist()
        texts = (
            sentences(trials, objective, positions, column=column)
            if is_small
            else hover_texts(values, is_share=objective.is_share)
        )
        for place, (axis, pair) in enumerate(zip(axes, letters, strict=True)):
            x = spread(axis, positions_on(axis, trials), trials.numbers)
            template = (
                "%{text}<extra></extra>"
                if is_small
                else f"<b>trial %{{customdata}}</b>, {state}<br>{objective.title} %{{text}}<extra></extra>"
            )
            look = LOOKS[state]
            many = total * len(axes) > SVG_POINTS
            trace = points(trials, positions, x, trials.values[:, column], look=look, name=state, texts=texts, template=template,
                           sizes=sizes, scale=scale, many=many, axes=pair)  # fmt: skip
            trace.update(legendgroup=state, showlegend=place == 0 and len(positions) > 0)
            if place == 0 and state == "complete":
                trace.marker.update(showscale=True, colorbar=color_bar(scale))
            traces.append(trace)
    add_points(figure, traces, selected)
    drawn = np.isin(np.arange(len(trials)), np.concatenate(list(groups.values())))
    values = np.where(drawn, trials.values[:, column], np.nan)
    shown = objective_range([Line(order, values, is_curve=False)], objective)
    figure.update_yaxes(range_of(shown))
    for axis, pair in zip(axes, letters, strict=True):
        x = spread(axis, positions_on(axis, trials), trials.numbers)
        seen = [
            Line(
                x, np.where(np.isfinite(x), values, np.nan), LOOKS["complete"].color, is_curve=False
            )
        ]
        figure.add_traces(edge_marks(seen, shown, is_share=objective.is_share, axes=pair))
    return figure


def _layout(
    trials: Trials,
    objective: Objective,
    axes: Sequence[Axis],
    letters: list[tuple[str, str]],
    n_columns: int,
) -> go.Layout:
    height = slices_height(len(axes), n_columns) - _TOP - _BOTTOM
    n_rows = max(1, math.ceil(len(axes) / n_columns))
    gap_x, gap_y = 0.14 / n_columns, 62 / height if n_rows > 1 else 0.0
    wide, tall = (1 - gap_x * (n_columns - 1)) / n_columns, (1 - gap_y * (n_rows - 1)) / n_rows
    names, parts = titles(axes), {}
    for place, (axis, (x, y)) in enumerate(zip(axes, letters, strict=True)):
        row, at = divmod(place, n_columns)
        left, top = at * (wide + gap_x), 1 - row * (tall + gap_y)
        own = axis_layout(axis, trials, names[axis.path]) | {
            "anchor": y,
            "domain": [left, left + wide],
            "automargin": False,
        }
        parts[f"xaxis{x[1:]}"] = own
        value = value_axis(objective) | {
            "anchor": x,
            "domain": [max(top - tall, 0), min(top, 1)],
            "automargin": False,
        }
        value |= {
            "title": {"text": objective.title if at == 0 else "", "standoff": 4},
            "showticklabels": at == 0,
        }
        parts[f"yaxis{y[1:]}"] = value | ({"matches": "y"} if place else {})
    shown = {x: axis for axis, (x, _) in zip(axes, letters, strict=True)}
    meta = axes_meta(shown, trials, measured={y: objective.name for _, y in letters})
    revision = f"slices {objective.name} {' '.join(axis.path for axis in axes)}"
    return study_layout(
        revision, margin={"l": 60, "r": 10, "t": _TOP, "b": _BOTTOM}, meta=meta, **parts
    )
