"""The race view of a study: the curves of all values of its hyperparameter as they run, and the outcome against the value."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import streamlit as st

from mnist_dash.core.config.presets import PRESETS, name_of
from mnist_dash.figures.study.race import (
    Contestant,
    Metric,
    Outcome,
    SeedCurves,
    draw_outcome,
    draw_race,
    leader,
)
from mnist_dash.figures.study.trials import Objective, titles
from mnist_dash.glossary import help_for
from mnist_dash.reports.study_snapshot import Snapshot, short
from mnist_dash.runs.query.learning_curves import LearningCurves, learning_curves
from mnist_dash.search.actions import steering
from mnist_dash.search.definition.methods import OBJECTIVES
from mnist_dash.search.definition.race import in_space, own_value
from mnist_dash.search.definition.space import Scalar, same
from mnist_dash.search.studies.records import Trial
from mnist_dash.text import plural
from mnist_dash.ui.app.navigation import open_comparison, run_link
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.app.visitor import may_edit
from mnist_dash.ui.elements.live_plot import live_plot
from mnist_dash.ui.pages.study.head import act

T = TypeVar("T", bound=str)
METRICS: tuple[Metric, ...] = ("accuracy", "loss")
OUTCOMES: tuple[Outcome, ...] = ("best", "final")
_COLUMNS = {"loss": (1, 0), "accuracy": (2, 1)}
"""Where a metric stands in the curves, by step and by epoch."""


def race_view(board: Snapshot) -> None:
    """Draw the race, its outcome, and the contestants with what can be done to each."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        metric = _choice("Metric", METRICS, "race")
        outcome = _choice("Outcome", OUTCOMES, "outcome")
    objective = _objective(metric)
    contestants = read_contestants(board, metric)
    key = f"{board.study.id} {store().revision()}"
    curves, result = _figures(
        store().settings.database_url, key, metric, outcome, _board=board, _contestants=contestants
    )
    name = _title(board)
    live_plot(curves, key="study_race", alt=f"{metric} by epoch for each {name}", height=310)
    live_plot(result, key="study_outcome", alt=f"{outcome} {objective.title} by {name}", height=250)
    _caption(board, contestants)
    _contestants(board, contestants, objective, outcome)


def _choice(label: str, options: tuple[T, ...], key: str) -> T:
    chosen = st.segmented_control(
        label,
        options,
        default=options[0],
        required=True,
        key=key,
        bind="query-params",
        label_visibility="collapsed",
    )
    return next(option for option in options if option == chosen)


def _objective(metric: Metric) -> Objective:
    goal = OBJECTIVES[f"val_{metric}"]
    return Objective(goal.name, goal.title, goal.maximize)


def _title(board: Snapshot) -> str:
    return titles(board.axes)[board.axes[0].path]


def read_contestants(board: Snapshot, metric: Metric) -> tuple[Contestant, ...]:
    """Read the values of a race in their order, with the curves of their runs; one that has not begun has none."""
    space = board.study.definition.space
    path = space.paths[0]
    read = learning_curves(store(), [run_id for runs in board.runs.values() for run_id in runs])
    found = []
    for value in in_space(space):
        trial = next(
            (
                trial
                for trial in board.trials
                if path in trial.parameters and same(trial.parameters[path], value)
            ),
            None,
        )
        if trial is not None:
            found.append(_contestant(board, trial, value, metric, read))
    return tuple(found)


def _contestant(
    board: Snapshot, trial: Trial, value: Scalar, metric: Metric, read: dict[str, LearningCurves]
) -> Contestant:
    by_step, by_epoch = _COLUMNS[metric]
    per_epoch = board.study.definition.space.configure(trial.parameters).steps_per_epoch
    curves = [read[run_id] for run_id in board.runs.get(trial.number, ())]
    runs = tuple(
        SeedCurves(
            np.column_stack((curve.steps[:, 0] / per_epoch, curve.steps[:, by_step])),
            curve.epochs[:, by_epoch],
        )
        for curve in curves
    )
    return Contestant(trial.number, value, short(value), trial.state.value, runs)


@st.cache_data(show_spinner=False, max_entries=32)
def _figures(
    _database_url: str,
    key: str,  # noqa: ARG001 - the cache's key
    metric: Metric,
    outcome: Outcome,
    *,
    _board: Snapshot,
    _contestants: tuple[Contestant, ...],
) -> tuple[str, str]:
    """Draw both charts once for all sessions that look at this revision."""
    space = _board.study.definition.space
    n_epochs = max(
        (space.configure(trial.parameters).epochs for trial in _board.trials),
        default=space.base.epochs,
    )
    preset = name_of(space.base)
    label = (
        "published" if preset is not None and PRESETS[preset].published is not None else "present"
    )
    own, title = own_value(space.base, space.paths[0]), _title(_board)
    result = draw_outcome(
        _contestants, _objective(metric), outcome, title=title, own=own, own_label=label
    )
    return draw_race(_contestants, metric, n_epochs=n_epochs).to_json(), result.to_json()


def _caption(board: Snapshot, contestants: tuple[Contestant, ...]) -> None:
    seeds = board.study.definition.seeds
    band = (
        f"The band is one standard deviation over {plural(seeds, 'seed')}."
        if seeds > 1
        else "With one seed, small differences are noise."
    )
    silent = [one.label for one in contestants if one.state == "diverged"]
    diverged = f" Diverged: {', '.join(silent)}." if silent else ""
    st.caption(
        f"Coloured by {_title(board)}. Thin lines: training, by batch, smoothed. Strong lines: validation, after each epoch. A cross marks "
        f"a value that ended early, the star the best one, the dotted line the one that the network has. {band}{diverged}",
        help=help_for("race"),
    )


def _contestants(
    board: Snapshot, contestants: tuple[Contestant, ...], objective: Objective, outcome: Outcome
) -> None:
    """Draw each value with its state, its outcome and its run, and the way to drop it."""
    best = leader(contestants, outcome, maximize=objective.maximize)
    with st.grid(4, min_column_width=170):
        for one in contestants:
            with st.container(border=True, gap="xsmall"):
                values = one.outcomes(outcome, maximize=objective.maximize)
                icon = ":material/emoji_events: " if one is best else ""
                st.markdown(
                    f"{icon}**{one.label}** {objective.write(float(values.mean())) if len(values) else ''} :gray[{one.state}]"
                )
                _actions(board, one)
    runs = [run_id for numbers in board.runs.values() for run_id in numbers]
    if len(runs) > 1:
        st.button(
            "Compare runs",
            key="study_race_compare",
            icon=":material/compare_arrows:",
            on_click=open_comparison,
            args=(runs,),
        )


def _actions(board: Snapshot, one: Contestant) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        runs = board.runs.get(one.number, ())
        if runs:
            run_link(runs[0], "Open run")
        if may_edit() and one.state in ("running", "waiting"):
            st.button(
                "Stop",
                key=f"study_race_stop_{one.number}",
                type="tertiary",
                icon=":material/close:",
                help=f"Drop {one.label} from the race. Its runs keep what they have.",
                on_click=act,
                args=(lambda: steering.stop_trial(store(), board.study.id, one.number),),
            )
