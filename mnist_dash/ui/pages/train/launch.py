"""The card beside the composition: which network, the one button, and what pressing it will cost."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass

import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.config.cautions import cautions
from mnist_dash.core.config.changes import describe
from mnist_dash.core.config.presets import PRESETS, name_of
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.errors import DeviceUnavailable, MnistDashError
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.query.estimate import Estimate, estimate
from mnist_dash.runs.store.run_store import Store
from mnist_dash.text import plural
from mnist_dash.ui.app.navigation import open_run, run_link
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.app.shortcuts import SUBMIT
from mnist_dash.ui.app.visitor import may_edit
from mnist_dash.ui.forms.composition import Draft
from mnist_dash.ui.forms.fields import DRAFT_KEY, REFUSAL_KEY, Form, catch_up, sentence

_SUBMISSION_KEY = "train_submission"
_VISIT_KEY = "train_visit"
DOUBLE_CLICK_SECONDS = 3.0
"""A second press of the same configuration within this time is the same press, even if the page has changed in between."""


@dataclass(frozen=True)
class Submission:
    """What was submitted last in this session."""

    key: str
    config_hash: str
    visit: int
    moment: float


def begin_visit() -> None:
    """Count the visits to the page: pressing Train again after coming back is another run."""
    if st.session_state.get("page_arrived"):
        st.session_state[_VISIT_KEY] = st.session_state.get(_VISIT_KEY, 0) + 1
        st.session_state.pop(REFUSAL_KEY, None)


def launch_card(form: Form) -> None:
    """Draw the choice of a ready network, the Train button and the preflight."""
    with st.container(border=True):
        _choose_preset(form.draft)
        _changes(form)
        config = form.checked.config
        if may_edit():
            st.button(
                "Train",
                key="train_submit",
                type="primary",
                icon=":material/play_arrow:",
                width="stretch",
                shortcut=SUBMIT,
                disabled=config is None,
                on_click=_submit,
            )
        refusal = st.session_state.get(REFUSAL_KEY)
        if refusal:
            st.error(refusal, icon=":material/error:")
        if config is None:
            _what_is_wrong(form)
        else:
            _preflight(store(), config)


def _choose_preset(draft: Draft) -> None:
    key = f"train_{draft.generation}_preset"
    st.session_state.setdefault(key, draft.preset)
    st.selectbox("Network", list(PRESETS), key=key, format_func=lambda name: PRESETS[name].title, on_change=_put_preset, args=(key,))
    st.caption(PRESETS[draft.preset].summary)
    if draft.is_changed:
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.badge("changed", icon=":material/edit:", color="orange")
            st.button("Undo all changes", key="train_reset", type="tertiary", icon=":material/undo:", on_click=_put_preset, args=(key,))


def _changes(form: Form) -> None:
    """Say which settings will change while it trains, as those of a run that was steered do."""
    count = len(form.draft.tree["changes"]) if isinstance(form.draft.tree["changes"], list) else 0
    if not count:
        return
    config = form.checked.config
    with st.container(border=True, gap="xsmall"):
        if config is not None:
            for change in config.changes:
                st.markdown(f":material/tune: After epoch {change.after_epoch}: {describe(config, change)}")
        st.button(
            "Keep the settings throughout",
            key="train_no_changes",
            type="tertiary",
            icon=":material/close:",
            help=f"Leaves out {plural(count, 'change')} of settings",
            on_click=_drop_changes,
        )


def _drop_changes() -> None:
    draft: Draft = st.session_state[DRAFT_KEY]
    st.session_state[DRAFT_KEY] = draft.changed("changes", [])


def _put_preset(key: str) -> None:
    st.session_state[DRAFT_KEY] = Draft.from_preset(st.session_state[key])
    st.session_state.pop(REFUSAL_KEY, None)


def _submit() -> None:
    """Submit what is composed and ask for its page; two presses are one run."""
    draft = catch_up()
    config = draft.check().config
    if config is None:
        return
    submission = _submission(config)
    st.session_state[_SUBMISSION_KEY] = submission  # first: once the second click is in, every later write ends this callback
    try:
        run_id = run_actions.submit(store(), config, key=submission.key, preset=name_of(config, first=draft.preset))
    except MnistDashError as error:
        st.session_state[REFUSAL_KEY] = str(error)
        if isinstance(error, DeviceUnavailable):
            st.session_state["train_more_settings"] = True
        return
    st.session_state.pop(REFUSAL_KEY, None)
    open_run(run_id)


def _submission(config: RunConfig) -> Submission:
    former: Submission | None = st.session_state.get(_SUBMISSION_KEY)
    visit, moment = st.session_state.get(_VISIT_KEY, 0), time.monotonic()
    same = former is not None and former.config_hash == config.hash
    if former is not None and same and (former.visit == visit or moment - former.moment < DOUBLE_CLICK_SECONDS):
        return former
    return Submission(uuid.uuid4().hex, config.hash, visit, moment)


def _what_is_wrong(form: Form) -> None:
    problems = form.checked.problems
    st.markdown(f":red[:material/error: {plural(len(problems), 'setting')} to correct before it can train.]")
    for problem in problems:
        where = problem.path.replace("layers.", "layer ").replace("_", " ")
        if problem not in form.shown:
            st.markdown(f":small[:red[{where}: {sentence(problem)}]]")


def _preflight(runs: Store, config: RunConfig) -> None:
    expected = estimate(runs, config)
    st.table(
        {
            ":material/tag: Parameters": f"{config.n_parameters:,}",
            ":material/memory: Memory": f"about {formatting.size(expected.memory_bytes)}",
            ":material/timer: An epoch": _expected_time(expected.seconds_per_epoch),
            f":material/hourglass_bottom: {plural(config.epochs, 'epoch')}": _expected_time(expected.seconds_total),
            ":material/queue: Queue": _place(expected),
        },
        border="horizontal",
        alt="What this training will cost",
    )
    st.caption(f"{expected.basis[:1].upper()}{expected.basis[1:]}.")
    if config.leaks_test_set:
        st.warning(formatting.LEAK, icon=":material/warning:")
    for caution in cautions(config):
        st.warning(caution, icon=":material/warning:")
    if not any(worker.state != "gone" for worker in runs.workers()) and runs.settings.n_workers == 0:
        st.warning("No worker is running, so the run would wait. Start one with `python -m mnist_dash worker`.", icon=":material/warning:")
    same = runs.find_same(config)
    if same is not None:
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            st.markdown(
                f":material/history: You ran exactly this before: {formatting.percent(same.test_accuracy)} on the test set.",
                width="stretch",
            )
            run_link(same.id, "Open it")


def _expected_time(seconds: float | None) -> str:
    return "not known yet" if seconds is None else f"about {formatting.duration(seconds)}"


def _place(expected: Estimate) -> str:
    if expected.n_ahead == 0:
        return "starts at once"
    wait = "" if expected.seconds_ahead is None else f", about {formatting.duration(expected.seconds_ahead)}"
    return f"after {plural(expected.n_ahead, 'other run')}{wait}"
