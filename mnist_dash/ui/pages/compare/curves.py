"""The curves of the compared runs over each other, alone or as means and bands of groups."""

from __future__ import annotations

from typing import get_args

import numpy as np
import numpy.typing as npt
import streamlit as st

from mnist_dash.figures.compare.curves import (
    Axis,
    GroupLines,
    OverlayOptions,
    RunLine,
    draw_bands,
    draw_overlay,
)
from mnist_dash.glossary import help_for
from mnist_dash.runs.query.comparison import Compared
from mnist_dash.text import plural
from mnist_dash.ui.elements.live_plot import live_plot
from mnist_dash.ui.pages.compare.board import (
    NO_GROUPS,
    Board,
    Drawable,
    NamedGroup,
    choose,
    choose_grouping,
    figure_json,
    groups,
)

METRICS = {
    "val_accuracy": "validation accuracy",
    "val_loss": "validation loss",
    "train_accuracy": "training accuracy",
    "train_loss": "training loss",
    "running_accuracy": "training accuracy, running average",
    "running_loss": "training loss, running average",
    "test_accuracy": "test accuracy",
    "test_loss": "test loss",
}
_AXES: tuple[Axis, ...] = get_args(Axis)


def curves_view(board: Board) -> None:
    """Draw one figure of all runs by epoch, step, time or images."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        metric = choose("Metric", list(METRICS), "metric", named=METRICS.__getitem__, width=280)
        by = choose_grouping(board, alone=True)
        with st.popover("Axes", icon=":material/tune:"):
            axis = st.segmented_control(
                "X axis", _AXES, default="epoch", required=True, key="axis", bind="query-params"
            )
            log_x = st.toggle("Log x", key="logx", bind="query-params")
            log_y = st.toggle(
                "Log y",
                key="logy",
                bind="query-params",
                help="Draws the y axis logarithmically, an accuracy as its error rate 1 − accuracy.",
            )
            smoothing = st.slider(
                "Smoothing",
                0.0,
                0.95,
                0.0,
                0.05,
                key="smoothing",
                bind="query-params",
                help=help_for("smoothing"),
            )
    options = OverlayOptions(axis, "accuracy" in metric, bool(log_x), bool(log_y), float(smoothing))
    grouped = () if by == NO_GROUPS else groups(board, by)

    def build() -> Drawable:
        lines = {run.id: _line(board, run.id, metric, axis) for run in board.runs}
        alone = by == NO_GROUPS
        figure: Drawable = (
            draw_overlay(list(lines.values()), METRICS[metric], options)
            if alone
            else draw_bands([_band(group, lines) for group in grouped], METRICS[metric], options)
        )
        return figure

    what = plural(len(board.runs), "run") if by == NO_GROUPS else plural(len(grouped), "group")
    live_plot(
        figure_json(board, ("curves", metric, by, options), build),
        key="compare_curves",
        alt=f"{METRICS[metric]} of {what} by {axis}",
        height=480,
    )
    if by == NO_GROUPS:
        st.caption(
            "Drag over the chart to zoom, double-click to reset, click a name to hide its line."
        )
    else:
        st.caption(
            "The line is the mean over the group's runs, the band one standard deviation either way. A single run has no band."
        )
    if metric.startswith("test"):
        st.caption(
            "Do not choose a run or an epoch by these lines: the test set would no longer give an honest estimate."
        )


def _line(board: Board, run_id: str, metric: str, axis: Axis) -> RunLine:
    compared = board.compared
    rows = compared.history(run_id)
    x, y = positions(compared, run_id, axis), rows[metric].to_numpy(dtype=np.float64)
    return RunLine(run_id, board.names[run_id], board.looks[run_id], x, y)


def positions(compared: Compared, run_id: str, axis: Axis) -> npt.NDArray[np.float64]:
    """Say where a run's epochs lie along an axis, ``(n,)``."""
    rows = compared.history(run_id)
    if axis == "seconds":
        places = (rows["seconds_training"] + rows["seconds_evaluation"]).cumsum()
    elif axis == "images":
        places = rows["epoch"] * compared.run(run_id).config.n_training
    else:
        places = rows[axis]
    return np.asarray(places, dtype=np.float64)


def _band(named: NamedGroup, lines: dict[str, RunLine]) -> GroupLines:
    name = f"{named.letter}: {named.title}"
    return GroupLines(
        f"group {named.group.run_ids[0]}",
        name,
        named.look,
        tuple(lines[run_id] for run_id in named.group.run_ids),
    )
