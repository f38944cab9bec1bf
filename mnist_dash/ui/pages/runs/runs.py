"""Runs: all of them, newest first, or those that a query finds; as a table, in groups, or as points."""

import math

import streamlit as st

from mnist_dash.runs.query import catalog
from mnist_dash.text import plural
from mnist_dash.ui.app.moving import moving
from mnist_dash.ui.app.navigation import TRAIN, follow
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.forms.suggestion import proposal_card
from mnist_dash.ui.pages.runs.columns import column_choice
from mnist_dash.ui.pages.runs.filter import SHOWN, order_choice, query_box, scope, show_choice
from mnist_dash.ui.pages.runs.groups import AS_KEY, groups_section
from mnist_dash.ui.pages.runs.scatter import parameters_section
from mnist_dash.ui.pages.runs.table import (
    PAGE_SIZE,
    action_bar,
    clear_selection,
    listed,
    runs_table,
)
from mnist_dash.ui.pages.runs.views import views_popover

TICK_SECONDS = 2.0
PAGE_KEY = "page"


def nothing_yet() -> None:
    """Say what to do when no run was ever made."""
    with st.container(border=True):
        st.markdown(
            "**No runs yet.** A run is one training of one network. Runs are listed here with their curves and metrics."
        )
        st.page_link(TRAIN, label="Train your first network", icon=":material/model_training:")


def runs_section() -> None:
    """Draw the list and what can be done with it."""
    follow()
    view = show_choice(_another_list)
    query = query_box(_another_list)
    if query is None:
        return
    which = scope(view, query)
    count = catalog.count(store(), which)
    pages = max(1, math.ceil(count / PAGE_SIZE))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        order = order_choice(_another_list)
        names, differing = column_choice(order.field.name)
        page = page_choice(pages)
        st.caption(plural(count, "run") + (f", {PAGE_SIZE} per page" if pages > 1 else ""))
    entries = listed(which, order, page)
    action_bar(entries)
    proposal_card()
    if entries:
        runs_table(entries, f"{view}_{page}", names, differing=differing)
    else:
        st.caption(
            "No run matches the query." if query.root is not None else f"No runs under “{view}”."
        )


def page_choice(pages: int) -> int:
    """Let a person turn the pages; a page that is gone by now is the last one."""
    if pages == 1:
        return 1
    if st.session_state.get(PAGE_KEY, 1) > pages:
        st.session_state[PAGE_KEY] = pages
    return min(
        int(st.pagination(pages, key=PAGE_KEY, bind="query-params", on_change=clear_selection)),
        pages,
    )


def grouped_section() -> None:
    """Draw groups of the runs that the query finds."""
    view = show_choice(_another_list)
    query = query_box(_another_list)
    if query is not None:
        groups_section(scope(view, query))


def shown_as() -> str:
    """Let a person choose between the list, its groups and the picture; the address keeps it."""
    shapes = ("table", "groups", "parameters")
    return str(
        st.segmented_control(
            "Show as",
            shapes,
            default="table",
            required=True,
            key=AS_KEY,
            bind="query-params",
            label_visibility="collapsed",
        )
    )


def _another_list() -> None:
    """What is listed has changed: begin on its first page with nothing selected."""
    clear_selection()
    st.session_state.pop(PAGE_KEY, None)


has_runs = bool(store().count() or store().count(deleted=True))
with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
    st.title("Runs", width="content")
    if has_runs:
        with st.container(horizontal=True, vertical_alignment="center", width="content"):
            shape = shown_as()
            views_popover()
if not has_runs:
    nothing_yet()
elif shape == "parameters":
    parameters_section()
elif shape == "groups":
    grouped_section()
else:
    moving(
        runs_section, every=TICK_SECONDS if store().count(states=SHOWN["live"].states) else None
    )()
