"""Submitting what was composed so that it is done once, however often the button is pressed."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import streamlit as st

from mnist_dash.errors import InvalidInput, MnistDashError
from mnist_dash.ui.forms.draft_session import DraftSession

T = TypeVar("T")
DOUBLE_CLICK_SECONDS = 3.0
"""A second press on the same draft within this time is the same press, even if the page has changed in between."""


@dataclass(frozen=True)
class Submission(Generic[T]):
    """What was submitted last in this session."""

    key: str
    """Names it in the store: the same key again is the same run or study."""
    mark: str
    """Tells whether a draft is the one that was submitted."""
    content: T
    visit: int
    moment: float


def submit(
    session: DraftSession[Any], mark: str, content: T, send: Callable[[T, str], str]
) -> str | None:
    """Submit something and say why where it is refused; the same mark again in one visit is the same submission.

    Args:
        session: of the draft.
        mark: tells the draft from others.
        content: what is submitted, unless it was submitted already.
        send: submits a content under a key and gives its id; the same key again gives the same id.

    Returns:
        The id, or None where it was refused.
    """
    submission = _repeated(session, mark) or Submission(
        uuid.uuid4().hex, mark, content, session.visit, time.monotonic()
    )
    # First, because once a second click is in, Streamlit ends this callback at its next word with the session.
    st.session_state[_key(session)] = submission
    try:
        submitted = send(submission.content, submission.key)
    except MnistDashError as error:
        if isinstance(error, InvalidInput):
            # Nothing was done, and another content may do, such as another name.
            st.session_state.pop(_key(session))
        session.refuse(str(error))
        return None
    session.allow()
    return submitted


def is_submitted(session: DraftSession[Any], mark: str) -> bool:
    """Say whether this draft was submitted in this visit."""
    former = _former(session)
    return former is not None and (former.mark, former.visit) == (mark, session.visit)


def _repeated(session: DraftSession[Any], mark: str) -> Submission[Any] | None:
    """Find the submission that another press repeats."""
    former = _former(session)
    if former is None or former.mark != mark:
        return None
    is_same = (
        former.visit == session.visit or time.monotonic() - former.moment < DOUBLE_CLICK_SECONDS
    )
    return former if is_same else None


def _former(session: DraftSession[Any]) -> Submission[Any] | None:
    former: Submission[Any] | None = st.session_state.get(_key(session))
    return former


def _key(session: DraftSession[Any]) -> str:
    return f"{session.name}_submission"
