"""Two objectives of a study against each other: the front of trials that none surpasses, and how it grows."""

from __future__ import annotations

import bisect
import math
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from mnist_dash.figures.base import axes
from mnist_dash.figures.study.drawing import (
    NOTHING_YET,
    Look,
    add_points,
    objective_range,
    points,
    say_empty,
    scatter_type,
    study_layout,
    value_axis,
)
from mnist_dash.figures.study.trials import Objective, Trials

FRONT, OTHERS = Look(1, "diamond", 10), Look(6, "circle", 5)


def pareto_front(
    values: npt.NDArray[np.float64], maximize: Sequence[bool]
) -> npt.NDArray[np.bool_]:
    """Mark the rows that no other row surpasses: one at least as good in every objective and better in one.

    Equal rows are all on the front or none is. A row with a value that is not finite is never on it.

    Args:
        values: ``(n, n_objectives)``.
        maximize: one an objective.
    """
    front = np.zeros(len(values), dtype=bool)
    finite = np.flatnonzero(np.isfinite(values).all(axis=1))
    if not len(finite):
        return front
    # In order of the first objective, then the next, no row is surpassed by a later one.
    costs = values[finite] * np.where(np.asarray(maximize, dtype=bool), -1.0, 1.0)
    order = np.lexsort(costs.T[::-1])
    # Sorted alike, equal rows once.
    unique, rows = np.unique(costs[order], axis=0, return_inverse=True)
    best = _front_of_two(unique) if unique.shape[1] <= 2 else _front_of_many(unique)
    front[finite[order]] = best[rows.ravel()]
    return front


def _front_of_two(costs: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Mark the front of distinct rows, sorted, of one or two costs: those with a lower last cost than all before."""
    last = costs[:, -1]
    before = np.concatenate(([np.inf], np.minimum.accumulate(last)[:-1]))
    return last < before


def _front_of_many(costs: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Mark the front of distinct rows, sorted: take the first that is left, drop all that it surpasses."""
    front = np.zeros(len(costs), dtype=bool)
    left = np.arange(len(costs))
    while len(left):
        front[left[0]] = True
        left = left[(costs[left] < costs[left[0]]).any(axis=1)]
    return front


def hypervolume_history(
    values: npt.NDArray[np.float64], maximize: Sequence[bool], reference: Sequence[float]
) -> npt.NDArray[np.float64]:
    """Give the area between the front of the rows so far and a reference point, ``(n,)``; exact, for two objectives.

    A row that is not finite, or not better than the reference in both objectives, adds nothing.

    Args:
        values: ``(n, 2)``, in the order in which they came.
        maximize: one an objective.
        reference: one an objective.

    Raises:
        ValueError: there are not two objectives.
    """
    if values.ndim != 2 or values.shape[1] != 2:
        raise ValueError(
            f"The hypervolume needs two objectives, not {values.shape[-1]}. Choose two of them."
        )
    signs = np.where(np.asarray(maximize, dtype=bool), 1.0, -1.0)
    gains = (
        values - np.asarray(reference, dtype=np.float64)
    ) * signs  # both larger is better, the reference is the origin
    history, area = np.zeros(len(values)), 0.0
    xs: list[float] = []  # of the front, ascending; the y of the same places descend
    ys: list[float] = []
    for index, (x, y) in enumerate(gains.tolist()):
        if math.isfinite(x) and math.isfinite(y) and x > 0 and y > 0:
            area += _insert(xs, ys, x, y)
        history[index] = area
    return history


def _insert(xs: list[float], ys: list[float], x: float, y: float) -> float:
    """Put a point into a front, remove those that it surpasses, and give the area that is won."""
    end = bisect.bisect_left(xs, x)
    if end < len(xs) and ys[end] >= y:
        return 0.0
    stop = end + 1 if end < len(xs) and xs[end] == x else end
    start = end
    while start > 0 and ys[start - 1] <= y:
        start -= 1
    left = xs[start - 1] if start else 0.0
    won, covered = 0.0, left
    for place in range(start, stop):
        won += (xs[place] - covered) * (y - ys[place])
        covered = xs[place]
    won += (x - covered) * (y - (ys[stop] if stop < len(ys) else 0.0))
    xs[start:stop], ys[start:stop] = [x], [y]
    return won


def draw_pareto(
    trials: Trials,
    objectives: tuple[Objective, Objective],
    *,
    columns: tuple[int, int] = (0, 1),
    selected: Collection[int] = (),
) -> go.Figure:
    """Draw all complete trials; those on the front are larger diamonds, and a stair bounds what they dominate.

    Args:
        trials: of the study.
        objectives: along x and along y.
        columns: of ``trials.values``, for each.
        selected: numbers of trials that stand out.
    """
    x_of, y_of = objectives
    figure = go.Figure(
        layout=study_layout(
            f"pareto {x_of.name} {y_of.name}",
            xaxis=value_axis(x_of),
            yaxis=value_axis(y_of),
            meta={"axes": {"x": x_of.name, "y": y_of.name}},
        )
    )
    pair = trials.values[:, list(columns)] if len(trials) else np.zeros((0, 2))
    complete = (trials.states == "complete") & np.isfinite(pair).all(axis=1)
    if not complete.any():
        return say_empty(figure, NOTHING_YET)
    pair = np.where(complete[:, None], pair, np.nan)
    front = pareto_front(pair, [objective.maximize for objective in objectives])
    corners = np.flatnonzero(front)[np.argsort(pair[front, 0], kind="stable")]
    shape = "vh" if x_of.maximize else "hv"
    line = {"width": 1.5, "shape": shape}
    stair = {
        "mode": "lines",
        "line": line,
        "showlegend": False,
        "hoverinfo": "skip",
        "uid": "stair",
        "meta": {"color": FRONT.color},
    }
    figure.add_trace(go.Scatter(x=pair[corners, 0], y=pair[corners, 1], **stair))
    traces = []
    for mask, look, name in ((complete & ~front, OTHERS, "dominated"), (front, FRONT, "front")):
        positions = np.flatnonzero(mask)
        if len(positions):
            texts = _sentences(trials, objectives, positions, pair, name)
            title = f"{name} ({len(positions):,})"
            traces.append(
                points(
                    trials, positions, pair[:, 0], pair[:, 1], look=look, name=title, texts=texts
                )
            )
            traces[-1].uid = name
    add_points(figure, traces, selected)
    _choose_ranges(figure, objectives, pair, front)
    return figure


def _choose_ranges(
    figure: go.Figure,
    objectives: tuple[Objective, Objective],
    pair: npt.NDArray[np.float64],
    front: npt.NDArray[np.bool_],
) -> None:
    """Show all of the front, and of the other trials all but the outliers, which are marked at the edges."""
    x, y = pair.T
    across, upwards = (
        [
            axes.Line(other, np.where(front, values, np.nan), FRONT.color, is_kept=True),
            axes.Line(other, np.where(front, np.nan, values), OTHERS.color, is_curve=False),
        ]
        for other, values in ((y, x), (x, y))
    )
    shown_x, shown_y = (
        objective_range(seen, objective)
        for seen, objective in zip((across, upwards), objectives, strict=True)
    )
    figure.update_layout(xaxis=axes.range_of(shown_x), yaxis=axes.range_of(shown_y))
    figure.add_traces(axes.edge_marks(upwards, shown_y, is_share=objectives[1].is_share))
    figure.add_traces(
        axes.edge_marks_across(across, shown_x, is_share=objectives[0].is_share, upright=shown_y)
    )


def _sentences(
    trials: Trials,
    objectives: tuple[Objective, Objective],
    positions: npt.NDArray[np.intp],
    pair: npt.NDArray[np.float64],
    name: str,
) -> list[str]:
    x_of, y_of = objectives
    rows = zip(
        positions.tolist(),
        trials.numbers[positions].tolist(),
        pair[positions].tolist(),
        strict=True,
    )
    return [
        f"<b>trial {number}</b>, complete, {name}<br>{x_of.title} {x_of.write_exactly(x)}<br>{y_of.title} {y_of.write_exactly(y)}"
        f"<br>{trials.hovers[position]}"
        for position, number, (x, y) in rows
    ]


def draw_hypervolume(
    trials: Trials,
    objectives: tuple[Objective, Objective],
    reference: Sequence[float],
    *,
    columns: tuple[int, int] = (0, 1),
) -> go.Figure:
    """Draw by trial number the area that the front of the complete trials encloses with a reference point.

    Args:
        trials: of the study.
        objectives: two of them.
        reference: one value an objective, worse than what is hoped for.
        columns: of ``trials.values``, for each objective.
    """
    figure = go.Figure(
        layout=study_layout(
            "hypervolume",
            showlegend=False,
            xaxis={"title": {"text": "trial", "standoff": 6}, "zeroline": False},
            yaxis={
                "title": {"text": "hypervolume", "standoff": 6},
                "zeroline": False,
                "rangemode": "tozero",
                "automargin": True,
            },
            meta={"axes": {"x": "number"}},
        )
    )
    pair = trials.values[:, list(columns)] if len(trials) else np.zeros((0, 2))
    complete = (trials.states == "complete") & np.isfinite(pair).all(axis=1)
    if not complete.any():
        return say_empty(figure, NOTHING_YET)
    history = hypervolume_history(
        np.where(complete[:, None], pair, np.nan),
        [objective.maximize for objective in objectives],
        reference,
    )
    figure.add_trace(
        scatter_type(len(trials))(
            x=trials.numbers,
            y=history,
            mode="lines",
            line={"width": 2, "shape": "hv"},
            uid="hypervolume",
            meta={"color": 0},
            customdata=trials.numbers,
            hovertemplate="<b>trial %{customdata}</b><br>hypervolume %{y}<extra></extra>",
        )
    )
    return axes.count_along_x(figure, "trial")
