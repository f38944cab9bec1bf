"""What a study's page draws from, brought up to date by what has changed, once for all sessions."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import streamlit as st

from mnist_dash.reports.study_snapshot import Snapshot, read_snapshot
from mnist_dash.search.studies import study_store
from mnist_dash.ui.app.resources import store


@dataclass
class _Memory:
    """The last snapshot of a study, and the lock of whoever makes the next."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    snapshot: Snapshot | None = None


def snapshot(study_id: str) -> Snapshot:
    """Give the study as it is now; reads only what has changed since the last time anybody asked.

    Raises:
        UnknownStudy: no study has this id.
    """
    opened = store()
    opened.check_readable((study_id,))
    memory = _memory_of(opened.settings.database_url, study_id)
    with memory.lock:
        former = memory.snapshot
        revision = study_store.revision(opened, study_id)
        if former is not None and former.study.revision == revision:
            return former
        study = study_store.find(opened, study_id)
        memory.snapshot = read_snapshot(opened, study, former)
        return memory.snapshot


@st.cache_resource(show_spinner=False, max_entries=32)
def _memory_of(database_url: str, study_id: str) -> _Memory:  # noqa: ARG001 - the arguments are the cache's key
    return _Memory()
