"""Views of the Runs page under names: save this one, open another, delete one and bring it back."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode

import streamlit as st

from mnist_dash import formatting
from mnist_dash.errors import MnistDashError
from mnist_dash.runs.actions import views
from mnist_dash.runs.actions.views import SavedView
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.app.visitor import may_edit
from mnist_dash.ui.pages.runs.columns import COLUMNS_KEY, DIFFERING_KEY, FIRST, titles
from mnist_dash.ui.pages.runs.filter import (
    NEWEST,
    QUERY_KEY,
    SHOW_KEY,
    SORT_KEY,
    UP_KEY,
    field_titles,
)
from mnist_dash.ui.pages.runs.groups import AS_KEY, BY_FIRST, BY_KEY, FIGURES_FIRST, FIGURES_KEY
from mnist_dash.ui.pages.runs.table import clear_selection

PAGE = "runs"
_DEFAULTS: dict[str, Any] = {
    QUERY_KEY: "",
    SHOW_KEY: "all",
    SORT_KEY: NEWEST,
    UP_KEY: False,
    AS_KEY: "table",
    COLUMNS_KEY: list(FIRST),
    DIFFERING_KEY: False,
    BY_KEY: list(BY_FIRST),
    FIGURES_KEY: list(FIGURES_FIRST),
}
"""What the address says, by its names there, and what it is without a choice."""
_LABELS = {
    COLUMNS_KEY: titles,
    SORT_KEY: field_titles,
    BY_KEY: field_titles,
    FIGURES_KEY: field_titles,
}
"""An address names what was chosen as its control does."""
_DELETED_KEY = "runs_view_deleted"
_NAME_KEY = "runs_view_name"


def views_popover() -> None:
    """Draw the saved views and the way to save this one."""
    with st.popover("Views", icon=":material/bookmarks:"):
        found = views.saved_views(store(), PAGE)
        if not found:
            st.caption(
                "A view is the query with its order, columns and groups. Save it under a name, or copy the address."
            )
        for place, view in enumerate(found):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.button(
                    formatting.plain(view.name),
                    key=f"runs_view_{place}",
                    type="tertiary",
                    on_click=_open,
                    args=(view,),
                    width="stretch",
                )
                if may_edit():
                    st.button(
                        "Delete",
                        key=f"runs_view_delete_{place}",
                        icon=":material/delete:",
                        type="tertiary",
                        help=f"Deletes the view {formatting.plain(view.name)}.",
                        on_click=_delete,
                        args=(view,),
                    )
        gone: SavedView | None = st.session_state.get(_DELETED_KEY)
        if gone is not None:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.button(
                    "Undo",
                    key="runs_view_undo",
                    icon=":material/undo:",
                    on_click=_restore,
                    args=(gone,),
                )
                st.markdown(f"Deleted {formatting.plain(gone.name)}.")
        if may_edit():
            with st.form("runs_view_form", border=False, clear_on_submit=False):
                st.text_input(
                    "Save view as",
                    key=_NAME_KEY,
                    max_chars=views.MAX_NAME,
                    placeholder="best of the CNNs",
                )
                st.form_submit_button("Save", icon=":material/bookmark_add:", on_click=_save)


def address_now() -> str:
    """Write what the page shows as the query string that brings it back; what is as it is without a choice is left out."""
    pairs: list[tuple[str, str]] = []
    for key, default in _DEFAULTS.items():
        value = st.session_state.get(key, default)
        if value is None or value == default:
            continue
        if isinstance(value, bool):
            pairs.append((key, "true"))
        else:
            labels = _LABELS[key]() if key in _LABELS else {}
            pairs += [
                (key, labels.get(each, str(each)))
                for each in (value if isinstance(value, list | tuple) else [value])
            ]
    return urlencode(pairs)


def _open(view: SavedView) -> None:
    """Put a view in place of what the page shows."""
    query = parse_qs(view.address)
    for key, default in _DEFAULTS.items():
        said = query.get(key)
        if said is None:
            st.session_state[key] = default
        elif isinstance(default, bool):
            st.session_state[key] = said[0] == "true"
        else:
            values = (
                {label: value for value, label in _LABELS[key]().items()} if key in _LABELS else {}
            )
            known = [
                values.get(label, label) for label in said if key not in _LABELS or label in values
            ]
            st.session_state[key] = known if isinstance(default, list) else [*known, default][0]
    st.session_state.pop("page", None)
    clear_selection()


def _save() -> None:
    try:
        view = views.save_view(store(), PAGE, st.session_state[_NAME_KEY], address_now())
    except MnistDashError as error:
        st.toast(formatting.plain(str(error)), icon=":material/error:")
        return
    st.session_state[_NAME_KEY] = ""
    st.session_state[_DELETED_KEY] = None
    st.toast(f"Saved {formatting.plain(view.name)}.", icon=":material/bookmark:")


def _delete(view: SavedView) -> None:
    try:
        st.session_state[_DELETED_KEY] = views.delete_view(store(), PAGE, view.name)
    except MnistDashError as error:
        st.toast(formatting.plain(str(error)), icon=":material/error:")


def _restore(view: SavedView) -> None:
    try:
        views.restore_view(store(), view)
        st.session_state[_DELETED_KEY] = None
    except MnistDashError as error:
        st.toast(formatting.plain(str(error)), icon=":material/error:")
