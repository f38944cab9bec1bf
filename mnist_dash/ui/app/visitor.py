"""What the pages show of who looks on: how to sign in and out, what is left out for those who may only look, where share links end."""

from __future__ import annotations

import streamlit as st

from mnist_dash import formatting
from mnist_dash.errors import (
    InvalidInput,
    MnistDashError,
    NotAllowed,
    StorageFull,
    StoreError,
    StoreUnavailable,
)
from mnist_dash.redaction import redact
from mnist_dash.runs.store.identities import Role
from mnist_dash.ui.app import admission
from mnist_dash.ui.app.resources import store

LOOKING_ON = "View only. Sign in as an editor to change things."
_READ_ONLY = "View only: this server is read-only."
SHARED_PAGES = ("run", "compare", "study")
"""The pages that a session with a share link may open; what it may read there is checked in the store."""


def may_edit() -> bool:
    """Say whether whoever looks on may change things: pages leave out what they may not do, and actions refuse it."""
    return store().person.role.covers(Role.EDITOR)


def may_administer() -> bool:
    """Say whether whoever looks on is an admin."""
    return store().person.role.covers(Role.ADMIN)


def has_share_link() -> bool:
    """Say whether whoever looks on came by a share link, and so sees nothing beside it."""
    return store().person.only is not None


def error_sentence(error: MnistDashError) -> str:
    """Say what went wrong: all of it to who runs the server; to others nothing of its database, its disk and its folders."""
    if admission.is_admin():
        return redact(str(error))
    match error:
        case InvalidInput():
            return redact(str(error))
        case StoreUnavailable():
            return "The database does not answer. This page comes back by itself when it does."
        case StoreError():
            return "The database cannot be used. Tell whoever runs this dashboard."
        case StorageFull():
            return "The disk of the server refuses to be written. Tell whoever runs this dashboard."
    found, text = admission.settings(), redact(str(error))
    for folder in (found.artifact_dir, found.data_dir, found.home):
        text = text.replace(str(folder), "…")
    return text


def looking_on() -> None:
    """Say in a quiet sentence why nothing can be changed here."""
    st.caption(
        f":material/visibility: {_READ_ONLY if store().settings.access.read_only else LOOKING_ON}"
    )


def check_page(page: str) -> None:
    """Check that whoever looks on may open a page.

    Raises:
        NotAllowed: a share link does not lead there.
    """
    if has_share_link() and page not in SHARED_PAGES:
        raise NotAllowed(
            "This share link does not include this page. Open the link again, or sign in to see more."
        )


def sign_in_buttons() -> None:
    """Offer to sign in, where that is configured and nobody has."""
    if st.user.to_dict().get("is_logged_in"):
        st.button(
            "Sign out",
            key="visitor_out",
            icon=":material/logout:",
            type="tertiary",
            on_click=st.logout,
        )
        return
    for name in admission.providers():
        label = "Sign in" if name is None else f"Sign in with {formatting.plain(name)}"
        st.button(
            label,
            key=f"visitor_in_{name}",
            icon=":material/login:",
            type="tertiary",
            on_click=st.login,
            args=() if name is None else (name,),
        )


def badge() -> None:
    """Draw who looks on, and the way to sign in or out; nothing on a machine of one's own."""
    person = store().person
    if person.only is not None:
        st.caption(":material/visibility: Shared view, read-only.")
        return
    if not admission.providers():
        if not may_edit():
            looking_on()
        return
    name = "a visitor" if person.email is None else formatting.plain(person.email)
    st.caption(f":material/person: {name}, {person.role}")
    sign_in_buttons()
    if not may_edit():
        looking_on()
