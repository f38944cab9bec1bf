"""Runs: all of them, newest first."""

import math

import streamlit as st

from mnist_dash.ui import words
from mnist_dash.ui.navigation import TRAIN, follow
from mnist_dash.ui.resources import store
from mnist_dash.ui.runs_proposal import proposal_card
from mnist_dash.ui.runs_scatter import parameters_section
from mnist_dash.ui.runs_table import FILTERS, PAGE_SIZE, action_bar, clear_selection, listed, runs_table

TICK_SECONDS = 2.0


def nothing_yet() -> None:
    """Say what to do when no run was ever made."""
    with st.container(border=True):
        st.markdown("**No runs yet.** A run is one training of one network; it will be listed here with its curve and its figures.")
        st.page_link(TRAIN, label="Train your first network", icon=":material/model_training:")


def runs_section() -> None:
    """Draw the list and what can be done with it."""
    follow()
    view = st.segmented_control(
        "Show",
        list(FILTERS),
        default="all",
        required=True,
        key="show",
        bind="query-params",
        on_change=clear_selection,
        label_visibility="collapsed",
    )
    which = FILTERS[view or "all"]
    count = store().count(states=which.states, deleted=which.deleted)
    if not count:
        st.caption(f"No runs under “{view}”.")
        action_bar(())
        return
    pages = math.ceil(count / PAGE_SIZE)
    page = 1
    if pages > 1:
        with st.container(horizontal=True, vertical_alignment="center"):
            page = st.pagination(pages, key="page", bind="query-params", on_change=clear_selection)
            st.caption(f"{words.counted(count, 'run')}, {PAGE_SIZE} a page")
    runs = listed(which, min(page, pages))
    action_bar(runs)
    proposal_card()
    runs_table(runs, f"{view}_{page}")


def shown_as() -> str:
    """Let a person choose between the list and the picture; the address keeps it."""
    shapes = ("table", "parameters")
    return str(
        st.segmented_control("Show as", shapes, default="table", required=True, key="as", bind="query-params", label_visibility="collapsed")
    )


st.title("Runs")
if not (store().count() or store().count(deleted=True)):
    nothing_yet()
elif shown_as() == "parameters":
    parameters_section()
else:
    st.fragment(run_every=TICK_SECONDS if store().count(states=FILTERS["live"].states) else None)(runs_section)()
