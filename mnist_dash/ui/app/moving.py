"""Parts of a page that draw themselves anew while something lives."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import streamlit as st

from mnist_dash import formatting
from mnist_dash.errors import MnistDashError
from mnist_dash.runs.store.patience import TRANSIENT
from mnist_dash.ui.app import admission
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.app.visitor import error_sentence

Arguments = ParamSpec("Arguments")
RETRY_SECONDS = 2.0
_SINCE_KEY = "database_silent_since"


def moving(section: Callable[Arguments, None], *, every: float | None) -> Callable[Arguments, None]:
    """Make a part of a page draw itself anew every so many seconds; not at all where None.

    While the database does not answer, the part says so, and for how long, and comes back by itself.
    """

    @wraps(section)
    def draw(*arguments: Arguments.args, **options: Arguments.kwargs) -> None:
        try:
            section(*arguments, **options)
        except TRANSIENT as error:
            _say(error)
        else:
            st.session_state.pop(_SINCE_KEY, None)

    drawn: Callable[Arguments, None] = st.fragment(run_every=every)(draw)
    return drawn


def wait_for_database(error: MnistDashError) -> None:
    """Say in a page's place that the database does not answer, and draw the page as soon as it does."""
    first = [error]

    def look() -> None:
        try:
            if first:
                raise first.pop()
            store().revision()
        except TRANSIENT as later:
            _say(later)
        else:
            st.session_state.pop(_SINCE_KEY, None)
            st.rerun()

    st.fragment(run_every=RETRY_SECONDS)(look)()


def _say(error: MnistDashError) -> None:
    since = st.session_state.setdefault(_SINCE_KEY, time.monotonic())
    silent = formatting.duration(time.monotonic() - since)
    waits = f"The database has not answered for {silent}. Training goes on, and this page comes back by itself. "
    st.warning(
        (waits if admission.is_admin() else "") + error_sentence(error), icon=":material/cloud_off:"
    )
