"""The first row of a run's page: its state, its name, what can be done with it."""

from __future__ import annotations

import streamlit as st

from mnist_dash.errors import MnistDashError
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.query.catalog import by_ids
from mnist_dash.runs.store.records import Run
from mnist_dash.ui.app.navigation import STUDIES, TRAIN
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.app.visitor import has_share_link, may_edit
from mnist_dash.ui.components.annotations import marks_form, rename_button, run_title, star_button
from mnist_dash.ui.components.export import run_downloads
from mnist_dash.ui.components.run_look import badge
from mnist_dash.ui.components.share import share_popover
from mnist_dash.ui.pages.run import steer


def toolbar(run: Run) -> None:
    """Draw state, name and actions in a row; what is needed less often stands in one menu at its end."""
    steer.begin_visit()
    leak = " :orange-badge[:material/warning: leak]" if run.config.leaks_test_set else ""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        run_title(run, f"{badge(run.state)}{leak}")
        with st.container(
            horizontal=True, vertical_alignment="center", gap="xsmall", width="content", key="steer"
        ):
            if may_edit():
                rename_button(run)
                star_button(run)
                steer.steer_buttons(run)
                _stop_button(run)
                steer.fork_popover(run)
                steer.continue_popover(run)
            with st.popover("Export", icon=":material/download:", key="run_export"):
                run_downloads(run)
            share_popover("run", store().lineage(run))
            if may_edit() or not has_share_link():
                with st.popover("More", icon=":material/more_vert:", key="run_more"):
                    _more(run)
    steer.refusal()


def _more(run: Run) -> None:
    if not has_share_link():
        st.page_link(
            TRAIN, label="Clone and edit", icon=":material/edit:", query_params={"from": run.id}
        )
        st.page_link(
            STUDIES,
            label="Tune from here",
            icon=":material/manage_search:",
            query_params={"new": "1", "from": run.id},
        )
    if not may_edit():
        return
    steer.rerun_button(run)
    if not run.state.is_terminal:
        with st.expander("Change hyperparameters", icon=":material/tune:"):
            steer.change_form(run)
    with st.expander("Notes and tags", icon=":material/edit_note:"):
        marks_form(by_ids(store(), [run.id]), with_name=False)


def _stop_button(run: Run) -> None:
    if run.state.is_terminal:
        return
    asked = run.stop_requested
    st.button(
        "Stopping" if asked else "Stop",
        key="run_stop",
        icon=":material/stop_circle:",
        disabled=asked,
        on_click=_stop,
        args=(run.id,),
        help="Ends the training and keeps what the network has learned so far.",
    )


def _stop(run_id: str) -> None:
    try:
        run_actions.stop(store(), run_id)
    except MnistDashError as error:
        st.toast(str(error), icon=":material/info:")
