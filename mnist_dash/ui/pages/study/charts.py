"""The charts of a study's page: the course of the search, the hyperparameters, the timeline, the Pareto front."""

from __future__ import annotations

import html
from collections.abc import Callable
from itertools import combinations
from typing import Protocol

import numpy as np
import streamlit as st

from mnist_dash import formatting
from mnist_dash.figures.study import trials as figures
from mnist_dash.figures.study.contour import draw_contour
from mnist_dash.figures.study.curves import draw_intermediate
from mnist_dash.figures.study.edf import draw_edf
from mnist_dash.figures.study.history import ValueScale, draw_history
from mnist_dash.figures.study.importance import draw_importances
from mnist_dash.figures.study.parallel import draw_parallel_coordinates
from mnist_dash.figures.study.pareto import draw_hypervolume, draw_pareto
from mnist_dash.figures.study.rank import draw_rank
from mnist_dash.figures.study.slice import draw_slices, slices_height
from mnist_dash.figures.study.timeline import draw_timeline
from mnist_dash.glossary import help_for
from mnist_dash.reports.study_snapshot import Snapshot
from mnist_dash.search.studies.insight import MIN_TRIALS, importances
from mnist_dash.search.studies.records import TrialState
from mnist_dash.text import plural
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.elements.live_plot import Interaction, interactive_plot
from mnist_dash.ui.pages.study.selection import selected, toggle
from mnist_dash.ui.pages.study.steer import picked, take_brush, take_place

TOPS = {"all": None, "best 500": 500, "best 100": 100, "best 20": 20}
CROWDED = 500
"""Complete trials from which on charts of the settings begin with the best of them."""
EVENTS_SHOWN = 30


class _Json(Protocol):
    """A Plotly figure."""

    def to_json(self) -> str:
        """Write it for the browser."""


def progress_view(board: Snapshot) -> None:
    """Draw the history, the learning curves and the importances."""
    column = chosen_objective(board)
    objective = board.objectives[column]
    is_error = objective.is_share and st.toggle("Log error rate", key="errors", bind="query-params")
    scale: ValueScale = "log" if is_error else "linear"
    _chart(
        board,
        "history",
        lambda chosen: draw_history(
            board.columns, objective, column=column, scale=scale, selected=chosen
        ),
        options=(column, scale),
        height=380,
        alt=f"{objective.title} by trial, with the best value so far",
    )
    picked(board)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown("**Learning curves**")
        if any(trial.curve for trial in board.trials):
            _chart(
                board,
                "curves",
                lambda chosen: draw_intermediate(
                    board.columns, board.objectives[0], scale=scale, selected=chosen
                ),
                options=(scale,),
                height=340,
                alt=f"{board.objectives[0].title} by epoch of each trial",
            )
        else:
            st.caption(
                "Learning curves appear after the first epoch, for objectives that are measured in every epoch."
            )
    with right:
        st.markdown("**Hyperparameter importance**")
        _importances(board, column)


def settings_view(board: Snapshot) -> None:
    """Draw what each setting does, alone and in pairs."""
    column = chosen_objective(board)
    objective = board.objectives[column]
    top = _top(board, column)
    trials = (
        board.columns if top is None else figures.best(board.columns, objective, top, column=column)
    )
    st.markdown("**Parallel coordinates**")
    _chart(
        board,
        "parallel",
        lambda _: draw_parallel_coordinates(trials, objective, board.axes, column=column),
        options=(column, top),
        height=380,
        alt="Parallel coordinates: one line per trial across all hyperparameters",
    )
    st.caption(
        "One line per trial, coloured by its value. Drag along an axis to mark a range: the other lines fade, and you can narrow the "
        "search to that range."
    )
    st.markdown("**Single hyperparameters**")
    _chart(
        board,
        "slices",
        lambda chosen: draw_slices(trials, objective, board.axes, column=column, selected=chosen),
        options=(column, top),
        height=slices_height(len(board.axes)),
        alt=f"{objective.title} by each hyperparameter",
        brushable=True,
    )
    st.caption("Click a point to select its trial. Drag a box to narrow the search to it.")
    picked(board)
    if len(board.axes) > 1:
        _pairs(board, trials, objective, column, top)


def _pairs(
    board: Snapshot,
    trials: figures.Trials,
    objective: figures.Objective,
    column: int,
    top: int | None,
) -> None:
    st.markdown("**Pairs of hyperparameters**")
    x, y = _pair(board)
    names = figures.titles(board.axes)
    left, right = st.columns(2, gap="large")
    with left:
        done = _chart(
            board,
            "contour",
            lambda chosen: draw_contour(
                trials, objective, x, y, column=column, names=names, selected=chosen
            ),
            options=(column, top, x.path, y.path),
            height=420,
            alt=f"{objective.title} over {x.title} and {y.title}",
            brushable=True,
        )
        if done.placed is not None:
            take_place(board, {x.path: done.placed[0], y.path: done.placed[1]})
        st.caption(
            "Click an empty place to enqueue a trial there. Drag a box to narrow the search to it."
        )
    with right:
        _chart(
            board,
            "rank",
            lambda chosen: draw_rank(
                trials, objective, x, y, column=column, names=names, selected=chosen
            ),
            options=(column, top, x.path, y.path),
            height=420,
            alt=f"Rank of {objective.title} over {x.title} and {y.title}",
            brushable=True,
        )
        st.caption("The same trials, coloured by rank.")


def time_view(board: Snapshot) -> None:
    """Draw the timeline, what was done when, and the distribution of the figures."""
    st.markdown("**Timeline**")
    events = [(event.at, html.escape(event.sentence)) for event in board.events]
    _chart(
        board,
        "timeline",
        lambda chosen: draw_timeline(
            board.columns, board.objectives[0], events=events, selected=chosen
        ),
        height=320,
        alt="When each trial ran, and the events of the study",
    )
    picked(board)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Events**")
        for event in reversed(board.events[-EVENTS_SHOWN:]):
            st.markdown(f":gray[{formatting.moment(event.at)}] {formatting.plain(event.sentence)}")
        if len(board.events) > EVENTS_SHOWN:
            st.caption(f"{plural(len(board.events) - EVENTS_SHOWN, 'earlier event')} not shown")
    with right:
        st.markdown("**Empirical distribution**")
        column = chosen_objective(board)
        _chart(
            board,
            "edf",
            lambda chosen: draw_edf(
                board.columns, board.objectives[column], column=column, selected=chosen
            ),
            options=(column,),
            height=320,
            alt=f"Fraction of the trials by {board.objectives[column].title}",
        )


def front_view(board: Snapshot) -> None:
    """Draw what is traded for what: the Pareto front, and how its hypervolume grew."""
    pairs = list(combinations(range(len(board.objectives)), 2))
    titles = [
        f"{board.objectives[one].title} and {board.objectives[other].title}" for one, other in pairs
    ]
    one, other = (
        pairs[0]
        if len(pairs) == 1
        else pairs[
            titles.index(str(st.selectbox("Objectives", titles, key="front", bind="query-params")))
        ]
    )
    pair = (board.objectives[one], board.objectives[other])
    _chart(
        board,
        "pareto",
        lambda chosen: draw_pareto(board.columns, pair, columns=(one, other), selected=chosen),
        options=(one, other),
        height=460,
        alt=f"{pair[0].title} against {pair[1].title}, with the Pareto front",
    )
    st.caption(
        "No trial is better than those on the front in both objectives. Click a point to select its trial."
    )
    picked(board)
    complete = board.columns.values[board.columns.complete(None)]
    if len(complete) < 2:
        return
    st.markdown("**Hypervolume by trial**")
    corner = [
        float(np.min(complete[:, at]) if goal.maximize else np.max(complete[:, at]))
        for at, goal in zip((one, other), pair, strict=True)
    ]
    _chart(
        board,
        "hypervolume",
        lambda _: draw_hypervolume(board.columns, pair, corner, columns=(one, other)),
        options=(one, other),
        height=260,
        alt="Hypervolume of the Pareto front by trial",
    )
    st.caption(help_for("hypervolume"))


def chosen_objective(board: Snapshot) -> int:
    """Offer the objectives where there are several; the address keeps the choice."""
    if len(board.objectives) == 1:
        return 0
    titles = [objective.title for objective in board.objectives]
    chosen = st.segmented_control(
        "Objective", titles, default=titles[0], required=True, key="objective", bind="query-params"
    )
    return titles.index(str(chosen))


def _top(board: Snapshot, column: int) -> int | None:
    n_complete = int(board.columns.complete(column).sum())
    if n_complete <= min(top for top in TOPS.values() if top is not None):
        return None
    default = f"best {CROWDED}" if n_complete > CROWDED else "all"
    return TOPS[
        str(
            st.segmented_control(
                "Trials", TOPS, default=default, required=True, key="top", bind="query-params"
            )
        )
    ]


def _pair(board: Snapshot) -> tuple[figures.Axis, figures.Axis]:
    names = figures.titles(board.axes)
    by_title = {names[axis.path]: axis for axis in board.axes}
    titles = list(by_title)
    with st.container(horizontal=True):
        x = st.selectbox("X axis", titles, index=0, key="x", bind="query-params")
        y = st.selectbox("Y axis", titles, index=1, key="y", bind="query-params")
    return by_title[str(x)], by_title[str(y)]


def _importances(board: Snapshot, column: int) -> None:
    rated = _rated(
        store().settings.database_url, board.study.id, board.study.revision, column, _board=board
    )
    if not rated:
        st.caption(f"Available after {MIN_TRIALS} complete trials.")
        return
    _chart(
        board,
        "importances",
        lambda _: draw_importances(rated, figures.titles(board.axes)),
        options=(column,),
        height=60 + 34 * len(rated),
        alt="Hyperparameter importance",
    )
    st.caption(help_for("hyperparameter importance"))


@st.cache_data(show_spinner=False, max_entries=64)
def _rated(
    _database_url: str,
    study_id: str,  # noqa: ARG001 - the cache's key
    revision: int,  # noqa: ARG001 - the cache's key
    column: int,
    *,
    _board: Snapshot,
) -> dict[str, float]:
    sign = -1 if _board.objectives[column].maximize else 1
    complete = [trial for trial in _board.trials if trial.state is TrialState.COMPLETE]
    losses = [sign * trial.figures[column] for trial in complete if trial.figures is not None]
    return importances(
        _board.study.definition.space, [trial.parameters for trial in complete], losses
    )


def _chart(
    board: Snapshot,
    name: str,
    build: Callable[[tuple[int, ...]], _Json],
    *,
    options: tuple[object, ...] = (),
    height: int,
    alt: str,
    brushable: bool = False,
) -> Interaction:
    """Draw one figure, built once for all sessions that look at this revision, and act on what is done to it.

    Args:
        board: what it shows.
        name: names the chart on its page.
        build: draws it, given the selected trials.
        options: what decides the figure besides the study and the selection.
        height: in pixels.
        alt: what it shows, for those who cannot see it.
        brushable: whether dragging marks a box.
    """
    chosen = selected(len(board.trials))
    key = repr((board.study.revision, name, chosen, options))
    figure = _figure_json(
        store().settings.database_url, board.study.id, key, _build=lambda: build(chosen)
    )
    done = interactive_plot(
        figure, key=f"study_{name}", alt=alt, height=height, brushable=brushable
    )
    if isinstance(done.clicked, int):
        toggle(done.clicked, len(board.trials))
        st.rerun()
    if done.brushed:
        take_brush(board, done.brushed)
    return done


@st.cache_data(show_spinner=False, max_entries=128)
def _figure_json(
    _database_url: str,
    study_id: str,  # noqa: ARG001 - the cache's key
    key: str,  # noqa: ARG001 - the cache's key
    *,
    _build: Callable[[], _Json],
) -> str:
    return _build().to_json()
