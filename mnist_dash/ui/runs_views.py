"""Views of the Runs page under names: save this one, open another, delete one and bring it back."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode

import streamlit as st

from mnist_dash.errors import MnistDashError
from mnist_dash.runs import views
from mnist_dash.runs.views import SavedView
from mnist_dash.ui import words
from mnist_dash.ui.resources import store
from mnist_dash.ui.runs_columns import COLUMNS_KEY, DIFFERING_KEY
from mnist_dash.ui.runs_filter import QUERY_KEY, SHOW_KEY, SORT_KEY, UP_KEY
from mnist_dash.ui.runs_groups import AS_KEY, BY_KEY, FIGURES_KEY
from mnist_dash.ui.runs_table import clear_selection
from mnist_dash.ui.visitor import may_edit

PAGE = "runs"
_TEXTS = (QUERY_KEY, SHOW_KEY, SORT_KEY, AS_KEY)
_SWITCHES = (UP_KEY, DIFFERING_KEY)
_LISTS = (COLUMNS_KEY, BY_KEY, FIGURES_KEY)
_DELETED_KEY = "runs_view_deleted"
_NAME_KEY = "runs_view_name"
_OPENED_KEY = "runs_view_opened"


def views_popover() -> None:
    """Draw the saved views and the way to save this one."""
    with st.popover("Views", icon=":material/bookmarks:"):
        found = views.saved_views(store(), PAGE)
        if not found:
            st.caption("A view is the query, the order, the columns and the groups. Its address brings it back; so does a name.")
        for place, view in enumerate(found):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.button(words.plain(view.name), key=f"runs_view_{place}", type="tertiary", on_click=_open, args=(view,), width="stretch")
                if may_edit():
                    st.button(
                        "Delete",
                        key=f"runs_view_delete_{place}",
                        icon=":material/delete:",
                        type="tertiary",
                        help=f"Delete {words.plain(view.name)}",
                        on_click=_delete,
                        args=(view,),
                    )
        gone: SavedView | None = st.session_state.get(_DELETED_KEY)
        if gone is not None:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.button("Undo", key="runs_view_undo", icon=":material/undo:", on_click=_restore, args=(gone,))
                st.markdown(f"Deleted {words.plain(gone.name)}.")
        if may_edit():
            with st.form("runs_view_form", border=False, clear_on_submit=False):
                st.text_input("Save this view as", key=_NAME_KEY, max_chars=views.MAX_NAME, placeholder="best of the CNNs")
                st.form_submit_button("Save", icon=":material/bookmark_add:", on_click=_save)


def begin_with_view() -> None:
    """Put a view that was opened in place of what the page shows, before its controls are drawn."""
    address: str | None = st.session_state.pop(_OPENED_KEY, None)
    if address is not None:
        _apply(address)


def address_now() -> str:
    """Write what the page shows as the query string that brings it back; what is as it is without a choice is left out."""
    state = st.session_state
    pairs: list[tuple[str, str]] = [(key, str(state[key])) for key in _TEXTS if state.get(key)]
    pairs += [(key, "true") for key in _SWITCHES if state.get(key)]
    pairs += [(key, str(value)) for key in _LISTS for value in state.get(key) or ()]
    return urlencode(pairs)


def _apply(address: str) -> None:
    query = parse_qs(address)
    for key in (*_TEXTS, *_SWITCHES, *_LISTS, "page"):
        st.session_state.pop(key, None)
    for key in _TEXTS:
        if key in query:
            st.session_state[key] = query[key][0]
    for key in _SWITCHES:
        st.session_state[key] = key in query
    for key in _LISTS:
        if key in query:
            st.session_state[key] = query[key]


def _open(view: SavedView) -> None:
    st.session_state[_OPENED_KEY] = view.address
    clear_selection()


def _save() -> None:
    try:
        view = views.save_view(store(), PAGE, st.session_state[_NAME_KEY], address_now())
    except MnistDashError as error:
        st.toast(words.plain(str(error)), icon=":material/error:")
        return
    st.session_state[_NAME_KEY] = ""
    st.session_state[_DELETED_KEY] = None
    st.toast(f"Saved {words.plain(view.name)}.", icon=":material/bookmark:")


def _delete(view: SavedView) -> None:
    try:
        st.session_state[_DELETED_KEY] = views.delete_view(store(), PAGE, view.name)
    except MnistDashError as error:
        st.toast(words.plain(str(error)), icon=":material/error:")


def _restore(view: SavedView) -> None:
    try:
        views.restore_view(store(), view)
        st.session_state[_DELETED_KEY] = None
    except MnistDashError as error:
        st.toast(words.plain(str(error)), icon=":material/error:")
