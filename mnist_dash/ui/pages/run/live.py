"""What moves on a run's page: state, progress, figures and curves."""

from __future__ import annotations

import math
from typing import get_args

import pandas as pd
import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.config.changes import describe
from mnist_dash.core.config.experiments import Published
from mnist_dash.core.config.presets import PRESETS
from mnist_dash.errors import UnknownRun
from mnist_dash.figures.base.curves import (
    Axis,
    Curve,
    CurveOptions,
    Metric,
    draw_both,
    prepare_curves,
)
from mnist_dash.figures.run.branches import Mark, add_marks, parent_curves
from mnist_dash.glossary import help_for
from mnist_dash.runs.store.events import EventKind, events_of
from mnist_dash.runs.store.hosts import NOBODY, blocked
from mnist_dash.runs.store.records import History, Run
from mnist_dash.runs.store.states import RunState
from mnist_dash.ui.app.moving import moving
from mnist_dash.ui.app.resources import history, store
from mnist_dash.ui.components.run_look import progress
from mnist_dash.ui.elements.live_plot import live_plot

TICK_SECONDS = 0.4
"""How often a live page asks whether its run has changed."""
PAUSED_TICK_SECONDS = 2.0
"""The same for a run that is paused, which somebody else may resume."""
FIRST_SCREEN = "clamp(420px, calc(100vh - 330px), 900px)"
"""Height of the charts: what the rows above them leave of the first screen."""
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
    tick = (
        TICK_SECONDS
        if run.state.is_live
        else None
        if run.state.is_terminal
        else PAUSED_TICK_SECONDS
    )
    moving(_section, every=tick)(run.id, _stage(run), whole=whole)


def _stage(run: Run) -> tuple[object, ...]:
    """Say what decides what can be done with a run: when it changes, the whole page is drawn anew."""
    return (run.state, run.stop_requested, run.pause_requested, run.epoch > 0)


def _section(run_id: str, drawn: tuple[object, ...], *, whole: bool) -> None:
    run = _run(run_id, store().run_revision(run_id))
    if _stage(run) != drawn:
        st.rerun()
    st.set_page_config(page_title=tab_title(run))
    # What may come or go has a container of its own: an element that changes its place is built anew, and a chart would lose its zoom.
    with st.container():
        if not run.state.is_terminal:
            st.progress(run.progress, text=progress(run))
            if waits := _waits(run):
                st.caption(f":material/hourglass_top: Waits: {waits}")
    if not whole:
        return
    _figures(run, history(run_id, run.revision))
    _curves(run)


def tab_title(run: Run) -> str:
    """Say in the browser's tab how far a run is and how good: ``3/5 · 97.40 % · 512-256 Adam 0.001 #14``."""
    accuracy = run.test_accuracy if run.test_accuracy is not None else run.last_val_accuracy
    state = (
        str(run.state)
        if run.state.is_terminal or not run.epoch
        else f"{run.epoch}/{run.config.epochs}"
    )
    parts = [
        state if run.state is not RunState.FINISHED else "",
        formatting.percent(accuracy) if accuracy is not None else "",
        run.title,
    ]
    return " · ".join(part for part in parts if part)


def _waits(run: Run) -> str:
    """Say what a run waits for that does not come by itself; empty where there is nothing."""
    if run.state is RunState.QUEUED:
        sentence = blocked(store()).get(run.id, "")
        # `progress` says so, or that one is just starting.
        return "" if sentence == NOBODY else sentence
    return run.reason if run.state is RunState.RUNNING else ""


@st.cache_resource(show_spinner=False, max_entries=256)
def _read(_database_url: str, run_id: str, revision: int) -> Run:  # noqa: ARG001 - the revision is part of the cache's key
    return store().run(run_id)


def _run(run_id: str, revision: int) -> Run:
    """Read a run once for all sessions that look at this revision of it."""
    return _read(store().settings.database_url, run_id, revision)


def _figures(run: Run, past: History) -> None:
    """Draw the metrics in one row, each with its change since the last epoch."""
    rows = past.epochs
    accuracy = [("Validation", "val_accuracy"), ("Training", "train_accuracy")]
    with st.container(horizontal=True, gap="small", key="run_metrics"):
        if run.test_accuracy is not None:
            _metric("Test", formatting.percent(run.test_accuracy), "")
        for label, name in accuracy:
            _metric(
                label, formatting.percent(_last(rows, name)), _change(rows, name, is_share=True)
            )
        best = f"epoch {run.best_epoch}" if run.best_epoch else ""
        _metric("Best validation", formatting.percent(run.best_val_accuracy), best)
        _metric(
            "Validation loss",
            formatting.number(_last(rows, "val_loss")),
            _change(rows, "val_loss", is_share=False),
        )
        speed = f"{rows['images_per_second'].iloc[-1]:,.0f} images/s" if len(rows) else ""
        _metric(
            "Time",
            formatting.duration(run.seconds_training + run.seconds_evaluation),
            "",
            about=speed,
        )


def _metric(label: str, value: str, note: str, *, about: str = "") -> None:
    st.markdown(
        f":small[:gray[{label}]]  \n**{value}** {f':small[{note}]' if note else ''}",
        width="content",
        help=about or None,
    )


def _last(rows: pd.DataFrame, name: str) -> float | None:
    return float(rows[name].iloc[-1]) if len(rows) else None


def _change(rows: pd.DataFrame, name: str, *, is_share: bool) -> str:
    """Write a metric's change since the last epoch, green where it has become better."""
    if len(rows) < 2:
        return ""
    change = float(rows[name].iloc[-1]) - float(rows[name].iloc[-2])
    if not math.isfinite(change):
        return ""
    size = f"{100 * abs(change):.2f}" if is_share else f"{abs(change):.2g}"
    color = "gray" if change == 0 else "green" if (change > 0) == is_share else "red"
    return f":{color}[{'▲' if change > 0 else '▼' if change < 0 else '='} {size}]"


def _options() -> CurveOptions:
    """Offer the choices of the charts; the page's address keeps them."""
    with st.popover("Axes", icon=":material/tune:", key="run_axes"):
        axis = st.segmented_control(
            "X axis", _AXES, default="epoch", required=True, key="x", bind="query-params"
        )
        log_scale = st.toggle(
            "Log loss", key="log", bind="query-params", help="Draws the loss on a logarithmic axis."
        )
        smoothing = st.slider(
            "Smoothing",
            0.0,
            0.95,
            0.0,
            0.05,
            key="smooth",
            bind="query-params",
            help=help_for("smoothing"),
        )
    return CurveOptions(axis, log_scale, float(smoothing))


def _curves(run: Run) -> None:
    charts = st.container()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        options = _options()
        _explain(run)
    with charts:
        live_plot(
            _figure(run, options),
            key="run_curves_chart",
            alt=f"Loss and accuracy by {options.axis}, training and validation",
            height=FIRST_SCREEN,
        )


def _published(run: Run) -> Published | None:
    return (
        PRESETS[run.preset].published if run.preset is not None and run.preset in PRESETS else None
    )


def _explain(run: Run) -> None:
    with st.popover("Why do these lines differ?", icon=":material/help:"):
        st.markdown(_LINES)
        st.markdown(_TEST_IS_VALIDATION if run.config.leaks_test_set else _TEST_IS_HIDDEN)
        if _published(run) is not None:
            st.markdown("The **grey** lines are the published results of this experiment.")
        if run.parent_id is not None and run.parent_epoch:
            st.markdown(
                "The **grey** lines are those of the run that this one was forked from or continues."
            )
    st.caption(
        "Drag over a chart to zoom, double-click to reset, click a line's name to hide it.",
        width="content",
    )


def _figure(run: Run, options: CurveOptions) -> str:
    return _draw(store().settings.database_url, run.id, run.revision, options, _run=run)


@st.cache_data(show_spinner=False, max_entries=256)
def _draw(_database_url: str, run_id: str, revision: int, options: CurveOptions, _run: Run) -> str:
    """Draw the charts once for all sessions that look at this revision of the run."""
    past, parent = history(run_id, revision), _parent(_run)

    def lines(metric: Metric) -> tuple[Curve, ...]:
        own = prepare_curves(
            past.epochs,
            past.steps,
            metric=metric,
            axis=options.axis,
            steps_per_epoch=_run.config.steps_per_epoch,
            steps_until=_run.config.epoch_ends,
            leak=_run.config.leaks_test_set,
            published=_published(_run),
        )
        if parent is None:
            return own
        former = history(parent.id, parent.revision).epochs
        return own + parent_curves(former, name=parent.title, metric=metric, axis=options.axis)

    figure = draw_both(
        lines("loss"), lines("accuracy"), options=options, best_epoch=_run.best_epoch
    )
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
    done = [
        Mark(event.epoch, event.sentence)
        for event in events_of(store(), run.id)
        if event.kind in drawn and event.epoch
    ]
    known = {mark.epoch for mark in done}
    planned = [change for change in run.config.changes if change.after_epoch not in known]
    return (
        *done,
        *(
            Mark(change.after_epoch, f"Changed: {describe(run.config, change)}.")
            for change in planned
        ),
    )
