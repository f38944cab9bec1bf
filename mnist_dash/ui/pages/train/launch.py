"""The card beside the composition: which network, the one button, and what pressing it will cost."""

from __future__ import annotations

import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.config.cautions import cautions
from mnist_dash.core.config.changes import describe
from mnist_dash.core.config.presets import PRESETS, name_of
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.errors import DeviceUnavailable
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.query.estimate import Estimate, estimate
from mnist_dash.runs.store.run_store import Store
from mnist_dash.text import plural
from mnist_dash.ui.app.navigation import open_run, run_link
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.forms.composition import Draft
from mnist_dash.ui.forms.draft_session import TRAIN
from mnist_dash.ui.forms.fields import TrainForm
from mnist_dash.ui.forms.launch_panel import SubmitButton, cost_table, expected_time, launch_panel
from mnist_dash.ui.forms.submission import submit
from mnist_dash.ui.forms.train_settings import open_more_fields
from mnist_dash.ui.pages.train.race import race_popover


def launch_card(form: TrainForm) -> None:
    """Draw the choice of a ready network, the Train button and the preflight."""
    button = SubmitButton(
        "Train",
        "train_submit",
        ":material/play_arrow:",
        _submit,
        "setting",
        "to correct before training",
    )
    with st.container(border=True):
        _choose_preset(form.draft)
        _changes(form)
        launch_panel(form, form.checked.config, button, _preflight, race_popover)


def _choose_preset(draft: Draft) -> None:
    key = f"train_{draft.generation}_preset"
    st.session_state.setdefault(key, draft.preset)
    st.selectbox(
        "Network",
        list(PRESETS),
        key=key,
        format_func=lambda name: PRESETS[name].title,
        on_change=_put_preset,
        args=(key,),
    )
    st.caption(PRESETS[draft.preset].summary)
    if draft.is_changed:
        with st.container(
            horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
        ):
            st.badge("changed", icon=":material/edit:", color="orange")
            st.button(
                "Undo all changes",
                key="train_reset",
                type="tertiary",
                icon=":material/undo:",
                on_click=_put_preset,
                args=(key,),
            )


def _changes(form: TrainForm) -> None:
    """Say which settings will change while it trains, as those of a run that was steered do."""
    changes = form.value("changes")
    if not changes or not isinstance(changes, list):
        return
    config = form.checked.config
    with st.container(border=True, gap="xsmall"):
        if config is not None:
            for change in config.changes:
                st.markdown(
                    f":material/tune: After epoch {change.after_epoch}: {describe(config, change)}"
                )
        st.button(
            "Remove these changes",
            key="train_no_changes",
            type="tertiary",
            icon=":material/close:",
            help=f"Removes {plural(len(changes), 'change')} of settings during training.",
            on_click=form.change,
            args=(_without_changes,),
        )


def _without_changes(draft: Draft) -> Draft:
    return draft.changed("changes", [])


def _put_preset(key: str) -> None:
    TRAIN.start(Draft.from_preset(st.session_state[key]))


def _submit() -> None:
    """Submit what is composed and ask for its page; two presses are one run."""
    draft = TRAIN.catch_up()
    config = draft.check().config
    if config is None:
        return
    preset = name_of(config, first=draft.preset)
    run_id = submit(TRAIN, config.hash, config, lambda config, key: _send(config, key, preset))
    if run_id is not None:
        open_run(run_id)


def _send(config: RunConfig, key: str, preset: str | None) -> str:
    try:
        return run_actions.submit(store(), config, key=key, preset=preset)
    except DeviceUnavailable:
        open_more_fields()  # the device is chosen there
        raise


def _preflight(config: RunConfig) -> None:
    runs = store()
    expected = estimate(runs, config)
    rows = {
        ":material/tag: Parameters": f"{config.n_parameters:,}",
        ":material/memory: Memory": f"about {formatting.size(expected.memory_bytes)}",
        ":material/timer: Time per epoch": expected_time(expected.seconds_per_epoch),
        f":material/hourglass_bottom: {plural(config.epochs, 'epoch')}": expected_time(
            expected.seconds_total
        ),
        ":material/queue: Queue": _place_in_queue(expected),
    }
    cost_table(rows, alt="Estimated cost of this training", basis=expected.basis)
    _warnings(runs, config)
    same = runs.find_same(config)
    if same is not None:
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            st.markdown(
                f":material/history: You have run this configuration before: test accuracy {formatting.percent(same.test_accuracy)}.",
                width="stretch",
            )
            run_link(same.id, "Open run")


def _warnings(runs: Store, config: RunConfig) -> None:
    if config.leaks_test_set:
        st.warning(formatting.LEAK, icon=":material/warning:")
    for caution in cautions(config):
        st.warning(caution, icon=":material/warning:")
    is_anyone_alive = any(worker.state != "gone" for worker in runs.workers())
    if not is_anyone_alive and runs.settings.n_workers == 0:
        st.warning(
            "No worker is running, so the run would wait. Start one with `mnist-dash worker`.",
            icon=":material/warning:",
        )


def _place_in_queue(expected: Estimate) -> str:
    if expected.n_ahead == 0:
        return "starts at once"
    wait = (
        ""
        if expected.seconds_ahead is None
        else f", about {formatting.duration(expected.seconds_ahead)}"
    )
    return f"after {plural(expected.n_ahead, 'other run')}{wait}"
