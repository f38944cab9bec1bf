"""The Share button: a link that shows exactly this view to somebody who may only look."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

import streamlit as st

from mnist_dash import formatting
from mnist_dash.errors import MnistDashError
from mnist_dash.runs.access import sharing
from mnist_dash.runs.access.sharing import Link
from mnist_dash.runs.store.identities import Role
from mnist_dash.ui.app import admission
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.app.visitor import may_edit

DAYS_KEY = "share_days"
_MADE_KEY = "share_made"


def share_popover(page: str, targets: Sequence[str]) -> None:
    """Draw the Share button of a page, for those who may share.

    Args:
        page: one of `mnist_dash.runs.access.sharing.PAGES`.
        targets: ids of all runs and studies that the view shows.
    """
    if not may_edit():
        return
    with st.popover("Share", icon=":material/share:"):
        st.caption(
            "Everybody with the link sees this view as it is now, without signing in. They cannot change anything."
        )
        if admission.is_local():
            st.caption(
                ":material/info: This dashboard listens on this machine only, so the link opens on this machine only."
            )
        st.number_input("Valid for (days)", 1, sharing.MAX_DAYS, sharing.DAYS, key=DAYS_KEY)
        st.button(
            "Create link",
            key="share_make",
            type="primary",
            icon=":material/add_link:",
            on_click=_make,
            args=(page, tuple(targets)),
        )
        made_for, address = st.session_state.get(_MADE_KEY, ((), ""))
        if made_for == tuple(targets):
            st.code(address, language=None, wrap_lines=True)
            st.caption("Copy the link now. It is shown only once and is not stored.")
        for link in sharing.links(store(), target=targets[0]) if targets else ():
            link_row(link)


def link_row(link: Link, *, name: str = "") -> None:
    """Draw who made a link and until when it is good, and the way to revoke it for those who may."""
    person = store().person
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        by = "" if link.person is None else f" by {formatting.plain(link.person)}"
        end = (
            f"valid until {link.expires_at:%Y-%m-%d} (UTC)"
            if link.is_open
            else "revoked"
            if link.revoked_at
            else "expired"
        )
        st.markdown(f"{name}Created {formatting.ago(link.created_at)}{by}, {end}", width="stretch")
        if link.is_open and (link.person == person.email or person.role.covers(Role.ADMIN)):
            st.button(
                "Revoke",
                key=f"share_revoke_{link.id}",
                icon=":material/link_off:",
                on_click=_revoke,
                args=(link.id,),
            )


def _make(page: str, targets: tuple[str, ...]) -> None:
    query = [
        (name, value)
        for name in st.query_params
        for value in st.query_params.get_all(name)
        if name != admission.TOKEN
    ]
    try:
        token = sharing.create(
            store(), page, urlencode(query), targets, days=int(st.session_state[DAYS_KEY])
        )
    except MnistDashError as error:
        st.toast(str(error), icon=":material/error:")
        return
    here = (st.context.url or f"/{page}").partition("?")[0]
    st.session_state[_MADE_KEY] = (
        targets,
        f"{here}?{urlencode([*query, (admission.TOKEN, token)])}",
    )


def _revoke(link_id: str) -> None:
    try:
        sharing.revoke(store(), link_id)
    except MnistDashError as error:
        st.toast(str(error), icon=":material/error:")
        return
    st.session_state.pop(_MADE_KEY, None)
