"""Steering a study from its page: what was marked in a chart becomes a range, an empty place becomes a trial, a choice is banned."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import streamlit as st

from mnist_dash import formatting
from mnist_dash.errors import InvalidInput
from mnist_dash.figures.study.trials import titles
from mnist_dash.glossary import help_for
from mnist_dash.reports.study_snapshot import Snapshot, short
from mnist_dash.search.actions import steering
from mnist_dash.search.actions.steering import Narrowing
from mnist_dash.search.definition.space import Choice, IntRange, Parameter, Scalar, applies
from mnist_dash.search.studies.records import StudyState, Trial, TrialState
from mnist_dash.search.studies.suggest import MIN_RUNS, Suggestion, suggest
from mnist_dash.text import plural, verb
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.app.visitor import may_edit
from mnist_dash.ui.elements.live_plot import Brush
from mnist_dash.ui.forms.suggestion import train_link
from mnist_dash.ui.pages.study.head import act
from mnist_dash.ui.pages.study.selection import select
from mnist_dash.ui.pages.study.table import selection_panel

BRUSH_KEY, PLACE_KEY, PROPOSAL_KEY = "study_brush", "study_place", "study_proposal"
PARALLELISM_KEY = "study_parallelism"


def take_brush(board: Snapshot, brushes: Sequence[Brush]) -> None:
    """Remember what was marked in a chart: ranges to narrow the search to, or trials to select."""
    space = board.study.definition.space
    settings = [brush for brush in brushes if brush.axis in space.paths]
    if not settings or all(
        brush.is_cleared or _is_whole(space.parameter(brush.axis), brush) for brush in settings
    ):
        st.session_state.pop(BRUSH_KEY, None)
        return
    st.session_state[BRUSH_KEY] = (board.study.id, tuple(settings))
    st.rerun()


def _is_whole(parameter: Parameter, brush: Brush) -> bool:
    """Whether all of a range is marked, which marks nothing: a chart says its box again when its range has become that box."""
    if isinstance(parameter, Choice):
        return set(parameter.values) <= set(brush.choices or ())
    if brush.low is None or brush.high is None:
        return False
    scale = math.log if parameter.log else float
    low, high = scale(parameter.low), scale(parameter.high)
    slack = 0.01 * (high - low)
    return (
        scale(max(brush.low, parameter.low)) <= low + slack
        and scale(min(brush.high, parameter.high)) >= high - slack
    )


def take_place(board: Snapshot, values: Mapping[str, object]) -> None:
    """Remember an empty place that was clicked: the best trial's configuration with these settings changed."""
    best = board.best
    start = dict(best.parameters) if best is not None else {}
    wanted = {
        path: value
        for path, value in values.items()
        if isinstance(value, bool | int | float | str | None)
    }
    st.session_state[PLACE_KEY] = (board.study.id, complete_values(board, start | wanted))
    st.rerun()


def complete_values(board: Snapshot, values: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Give every setting that applies a value: the given one, or the middle of its range."""
    whole: dict[str, Scalar] = {}
    for parameter in board.study.definition.space.parameters:
        if applies(parameter, whole):
            given = values.get(parameter.path, parameter.from_unit(0.5))
            whole[parameter.path] = (
                round(given)
                if isinstance(parameter, IntRange) and isinstance(given, float)
                else given
            )
    return whole


def picked(board: Snapshot) -> None:
    """Draw what is marked and selected, below the chart in which that is done, so that no click moves the chart."""
    with st.container():
        _pending_bar(board)
    with st.container():
        selection_panel(board)


def _pending_bar(board: Snapshot) -> None:
    """Offer what can be done with the last mark or the last clicked place."""
    study_id, brushes = st.session_state.get(BRUSH_KEY, (None, ()))
    names = titles(board.axes)
    if study_id == board.study.id:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            parts = ", ".join(
                f"**{names.get(brush.axis, brush.axis)}** {_words(brush)}" for brush in brushes
            )
            st.markdown(f":material/select: Marked: {parts}", width="stretch")
            ended = board.study.state.has_ended
            if may_edit():
                st.button(
                    "Narrow the range",
                    key="study_narrow",
                    type="primary",
                    disabled=ended,
                    help="Add trials to the study first."
                    if ended
                    else "Further trials take their values from the marked range. Past trials stay.",
                    on_click=act,
                    args=(lambda: _narrow(board, brushes),),
                )
            st.button(
                "Select these trials",
                key="study_take",
                on_click=lambda: _select_marked(board, brushes),
            )
            st.button(
                "Dismiss",
                key="study_dismiss",
                type="tertiary",
                on_click=lambda: st.session_state.pop(BRUSH_KEY, None),
            )
    study_id, values = st.session_state.get(PLACE_KEY, (None, {}))
    if study_id == board.study.id:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(
                f":material/add_location: {_listed(values, names)}; other values as in the best trial",
                width="stretch",
            )
            _try_button(board, values, key="study_try_place", forget=PLACE_KEY)
            st.button(
                "Dismiss",
                key="study_dismiss_place",
                type="tertiary",
                on_click=lambda: st.session_state.pop(PLACE_KEY, None),
            )


def steer_view(board: Snapshot) -> None:
    """Draw everything that can be changed, with the present values."""
    picked(board)
    left, right = st.columns(2, gap="large")
    with left:
        _pace(board)
        _ranges(board)
        _bans(board)
        _undo(board)
    with right:
        _proposal(board)
        _try_form(board)


def _pace(board: Snapshot) -> None:
    st.markdown("**Parallel trials**")
    workers = sum(worker.state != "gone" for worker in store().workers())
    st.number_input(
        "Parallel trials",
        1,
        256,
        board.study.definition.parallelism,
        key=f"{PARALLELISM_KEY}_{board.study.edition}",
        on_change=act,
        args=(lambda: _set_parallelism(board),),
        help=help_for(
            "parallel trials", f"Now {plural(workers, 'worker')} {verb(workers, 'are')} active."
        ),
    )


def _set_parallelism(board: Snapshot) -> None:
    steering.set_parallelism(
        store(), board.study.id, int(st.session_state[f"{PARALLELISM_KEY}_{board.study.edition}"])
    )


def _ranges(board: Snapshot) -> None:
    numbers = [
        parameter
        for parameter in board.study.definition.space.parameters
        if not isinstance(parameter, Choice)
    ]
    if not numbers:
        return
    st.markdown("**Narrow the range**")
    names = titles(board.axes)
    with st.form(f"study_ranges_{board.study.edition}", border=False):
        for parameter in numbers:
            with st.container(horizontal=True, vertical_alignment="bottom"):
                whole = isinstance(parameter, IntRange)
                for end in ("low", "high"):
                    st.number_input(
                        f"{names[parameter.path]}, {'from' if end == 'low' else 'to'}",
                        value=getattr(parameter, end),
                        format="%d" if whole else "%.6g",
                        step=1 if whole else None,
                        key=f"study_{end}_{parameter.path}_{board.study.edition}",
                    )
        st.form_submit_button(
            "Change ranges", on_click=act, args=(lambda: _change_ranges(board, numbers),)
        )


def _change_ranges(board: Snapshot, parameters: Sequence[Parameter]) -> None:
    wanted = []
    for parameter in parameters:
        assert not isinstance(parameter, Choice)
        low, high = (
            st.session_state[f"study_{end}_{parameter.path}_{board.study.edition}"]
            for end in ("low", "high")
        )
        if (low, high) != (parameter.low, parameter.high):
            wanted.append(Narrowing(parameter.path, low, high))
    if wanted:
        steering.narrow(store(), board.study.id, tuple(wanted))


def _bans(board: Snapshot) -> None:
    choices = [
        parameter
        for parameter in board.study.definition.space.parameters
        if isinstance(parameter, Choice) and len(parameter.values) > 1
    ]
    if not choices:
        return
    st.markdown("**Exclude a value**")
    for parameter in choices:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(titles(board.axes)[parameter.path], width="content")
            for value in parameter.values:
                st.button(
                    short(value),
                    key=f"study_ban_{parameter.path}_{value}",
                    icon=":material/block:",
                    on_click=act,
                    args=(
                        lambda path=parameter.path, value=value: steering.ban(
                            store(), board.study.id, path, value
                        ),
                    ),
                )


def _undo(board: Snapshot) -> None:
    changes = [event for event in board.events if event.former is not None]
    if changes:
        label = f"Undo: {formatting.plain(changes[-1].sentence)}"
        st.button(
            label,
            key="study_undo",
            icon=":material/undo:",
            on_click=act,
            args=(lambda: steering.undo(store(), board.study.id),),
        )


def _proposal(board: Snapshot) -> None:
    st.markdown("**Suggest a trial**")
    known = [trial for trial in board.trials if trial.state is TrialState.COMPLETE]
    if len(known) < MIN_RUNS:
        st.caption(f"Suggestions are available after {MIN_RUNS} complete trials.")
        return
    st.button(
        "Suggest a trial",
        key="study_suggest",
        icon=":material/lightbulb:",
        on_click=act,
        args=(lambda: _suggest(board, known),),
    )
    study_id, found = st.session_state.get(PROPOSAL_KEY, (None, None))
    if study_id != board.study.id or not isinstance(found, Suggestion):
        return
    objective = board.objectives[0]
    with st.container(border=True):
        st.markdown(_listed(found.values, titles(board.axes)))
        st.caption(
            f"Expected {objective.write(found.expected)} ± {objective.write(found.deviation)}; "
            f"the best value is {objective.write(found.best)}. "
            f"{found.reason} "
            f"Estimated by a Gaussian process from {plural(found.n_observed, 'trial')}."
        )
        with st.container(horizontal=True):
            _try_button(board, found.values, key="study_try_proposal", forget=PROPOSAL_KEY)
            train_link(found.config)


def _suggest(board: Snapshot, known: Sequence[Trial]) -> None:
    figures = [trial.figures[0] for trial in known if trial.figures is not None]
    values = [trial.parameters for trial in known if trial.figures is not None]
    found = suggest(
        board.study.definition.space, values, figures, maximize=board.objectives[0].maximize
    )
    st.session_state[PROPOSAL_KEY] = (board.study.id, found)


def _try_form(board: Snapshot) -> None:
    st.markdown("**Enqueue a trial**")
    if board.study.state.has_ended or board.study.state is StudyState.STOPPING:
        st.caption("The study has ended. Add trials to it first.")
        return
    names, best = titles(board.axes), board.best
    start = dict(best.parameters) if best is not None else {}
    with st.form(f"study_try_{board.study.edition}", border=False):
        for parameter in board.study.definition.space.parameters:
            key, value = (
                f"study_value_{parameter.path}_{board.study.edition}",
                start.get(parameter.path, parameter.from_unit(0.5)),
            )
            if isinstance(parameter, Choice):
                index = next((at for at, own in enumerate(parameter.values) if own == value), 0)
                st.selectbox(
                    names[parameter.path], parameter.values, index, key=key, format_func=short
                )
            else:
                whole = isinstance(parameter, IntRange)
                assert isinstance(value, int | float)
                st.number_input(
                    names[parameter.path],
                    value=value,
                    format="%d" if whole else "%.6g",
                    step=1 if whole else None,
                    key=key,
                )
        st.form_submit_button("Enqueue trial", on_click=act, args=(lambda: _try_typed(board),))
    st.caption("Hyperparameters that do not apply to the other values are left out.")


def _try_typed(board: Snapshot) -> None:
    typed = {
        path: st.session_state[f"study_value_{path}_{board.study.edition}"]
        for path in board.study.definition.space.paths
    }
    number = steering.try_next(store(), board.study.id, complete_values(board, typed))
    select((number,))


def _try_button(board: Snapshot, values: Mapping[str, Scalar], *, key: str, forget: str) -> None:
    if not may_edit():
        return
    ended = board.study.state.has_ended
    st.button(
        "Enqueue trial",
        key=key,
        type="primary",
        disabled=ended,
        help="Add trials to the study first." if ended else None,
        on_click=act,
        args=(lambda: _try(board, values, forget),),
    )


def _try(board: Snapshot, values: Mapping[str, Scalar], forget: str) -> None:
    number = steering.try_next(store(), board.study.id, values)
    st.session_state.pop(forget, None)
    select((number,))


def _narrow(board: Snapshot, brushes: Sequence[Brush]) -> None:
    """Search the marked parts alone: ranges are narrowed, choices that were not marked are banned."""
    space, ranges = board.study.definition.space, []
    for brush in brushes:
        parameter = space.parameter(brush.axis)
        if isinstance(parameter, Choice):
            kept = brush.choices or ()
            if not any(
                parameter.contains(value)
                for value in kept
                if isinstance(value, bool | int | float | str | None)
            ):
                raise InvalidInput(
                    f"No value of {brush.axis} is marked. Mark at least one of them."
                )
            for value in parameter.values:
                if value not in kept:
                    steering.ban(store(), board.study.id, brush.axis, value)
        elif brush.low is not None and brush.high is not None:
            ranges.append(
                Narrowing(
                    brush.axis, max(brush.low, parameter.low), min(brush.high, parameter.high)
                )
            )
    if ranges:
        steering.narrow(store(), board.study.id, tuple(ranges))
    st.session_state.pop(BRUSH_KEY, None)


def _select_marked(board: Snapshot, brushes: Sequence[Brush]) -> None:
    st.session_state.pop(BRUSH_KEY, None)
    select(trial.number for trial in board.trials if all(_is_in(trial, brush) for brush in brushes))


def _is_in(trial: Trial, brush: Brush) -> bool:
    value = trial.parameters.get(brush.axis)
    if brush.choices is not None:
        return value in brush.choices
    return (
        isinstance(value, int | float)
        and brush.low is not None
        and brush.high is not None
        and brush.low <= value <= brush.high
    )


def _words(brush: Brush) -> str:
    if brush.choices is not None:
        return ", ".join(short(value) for value in brush.choices) or "nothing"
    return f"{short(brush.low)} to {short(brush.high)}"


def _listed(values: Mapping[str, object], names: Mapping[str, str]) -> str:
    return ", ".join(
        f"**{names.get(path, path)}** {short(value)}" for path, value in values.items()
    )
