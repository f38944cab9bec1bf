"""What moves on a run's page: state, progress, figures and curves."""

from __future__ import annotations

from typing import get_args

import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.config.changes import describe
from mnist_dash.core.config.experiments import Published
from mnist_dash.core.config.naming import network_name, optimizer_name
from mnist_dash.core.config.presets import PRESETS
from mnist_dash.errors import MnistDashError, UnknownRun
from mnist_dash.figures.base.curves import Axis, CurveOptions, Metric, draw_curves, prepare_curves
from mnist_dash.figures.run.branches import Mark, add_marks, parent_curves
from mnist_dash.glossary import help_for
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store.events import EventKind, events_of
from mnist_dash.runs.store.hosts import blocked
from mnist_dash.runs.store.records import History, Run
from mnist_dash.runs.store.states import RunState
from mnist_dash.text import plural
from mnist_dash.ui.app.moving import moving
from mnist_dash.ui.app.navigation import STUDIES, TRAIN
from mnist_dash.ui.app.resources import history, store
from mnist_dash.ui.app.visitor import has_share_link, may_edit
from mnist_dash.ui.components.run_look import badge, progress
from mnist_dash.ui.elements.live_plot import live_plot

TICK_SECONDS = 0.4
"""How often a live page asks whether its run has changed."""
PAUSED_TICK_SECONDS = 2.0
"""The same for a run that is paused, which somebody else may resume."""
_LINES = """**Training, running average** is the mean over the epoch's batches, which most libraries print. It is measured with dropout on
and while the network still improves, so it usually looks worse than the network is at the end of the epoch.

**Training**, **validation** and **test** are measured after the epoch, with dropout off, over whole sets. These three can be compared.
A growing gap between training and validation is overfitting."""
_TEST_IS_VALIDATION = "This run validates on the test set, so it has no separate test line."
_TEST_IS_HIDDEN = """The **test** line is hidden. Click it in the legend to see it. Do not choose an epoch or a setting by it: the test set
would then no longer give an honest estimate."""
_AXES: tuple[Axis, ...] = get_args(Axis)


def live_section(run: Run, *, whole: bool = True) -> None:
    """Draw what moves, curves and figures only if `whole`; it draws itself anew while the run is live."""
    tick = TICK_SECONDS if run.state.is_live else None if run.state.is_terminal else PAUSED_TICK_SECONDS
    moving(_section, every=tick)(run.id, run.state, whole=whole)


def _section(run_id: str, drawn_state: RunState, *, whole: bool) -> None:
    run = _run(run_id, store().run_revision(run_id))
    if (run.state.is_live, run.state.is_terminal) != (drawn_state.is_live, drawn_state.is_terminal):
        st.rerun()  # the results join the page, or what can be done with it is something else now
    # What may come or go has a container of its own: an element that changes its place is built anew, and a chart would lose its zoom.
    with st.container():
        if not run.state.is_terminal:
            head(run)
            st.progress(run.progress, text=progress(run))
            if waits := _waits(run):
                st.caption(f":material/hourglass_top: Waits: {waits}")
    if not whole:
        return
    past = history(run_id, run.revision)
    _figures(run, past)
    _curves(run, _options())


def _waits(run: Run) -> str:
    """Say what a run waits for that does not come by itself; empty where there is nothing."""
    if run.state is RunState.QUEUED:
        return blocked(store()).get(run.id, "")
    return run.reason if run.state is RunState.RUNNING else ""


@st.cache_resource(show_spinner=False, max_entries=256)
def _read(_database_url: str, run_id: str, revision: int) -> Run:  # noqa: ARG001 - the revision is part of the cache's key
    return store().run(run_id)


def _run(run_id: str, revision: int) -> Run:
    """Read a run once for all sessions that look at this revision of it."""
    return _read(store().settings.database_url, run_id, revision)


def head(run: Run) -> None:
    """Draw state, network and optimizer in a line, with what can be done."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        now = run.config.at(min(run.epoch + 1, run.config.epochs))
        leak = " :orange-badge[:material/warning: leak]" if run.config.leaks_test_set else ""
        st.markdown(
            f"{badge(run.state)}{leak} {network_name(run.config)}, {optimizer_name(now)}, batch {now.batch_size}",
            width="stretch",
        )
        if not run.state.is_terminal and may_edit():
            asked = run.stop_requested
            label = "Stopping" if asked else "Stop"
            st.button(
                label,
                key="run_stop",
                icon=":material/stop_circle:",
                disabled=asked,
                on_click=_stop,
                args=(run.id,),
                help="Ends the training and keeps what the network has learned so far.",
            )
        if not has_share_link():
            st.page_link(TRAIN, label="Clone and edit", icon=":material/edit:", query_params={"from": run.id})
            st.page_link(STUDIES, label="Tune from here", icon=":material/manage_search:", query_params={"new": "1", "from": run.id})


def _stop(run_id: str) -> None:
    try:
        run_actions.stop(store(), run_id)
    except MnistDashError as error:
        st.toast(str(error), icon=":material/info:")


def _figures(run: Run, past: History) -> None:
    last = past.epochs.iloc[-1] if len(past.epochs) else None
    later = "after the first epoch"
    training = None if last is None else float(last["train_accuracy"])
    figures = (
        ("Best validation accuracy", formatting.percent(run.best_val_accuracy), f"epoch {run.best_epoch}" if run.best_epoch else later),
        ("Validation loss", formatting.number(run.last_val_loss), _epochs(run) or later),
        ("Training accuracy", formatting.percent(training), "dropout off" if last is not None else later),
        (
            "Time",
            formatting.duration(run.seconds_training + run.seconds_evaluation),
            "not measured yet" if last is None else f"{last['images_per_second']:,.0f} images/s",
        ),
    )
    with st.grid(4, min_column_width=150):
        for label, value, note in figures:
            st.metric(label, value, note, delta_color="off", delta_arrow="off", border=True)


def _epochs(run: Run) -> str | None:
    return f"after {run.epoch} of {plural(run.config.epochs, 'epoch')}" if run.epoch else None


def _options() -> CurveOptions:
    """Offer the choices of the charts; the page's address keeps them."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        axis = st.segmented_control("X axis", _AXES, default="epoch", required=True, key="x", bind="query-params")
        smoothing = st.slider("Smoothing", 0.0, 0.95, 0.0, 0.05, key="smooth", bind="query-params", width=180, help=help_for("smoothing"))
        log_scale = st.toggle("Log loss", key="log", bind="query-params", help="Draws the loss on a logarithmic axis.")
    return CurveOptions(axis, log_scale, float(smoothing))


def _curves(run: Run, options: CurveOptions) -> None:
    columns = st.columns(2)
    for column, metric in zip(columns, get_args(Metric), strict=True):
        with column:
            st.markdown(f"**{metric.capitalize()}**")
            live_plot(
                _figure(run, metric, options),
                key=f"run_{metric}_chart",
                alt=f"{metric} by {options.axis}, training and validation",
                height=360,
            )
    _explain(run)


def _published(run: Run) -> Published | None:
    return PRESETS[run.preset].published if run.preset is not None and run.preset in PRESETS else None


def _explain(run: Run) -> None:
    st.caption("Drag over a chart to zoom, double-click to reset, click a line's name to hide it.")
    with st.popover("Why do these lines differ?", icon=":material/help:"):
        st.markdown(_LINES)
        st.markdown(_TEST_IS_VALIDATION if run.config.leaks_test_set else _TEST_IS_HIDDEN)
        if _published(run) is not None:
            st.markdown("The **grey** lines are the published results of this experiment.")
        if run.parent_id is not None and run.parent_epoch:
            st.markdown("The **grey** lines are those of the run that this one was forked from or continues.")


def _figure(run: Run, metric: Metric, options: CurveOptions) -> str:
    return _draw(store().settings.database_url, run.id, run.revision, metric, options, _run=run)


@st.cache_data(show_spinner=False, max_entries=256)
def _draw(_database_url: str, run_id: str, revision: int, metric: Metric, options: CurveOptions, _run: Run) -> str:
    """Draw a chart once for all sessions that look at this revision of the run."""
    past = history(run_id, revision)
    curves = prepare_curves(
        past.epochs,
        past.steps,
        metric=metric,
        axis=options.axis,
        steps_per_epoch=_run.config.steps_per_epoch,
        steps_until=[_run.config.steps_until(epoch) for epoch in range(_run.config.epochs + 1)] if _run.config.changes else (),
        leak=_run.config.leaks_test_set,
        published=_published(_run),
    )
    parent = _parent(_run)
    if parent is not None:
        name = parent.title
        curves += parent_curves(history(parent.id, parent.revision).epochs, name=name, metric=metric, axis=options.axis)
    figure = draw_curves(curves, metric=metric, options=options, best_epoch=_run.best_epoch)
    add_marks(figure, _marks(_run), epochs=past.epochs, axis=options.axis)
    return str(figure.to_json())


def _parent(run: Run) -> Run | None:
    """Find the run that this one has branched from, where it is still there."""
    if run.parent_id is None or not run.parent_epoch:
        return None
    try:
        return store().run(run.parent_id)
    except UnknownRun:
        return None


def _marks(run: Run) -> tuple[Mark, ...]:
    """Say what the curves mark: where the run branched, was changed or paused, and the changes that are still to come."""
    drawn = (EventKind.FORKED, EventKind.CONTINUED, EventKind.CHANGED, EventKind.PAUSED)
    done = [Mark(event.epoch, event.sentence) for event in events_of(store(), run.id) if event.kind in drawn and event.epoch]
    known = {mark.epoch for mark in done}
    planned = [change for change in run.config.changes if change.after_epoch not in known]
    return (*done, *(Mark(change.after_epoch, f"Changed: {describe(run.config, change)}.") for change in planned))
