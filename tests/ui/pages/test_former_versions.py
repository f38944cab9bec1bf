"""Runs and studies of former versions on today's pages: what those versions did not record is left out, and nothing fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from mnist_dash.runs.store.run_store import Store
from mnist_dash.search.studies import study_store
from mnist_dash.settings import Settings
from mnist_dash.ui.app import resources
from tests.fixtures.databases.make import unpack
from tests.ui.conftest import texts

NAMES = ("version_1_one_artifact_of_a_kind", "version_2", "version_3", "version_4")


@pytest.fixture(params=NAMES)
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    """The store that the pages open: one that a former version has left, without its files."""
    monkeypatch.setenv("MNIST_DASH_HOME", str(tmp_path))
    monkeypatch.setenv("MNIST_DASH_WORKERS", "0")
    unpack(request.param, tmp_path)
    opened = Store.open(Settings.from_environment())
    yield opened
    resources.store().close()
    opened.close()
    st.cache_resource.clear()
    st.cache_data.clear()


def test_each_run_has_its_page(open_page: Callable[..., AppTest], store: Store) -> None:
    """Whatever a run ended as, its page says so and draws what it recorded; a file that is gone is a sentence."""
    for run in store.runs():
        assert run.reason in texts(open_page("run", run=run.id))


def test_lists_and_comparisons_show_them(open_page: Callable[..., AppTest], store: Store) -> None:
    """The table of runs, two runs by their test accuracy over the epochs, and the studies with their trials."""
    ended = [run.id for run in store.runs() if run.state.is_terminal]
    open_page("runs")
    open_page("compare", runs=",".join(ended[:4]), metric="test_accuracy")
    for study in study_store.all_studies(store):
        app = open_page("study", study=study.id)
        assert study.name in texts(app)
