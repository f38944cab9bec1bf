"""What all sessions of this server share: the settings, the store, and reads that are done once for all of them."""

from __future__ import annotations

import gc
import importlib
import threading

import streamlit as st

from mnist_dash.runs.execution.supervisor import ensure_workers
from mnist_dash.runs.store.records import History
from mnist_dash.runs.store.run_store import Store
from mnist_dash.settings import Settings
from mnist_dash.ui.app import admission


def store() -> Store:
    """Give this server's store, acting for whoever looks on in this session.

    The first call opens it, and every call sees to it that the local workers run and studies are advanced, unless the server is read-only.

    Raises:
        NotAllowed: nobody who may look on.
        StoreError: it cannot be opened.
    """
    settings = admission.settings()
    person = admission.person(settings, lambda: _open(settings))
    opened = _open(settings).acting_for(person)
    ensure_workers(opened.settings, companions=["mnist_dash.search.engine.study_runner"])
    return opened


@st.cache_resource(show_spinner=False)
def _open(settings: Settings) -> Store:
    threading.Thread(target=_load_ahead, name="load-ahead", daemon=True).start()
    return Store.open(settings)


def _load_ahead() -> None:
    """Load what the first run's page and the Draw page need while the first person still looks at the Train page: a second of imports."""
    for name in ("mnist_dash.figures.base.confusion", "mnist_dash.core.analysis.evaluation"):
        importlib.import_module(name)
    curves = importlib.import_module("mnist_dash.figures.base.curves")
    curves.draw_curves((), metric="loss", options=curves.CurveOptions()).to_json()
    importlib.import_module("mnist_dash.core.analysis.predictor").load_ahead()
    # Streamlit collects garbage after each run of a page and of each part that ticks. Looking through all that was loaded takes 0.14 s of
    # processor time each time, which is more than a tick takes; none of it ever becomes garbage.
    gc.collect()
    gc.freeze()


def history(run_id: str, revision: int) -> History:
    """Read a run's history, once for all sessions that look at this revision of it."""
    return _history(store().settings.database_url, run_id, revision)


@st.cache_resource(show_spinner=False, max_entries=64)
def _history(_database_url: str, run_id: str, revision: int) -> History:  # noqa: ARG001 - the revision is part of the cache's key
    return store().history(run_id)
