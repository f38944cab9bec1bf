"""The real pages on a real store in a folder of the test's own; no workers: the tests write what a worker would."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.runtime.scriptrunner import RerunData, RerunException
from streamlit.runtime.state.safe_session_state import SafeSessionState
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.data.idx import read_labels
from mnist_dash.core.training.reports import EpochReport, StepReport
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.execution.processes import machine_id
from mnist_dash.runs.execution.worker_records import Outcome, WorkerIdentity, WorkerRecords
from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.engine import Job
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.settings import Settings
from mnist_dash.ui.server.options import SCRIPT
from tests.new_store import new_store
from tests.waiting import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]
CONFIG = RunConfig(epochs=3, batch_size=500)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The store that the pages open, in an empty folder."""
    monkeypatch.setenv("MNIST_DASH_HOME", str(tmp_path))
    monkeypatch.setenv("MNIST_DASH_WORKERS", "0")
    opened = new_store(Settings.from_environment())
    yield opened
    from mnist_dash.ui.app import resources

    resources.store().close()
    opened.close()
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def records(store: Store) -> WorkerRecords:
    """A worker that the test plays."""
    signed_on = WorkerRecords(
        store, WorkerIdentity("played", "here", machine_id(), os.getpid(), "cpu", 2)
    )
    signed_on.sign_on()
    return signed_on


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    """Put back what AppTest replaces: processes that tests start afterwards begin with the main module."""
    kept = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = kept


@pytest.fixture
def app(store: Store) -> AppTest:
    """The dashboard, not yet drawn."""
    return AppTest.from_file(str(SCRIPT), default_timeout=PATIENCE_SECONDS)


@pytest.fixture
def open_page(app: AppTest) -> Callable[..., AppTest]:
    """Open a page by its name, with query parameters."""

    def opened(name: str, **query: str) -> AppTest:
        if name != "train":
            # As a browser that arrives at the page's address; `switch_page` would draw the first page before.
            app._page_hash = calc_hash(name)
        for key, value in query.items():
            app.query_params[key] = value
        app.run()
        assert not app.exception
        return app

    return opened


@pytest.fixture
def click_during(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let a click come in while a function works: from then on the next write into the session's state ends the callback, once."""

    def during(target: str) -> None:
        work, write, clicks = resolve_name(target), SafeSessionState.__setitem__, ["the second"]
        waiting: list[str] = []

        def worked(*args: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the function takes and gives
            done = work(*args, **named)
            waiting.extend(clicks)
            clicks.clear()
            return done

        def written(state: SafeSessionState, key: str, value: Any) -> None:  # noqa: ANN401 - what the session keeps
            if waiting:
                waiting.clear()
                raise RerunException(RerunData())
            write(state, key, value)

        monkeypatch.setattr(target, worked)
        monkeypatch.setattr(SafeSessionState, "__setitem__", written)

    return during


@pytest.fixture
def train(store: Store, records: WorkerRecords) -> Callable[..., Run]:
    """Play a run to its end, or as far as asked: the rows and files that a worker would write."""

    def trained(
        config: RunConfig = CONFIG,
        *,
        state: RunState | None = RunState.FINISHED,
        epochs: int = 3,
        reason: str = "",
        preset: str | None = None,
    ) -> Run:
        run = records.claim(Job(run_actions.submit(store, config, preset=preset), 1))
        assert run is not None
        checkpoint = artifacts.write(store.settings, run.id, ArtifactKind.CHECKPOINT, b"checkpoint")
        for epoch in range(1, epochs + 1):
            step = epoch * config.steps_per_epoch
            accuracy = 0.9 + 0.02 * epoch
            figures = (0.3, 0.9, 0.2, accuracy, 0.25, accuracy - 0.01, 0.26, accuracy - 0.02)
            report = EpochReport(epoch, step, 0.001, *figures, 1.0, 0.2, 50_000.0)
            records.record_epoch(
                run, [StepReport(step, epoch, 1.2 * epoch, 0.3, 0.9)], report, checkpoint
            )
        if state is not None:
            _finish(store, records, run, state, reason)
        return store.run(run.id)

    return trained


def _finish(store: Store, records: WorkerRecords, run: Run, state: RunState, reason: str) -> None:
    if state is not RunState.FINISHED:
        records.finish(run, Outcome(state, reason), files={})
        return
    labels = read_labels("mnist", "test", store.settings.data_dir)
    # Two in a hundred are wrong.
    guesses = np.where(np.arange(len(labels)) % 50 == 0, (labels + 1) % 10, labels)
    content = artifacts.pack_probabilities(np.eye(10, dtype=np.float32)[guesses])
    files = {
        ArtifactKind.TEST_PROBABILITIES: artifacts.write(
            store.settings, run.id, ArtifactKind.TEST_PROBABILITIES, content
        ),
        ArtifactKind.WEIGHTS: artifacts.write(
            store.settings, run.id, ArtifactKind.WEIGHTS, b"weights"
        ),
    }
    outcome = Outcome(
        state,
        reason,
        device="cpu",
        precision="float32",
        best_epoch=3,
        test_accuracy=0.98,
        test_loss=0.07,
        n_test=10_000,
    )
    records.finish(run, outcome, files=files)


def texts(app: AppTest) -> str:
    """Everything that a page says, in one text."""
    kinds = ("title", "subheader", "markdown", "caption", "error", "warning", "info", "toast")
    return "\n".join(str(element.value) for kind in kinds for element in app.get(kind))  # type: ignore[union-attr]
