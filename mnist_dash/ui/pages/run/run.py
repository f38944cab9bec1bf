"""Run: one run, live while it trains and with its results when it has ended."""

from collections.abc import Callable

import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.config.naming import network_name, optimizer_name
from mnist_dash.core.config.presets import PRESETS
from mnist_dash.errors import UnknownRun
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.states import RunState
from mnist_dash.ui.app.navigation import RUNS, TRAIN
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.components.annotations import tags_and_notes
from mnist_dash.ui.pages.run import embedding, errors, layers
from mnist_dash.ui.pages.run.coach import coach_card
from mnist_dash.ui.pages.run.live import live_section
from mnist_dash.ui.pages.run.results import outcome, results
from mnist_dash.ui.pages.run.steer import lineage
from mnist_dash.ui.pages.run.toolbar import toolbar
from mnist_dash.ui.pages.run.trial import trial_line

VIEWS: dict[str, Callable[[Run], None]] = {
    "summary": results,
    "errors": errors.draw,
    "layers": layers.draw,
    "embedding": embedding.draw,
}
"""What can be seen of a run that has ended."""
FIRST_VIEW = next(iter(VIEWS))


def no_run(sentence: str) -> None:
    """Say why there is nothing to show, and offer ways on."""
    st.title("Run")
    st.error(sentence, icon=":material/search_off:")
    with st.container(horizontal=True):
        st.page_link(RUNS, label="See all runs", icon=":material/table_rows:")
        st.page_link(TRAIN, label="Train a network", icon=":material/model_training:")


def show_run(run_id: str) -> None:
    """Draw the page of one run."""
    try:
        run = store().run(run_id)
    except UnknownRun as error:
        no_run(str(error))
        return
    # These containers are always there, so that nothing below changes its place when the run ends.
    with st.container():
        toolbar(run)
    with st.container():
        if run.state.is_terminal:
            outcome(run)
    with st.container():
        view = choose_view() if run.state.is_terminal else FIRST_VIEW
    live_section(run, whole=view == FIRST_VIEW)
    about(run)
    if run.state.is_terminal:
        coach_card(run)
        VIEWS[view](run)


def about(run: Run) -> None:
    """Say what a run is and where it comes from: in small print, below its curves."""
    preset = (
        f"{PRESETS[run.preset].title}. " if run.preset is not None and run.preset in PRESETS else ""
    )
    deleted = (
        " This run is deleted. Restore it on the Runs page under “deleted”."
        if run.deleted_at
        else ""
    )
    ended = f" {run.reason}" if run.state is RunState.FINISHED else ""
    now = run.config.at(min(run.epoch + 1, run.config.epochs))
    st.caption(
        f"{preset}{network_name(run.config)}, {optimizer_name(now)}, batch {now.batch_size}. Submitted {formatting.ago(run.created_at)}, "
        f"{run.n_parameters:,} parameters, seed {run.config.seed}.{ended}{deleted}"
    )
    tags_and_notes(run)
    trial_line(run)
    lineage(run)


def choose_view() -> str:
    """Offer the views of an ended run; the address keeps the choice."""
    return str(
        st.segmented_control(
            "View",
            VIEWS,
            default=FIRST_VIEW,
            required=True,
            key="view",
            bind="query-params",
            label_visibility="collapsed",
        )
    )


wanted = st.query_params.get("run", "").strip()
if wanted:
    show_run(wanted)
else:
    no_run("The address names no run. Choose one from the list of runs.")
