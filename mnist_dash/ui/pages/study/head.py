"""The head of a study's page: its state, what can be done to it as a whole, how far it is, and the best so far."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import streamlit as st

from mnist_dash import formatting
from mnist_dash.errors import MnistDashError
from mnist_dash.reports.study_snapshot import Snapshot
from mnist_dash.search.actions import steering
from mnist_dash.search.studies.progress import progress
from mnist_dash.search.studies.records import Study, StudyState, TrialState
from mnist_dash.text import plural
from mnist_dash.ui.app.navigation import run_link
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.app.visitor import may_edit
from mnist_dash.ui.components.export import study_downloads
from mnist_dash.ui.components.study_look import METHOD_NAMES, badge

MORE_KEY = "study_more"
PACE_TRIALS = 20
"""Newest ended trials from which trials an hour are taken."""


def act(action: Callable[[], object]) -> None:
    """Do what a person asked for; what is refused is said in a toast."""
    try:
        action()
    except MnistDashError as error:
        st.toast(str(error), icon=":material/error:")


def trials_an_hour(board: Snapshot) -> float | None:
    """Measure the pace over the newest trials that have ended; None before there are two."""
    ended = np.sort(board.columns.ended[np.isfinite(board.columns.ended)])[-PACE_TRIALS:]
    if len(ended) < 2 or ended[-1] <= ended[0]:
        return None
    return float(3600 * (len(ended) - 1) / (ended[-1] - ended[0]))


def head(board: Snapshot, *, brief: bool = False) -> None:
    """Draw state, actions, progress and, unless it is to be brief, figures."""
    study = board.study
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"{badge(study.state)} {_sentence(board)}", width="stretch")
        if may_edit():
            _actions(study)
        study_downloads(study)
    _progress(board)
    if not brief:
        _figures(board)
    if (
        study.state.is_live
        and not study.is_advanced
        and (datetime.now(UTC).timestamp() - study.created_at) > 10
    ):
        st.warning(
            "No study runner is active, so no trial starts. Start one with `mnist-dash study conduct`.",
            icon=":material/warning:",
        )
    if study.state is StudyState.PAUSED and study.reason:
        st.error(study.reason, icon=":material/error:")


def _sentence(board: Snapshot) -> str:
    definition = board.study.definition
    goals = " and ".join(
        ("highest " if goal.maximize else "lowest ") + goal.title for goal in definition.goals
    )
    seeds = f", {plural(definition.seeds, 'seed')} per trial" if definition.seeds > 1 else ""
    pruner = (
        ""
        if definition.pruner.kind == "none"
        else f", {METHOD_NAMES[definition.pruner.kind]} pruner"
    )
    return (
        f"{goals[:1].upper()}{goals[1:]} · {METHOD_NAMES[definition.sampler.kind]}{pruner} "
        f"· {plural(definition.parallelism, 'parallel trial')}{seeds}"
    )


def _actions(study: Study) -> None:
    opened, study_id = store(), study.id
    if study.state is StudyState.RUNNING:
        _button(
            "Pause", "study_pause", ":material/pause:", lambda: steering.pause(opened, study_id)
        )
    if study.state in (StudyState.PAUSED, StudyState.STOPPING):
        _button(
            "Resume",
            "study_resume",
            ":material/play_arrow:",
            lambda: steering.resume(opened, study_id),
        )
    if study.state.is_live:
        with st.popover("Stop", icon=":material/stop_circle:"):
            st.caption("No further trials start. You can add trials later.")
            if study.state is not StudyState.STOPPING:
                _button(
                    "Finish running trials",
                    "study_stop",
                    None,
                    lambda: steering.stop(opened, study_id),
                )
            _button(
                "Stop running trials",
                "study_cancel",
                None,
                lambda: steering.stop(opened, study_id, cancel=True),
            )
    with st.popover("More trials", icon=":material/add:"):
        st.number_input("Number of trials", 1, 10_000, 10, key=MORE_KEY)
        st.button(
            "Add trials",
            key="study_extend",
            type="primary",
            on_click=act,
            args=(lambda: _extend(study_id),),
        )


def _button(label: str, key: str, icon: str | None, action: Callable[[], object]) -> None:
    st.button(label, key=key, icon=icon, on_click=act, args=(action,))


def _extend(study_id: str) -> None:
    steering.extend(store(), study_id, int(st.session_state[MORE_KEY]))


def _progress(board: Snapshot) -> None:
    study = board.study
    if study.state.has_ended:
        st.caption(f"{study.reason} Running time: {formatting.duration(study.seconds_used)}.")
        return
    reached = progress(study, _n_ended(board), trials_per_hour=trials_an_hour(board))
    done, minutes = plural(reached.n_ended, "trial"), study.definition.budget.minutes
    if reached.n_planned is not None:
        text = f"{reached.n_ended:,} of {plural(reached.n_planned, 'trial')}"
    elif minutes is not None:
        text = f"{done}, {formatting.duration(study.seconds_used)} of {minutes:g} min"
    else:
        text = f"{done}, until {study.definition.budget.stagnation} bring no improvement"
    later = (
        ""
        if reached.seconds_left is None
        else f", about {formatting.duration(reached.seconds_left)} left"
    )
    st.progress(reached.share or 0.0, text=text + later)


def _n_ended(board: Snapshot) -> int:
    return len(board.trials) - board.count(TrialState.WAITING, TrialState.RUNNING)


def _figures(board: Snapshot) -> None:
    best, pace = board.best, trials_an_hour(board)
    objective = board.objectives[0]
    in_flight = board.count(TrialState.RUNNING)
    ended = {
        state: board.count(state)
        for state in TrialState
        if not state.is_open and board.count(state)
    }
    with st.grid(4, min_column_width=150):
        with st.container(border=True):
            value = (
                formatting.NOTHING
                if best is None or best.figures is None
                else objective.write(best.figures[0])
            )
            spread = (
                ""
                if best is None or best.deviation is None
                else f" ± {objective.write(best.deviation)}"
            )
            st.metric(f"Best {objective.title}", value + spread)
            if best is None:
                st.caption("after the first trial")
            else:
                run_link(
                    board.runs[best.number][0],
                    f"Trial {best.number}",
                    icon=":material/emoji_events:",
                )
        _metric(
            "Trials",
            f"{len(board.trials):,}",
            ", ".join(f"{count:,} {state}" for state, count in ended.items())
            or "none has ended yet",
        )
        _metric("Running", f"{in_flight:,}", f"{board.count(TrialState.WAITING):,} enqueued")
        _metric(
            "Trials per hour",
            formatting.NOTHING if pace is None else f"{pace:,.0f}",
            f"over the last {plural(PACE_TRIALS, 'trial')}",
        )


def _metric(label: str, value: str, note: str) -> None:
    with st.container(border=True):
        st.metric(label, value)
        st.caption(note)
