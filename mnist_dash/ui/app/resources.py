"""What all sessions of this server share: the settings, the store, and reads that are done once for all of them."""

from __future__ import annotations

import gc
import importlib

import streamlit as st

from mnist_dash.runs.store.records import History
from mnist_dash.runs.store.run_store import Store
from mnist_dash.settings import Settings
from mnist_dash.ui.app import admission

LOADED_AHEAD = (
    "mnist_dash.ui.app.entry",
    "mnist_dash.ui.forms.train_settings",
    "mnist_dash.ui.pages.train.launch",
    "mnist_dash.ui.pages.run.results",
    "mnist_dash.figures.base.confusion",
    "mnist_dash.core.analysis.evaluation",
)
"""What the Train page imports, then what the page of the first run does."""


def store() -> Store:
    """Give this server's store, acting for whoever looks on in this session. The first call opens it.

    Raises:
        NotAllowed: nobody who may look on.
        StoreError: it cannot be opened.
    """
    settings = admission.settings()
    person = admission.person(settings, lambda: shared_store(settings))
    return shared_store(settings).acting_for(person)


@st.cache_resource(show_spinner=False)
def shared_store(settings: Settings) -> Store:
    """Open the store, once for all sessions; whoever asks for it has seen to who may."""
    return Store.open(settings)


def load_ahead() -> None:
    """Load what the first pages need, before anybody asks for one where there is time: seconds of imports."""
    for name in LOADED_AHEAD:
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
