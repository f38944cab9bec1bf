"""Steering a run from its page: pause, resume, change, fork, continue, train again; where it comes from, and what was done to it."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from typing import Any

import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.config.changes import has_dropout
from mnist_dash.core.optimizers import OPTIMIZERS
from mnist_dash.errors import MnistDashError
from mnist_dash.glossary import help_for
from mnist_dash.runs.actions import steering
from mnist_dash.runs.store.events import events_of
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.states import RunState
from mnist_dash.text import plural
from mnist_dash.ui.app.navigation import open_run, run_link
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.components.run_look import title_of
from mnist_dash.ui.forms.fields import parse_typed

_SAME = "unchanged"
_VISIT_KEY, _REFUSAL_KEY = "steer_visit", "steer_refusal"
N_CHILDREN = 12
"""Branches that are linked, the newest ones."""
MOST_EPOCHS = 10_000
"""Of one run, as `RunConfig` has it."""
MORE_EPOCHS = 5
"""How many more epochs are proposed."""


def begin_visit() -> None:
    """Notice that a person has come to the page: the same wish twice in one visit is one run."""
    if st.session_state.get("page_arrived") or _VISIT_KEY not in st.session_state:
        st.session_state[_VISIT_KEY] = uuid.uuid4().hex
        st.session_state.pop(_REFUSAL_KEY, None)


def refusal() -> None:
    """Say why what a person asked for was refused, if it was."""
    sentence = st.session_state.get(_REFUSAL_KEY)
    if sentence:
        st.error(sentence, icon=":material/error:")


def rerun_button(run: Run) -> None:
    """Offer to train an ended run's configuration again."""
    if not run.state.is_terminal:
        return
    st.button(
        "Rerun",
        key="steer_again",
        icon=":material/replay:",
        help=help_for("rerun"),
        on_click=_begin,
        args=(lambda key: steering.train_again(store(), run.id, key=key), "again", run.id),
    )


def steer_buttons(run: Run) -> None:
    """Draw Pause or Resume of a run that has not ended."""
    if run.state.is_terminal:
        return
    if run.state is RunState.PAUSED or run.pause_requested:
        waits = run.state is not RunState.PAUSED
        st.button(
            "Cancel pause" if waits else "Resume",
            key="steer_resume",
            icon=":material/play_arrow:",
            type="secondary" if waits else "primary",
            help="The run pauses at the end of this epoch."
            if waits
            else "Puts the run back into the queue. It continues from its checkpoint.",
            on_click=_act,
            args=(lambda: steering.resume(store(), run.id),),
        )
        return
    st.button(
        "Pause",
        key="steer_pause",
        icon=":material/pause:",
        help="Pauses the run at the end of this epoch and frees its worker."
        if run.state is RunState.RUNNING
        else help_for("pause"),
        on_click=_act,
        args=(lambda: steering.pause(store(), run.id),),
    )


def change_form(run: Run) -> None:
    """Draw the fields of a change of hyperparameters while a run trains."""
    when = "now" if run.state is RunState.PAUSED else "at the end of the current epoch"
    st.markdown(
        f"These settings change {when}. The change becomes part of the configuration, so the run stays reproducible."
    )
    values = _settings(run, run.epoch + 1, "change", optimizer=False)
    if run.change_requested:
        st.caption(
            ":material/schedule: A change is already requested for the end of the epoch. A new one replaces it."
        )
    st.button(
        "Apply change",
        key="steer_change_submit",
        type="primary",
        disabled=not values,
        on_click=_act,
        args=(lambda: steering.change(store(), run.id, values),),
    )


def fork_popover(run: Run) -> None:
    """Draw the fork of a run that trains or has finished an epoch."""
    if run.state.is_terminal and not run.epoch:
        return
    with st.popover("Fork", icon=":material/call_split:", key="steer_fork", on_change="rerun"):
        st.markdown(help_for("fork"))
        if not run.epoch:
            st.caption("A run can be forked after its first epoch.")
            return
        left, right = st.columns(2)
        first = min(run.epoch, run.best_epoch or run.epoch, max(1, run.config.epochs - 1))
        epoch = left.number_input(
            "Fork after epoch", 1, run.epoch, first, key=f"steer_fork_epoch_{run.id}"
        )
        least = int(epoch) + 1
        total = right.number_input(
            "Total epochs",
            2,
            MOST_EPOCHS,
            max(run.config.epochs, first + 1),
            key=f"steer_fork_epochs_{run.id}",
        )
        values = _settings(run, int(epoch), "fork")
        st.caption(_start(run, int(epoch)))
        st.button(
            "Start fork",
            key="steer_fork_submit",
            type="primary",
            disabled=not values or int(total) < least,
            help=None if values else "Enter at least one setting to change.",
            on_click=_begin,
            args=(
                lambda key: steering.fork(
                    store(), run.id, int(epoch), values, epochs=int(total), key=key
                ),
                "fork",
                run.id,
                int(epoch),
                int(total),
                values,
            ),
        )


def _start(run: Run, epoch: int) -> str:
    start = steering.start_of(store(), run, epoch)
    if start.from_checkpoint:
        return f":material/bolt: The new run starts from the checkpoint of epoch {epoch}."
    again = f"the first {plural(epoch, 'epoch')} are" if epoch > 1 else "the first epoch is"
    return (
        f":material/history: No checkpoint of epoch {epoch} is kept, so {again} trained again with the same result. This takes about "
        f"{formatting.duration(start.seconds)}."
    )


def continue_popover(run: Run) -> None:
    """Draw the continuation of an ended run that has an epoch to go on from and may have more of them."""
    if (
        not run.state.is_terminal
        or not run.epoch
        or run.state is RunState.DIVERGED
        or run.epoch >= MOST_EPOCHS
    ):
        return
    with st.popover(
        "Continue", icon=":material/fast_forward:", key="steer_continue", on_change="rerun"
    ):
        st.markdown(
            "Starts a new run that continues this one from its last epoch with the same settings."
        )
        proposed = min(
            run.config.epochs if run.epoch < run.config.epochs else run.epoch + MORE_EPOCHS,
            MOST_EPOCHS,
        )
        total = st.number_input(
            "Total epochs",
            run.epoch + 1,
            MOST_EPOCHS,
            proposed,
            key=f"steer_continue_epochs_{run.id}",
        )
        if run.config.schedule.kind in ("cosine", "one_cycle") and int(total) > run.config.epochs:
            st.caption(
                ":material/restart_alt: The learning-rate schedule has ended. It starts anew for the added epochs (a warm restart)."
            )
        st.caption(_start(run, run.epoch))
        st.button(
            "Start continuation",
            key="steer_continue_submit",
            type="primary",
            on_click=_begin,
            args=(
                lambda key: steering.continue_run(store(), run.id, int(total), key=key),
                "continue",
                run.id,
                int(total),
            ),
        )


def _settings(run: Run, epoch: int, form: str, *, optimizer: bool = True) -> dict[str, Any]:
    """Offer the settings that can change; gives those that were named."""
    now = run.config.at(max(1, epoch))
    key = f"steer_{form}_{run.id}"
    left, right = st.columns(2)
    rate = now.optimizer.learning_rate
    typed = {
        "learning_rate": left.text_input(
            "Learning rate",
            key=f"{key}_learning_rate",
            placeholder=formatting.number(rate),
            help=help_for("learning rate", "A tenth of it often helps when progress has stalled."),
        ),
        "batch_size": right.text_input(
            "Batch size", key=f"{key}_batch_size", placeholder=str(now.batch_size)
        ),
    }
    if has_dropout(now):
        typed["dropout_rate"] = left.text_input(
            "Dropout rate, all layers", key=f"{key}_dropout_rate", placeholder="unchanged"
        )
    values = {
        name: parse_typed(text) for name, text in typed.items() if parse_typed(text) is not None
    }
    if optimizer:
        kinds = [_SAME, *OPTIMIZERS]
        names = OPTIMIZERS.labels
        kind = right.selectbox(
            "Optimizer",
            kinds,
            key=f"{key}_optimizer",
            format_func=lambda kind: names.get(kind, kind),
        )
        if kind != _SAME:
            own = (
                {"learning_rate": values.pop("learning_rate")} if "learning_rate" in values else {}
            )
            values["optimizer"] = {"kind": kind, **own}
    return values


def _act(deed: Callable[[], object]) -> None:
    st.session_state.pop(_REFUSAL_KEY, None)
    try:
        deed()
    except MnistDashError as error:
        st.session_state[_REFUSAL_KEY] = str(error)


def _begin(submit: Callable[[str], str], *wish: object) -> None:
    """Submit a new run and go to it; the same wish in the same visit is the same run."""
    text = json.dumps([st.session_state[_VISIT_KEY], *wish], sort_keys=True)
    _act(lambda: open_run(submit(hashlib.sha256(text.encode()).hexdigest()[:32])))


def lineage(run: Run) -> None:
    """Draw the ways to the run that this one branched from and to its own branches, and what was done to it."""
    found = steering.children(store(), run.id)
    if run.parent_id is not None or found:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            if run.parent_id is not None:
                after = f" after epoch {run.parent_epoch}" if run.parent_epoch else ""
                run_link(
                    run.parent_id,
                    f"From {title_of(run.parent_id)}{after}",
                    icon=":material/call_split:",
                )
            for child in found[-N_CHILDREN:]:
                after = f" after epoch {child.parent_epoch}" if child.parent_epoch else ", rerun"
                run_link(
                    child.id,
                    f"{formatting.plain(child.title)}{after}: {formatting.percent(child.best_val_accuracy)}",
                    icon=":material/subdirectory_arrow_right:",
                )
    events = events_of(store(), run.id)
    if events:
        with st.expander(f"History of the configuration: {plural(len(events), 'entry')}"):
            for event in events:
                by = f", {formatting.plain(event.person)}" if event.person else ""
                st.markdown(
                    f"{formatting.plain(event.sentence)} :small[:gray[{formatting.ago(event.at)}{by}]]"
                )
