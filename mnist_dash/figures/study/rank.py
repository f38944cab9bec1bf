"""Ranks of a study's trials over two settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import plotly.graph_objects as go

from mnist_dash.figures.study.contour import place_on_plane, plane_layout
from mnist_dash.figures.study.drawing import (
    LOOKS,
    NOTHING_YET,
    Scale,
    add_points,
    color_bar,
    points,
    say_empty,
    sentences,
)
from mnist_dash.figures.study.trials import Axis, Objective, Trials, ranking


def draw_rank(
    trials: Trials,
    objective: Objective,
    x_axis: Axis,
    y_axis: Axis,
    *,
    column: int = 0,
    names: Mapping[str, str] | None = None,
    selected: Collection[int] = (),
) -> go.Figure:
    """Draw complete trials over two settings; the better a trial's rank, the larger and the stronger in colour its point.

    Args:
        trials: of the study.
        objective: which.
        x_axis: setting along x.
        y_axis: setting along y.
        column: of ``trials.values``.
        names: titles by path, where other settings of the study have to be told apart from these two.
        selected: numbers of trials that stand out.
    """
    figure = go.Figure(layout=plane_layout("rank", trials, objective, x_axis, y_axis, names=names))
    x, y, placed = place_on_plane(trials, x_axis, y_axis)
    best_first = ranking(trials, objective, column=column)
    shares = np.zeros(len(trials))  # 1 for the best, 0 for the worst
    shares[best_first] = 1 - np.arange(len(best_first)) / max(len(best_first) - 1, 1)
    drawn = best_first[::-1]  # the best on top
    drawn = drawn[placed[drawn]]
    if not len(drawn):
        return say_empty(figure, NOTHING_YET)
    ranks = np.zeros(len(trials), dtype=np.int64)
    ranks[best_first] = np.arange(1, len(best_first) + 1)
    said = zip(
        sentences(trials, objective, drawn, column=column), ranks[drawn].tolist(), strict=True
    )
    texts = [f"rank {rank:,} of {len(best_first):,}<br>{sentence}" for sentence, rank in said]
    scale = Scale(shares, "", low=0.0, high=1.0)
    trace = points(
        trials,
        drawn,
        x,
        y,
        look=LOOKS["complete"],
        name="complete",
        texts=texts,
        sizes=5 + 6 * shares**2,
        scale=scale,
    )
    bar = color_bar(scale, ticks=[0, 0.5, 1], tick_texts=["worst", "median", "best"])
    trace.marker.update(showscale=True, colorbar=bar, line={"width": 0.5})
    add_points(figure, [trace], selected)
    figure.update_layout(showlegend=False)
    return figure
