"""Analyses: asked for once, computed by a real process, taken again when it is killed, gone with their run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import sqlalchemy as sa

from mnist_dash.core.analysis.embedding import Embedding, EmbeddingParameters
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.errors import ArtifactError, UnknownRun
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.execution import analyses
from mnist_dash.runs.execution.analyses import Analysis, AnalysisKind, AnalysisState
from mnist_dash.runs.execution.analyst import Analyst
from mnist_dash.runs.execution.supervisor import ONE_THREAD, child_environment
from mnist_dash.runs.store import artifacts, schema
from mnist_dash.runs.store.artifact_policy import empty_bin
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.run_store import Store
from tests.source_tree import ROOT
from tests.waiting import wait_until

KIND = AnalysisKind.EMBEDDING
SMALL = EmbeddingParameters(n_points=300, perplexity=20).model_dump()


pytestmark = pytest.mark.usefixtures("no_analyst_is_left")


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask without starting an analyst."""
    monkeypatch.setattr(analyses, "ensure_analyst", lambda _settings: None)


def ask(store: Store, **changes: object) -> Analysis:
    """Ask for an embedding of a new run's pixels."""
    return analyses.request(store, run_actions.submit(store, RunConfig()), KIND, SMALL | changes)


def now(store: Store, analysis: Analysis) -> Analysis:
    """Read an analysis anew."""
    found = analyses.find(store, analysis.run_id, KIND, SMALL)
    assert found is not None
    return found


def read_embedding(store: Store, analysis: Analysis) -> Embedding:
    """Read what an analysis has left."""
    return Embedding.unpack(
        artifacts.read(store, analysis.run_id, ArtifactKind.EMBEDDING, analysis.part)
    )


def test_process_computes_what_was_asked_for(store: Store) -> None:
    """A request starts an analyst, which leaves the artifact; asking again gives the same analysis."""
    asked = ask(store)
    wait_until(lambda: not now(store, asked).state.is_live, "the analysis ends")
    done = analyses.request(store, asked.run_id, KIND, SMALL)
    assert (done.state, done.reason, done.fraction, done.attempt) == (
        AnalysisState.DONE,
        "",
        1.0,
        1,
    )
    assert read_embedding(store, done).points.shape == (300, 2)


def test_killed_analyst_is_replaced(store: Store) -> None:
    """One killed by signal 9 in the middle leaves a row that the next one takes again and finishes."""
    asked = ask(store)
    wait_until(lambda: now(store, asked).state is AnalysisState.RUNNING, "it runs")
    first = analyses._started[store.settings.database_url]
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert now(store, asked).state is AnalysisState.RUNNING
    analyses.ensure_analyst(store.settings)
    wait_until(lambda: not now(store, asked).state.is_live, "the second attempt ends")
    assert (now(store, asked).state, now(store, asked).attempt) == (AnalysisState.DONE, 2)
    assert np.isfinite(read_embedding(store, asked).points).all()


@pytest.mark.slow
def test_second_analyst_ends_at_once(store: Store) -> None:
    """A machine and store have one analyst: another finds the lock taken and leaves."""
    asked = ask(store)
    wait_until(lambda: now(store, asked).state is not AnalysisState.QUEUED, "the first works")
    command = [sys.executable, "-m", "mnist_dash.runs.execution.analyst"]
    done = subprocess.run(
        command,
        env=child_environment(store.settings) | ONE_THREAD,
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert "Another analyst" in done.stderr


@pytest.mark.usefixtures("by_hand")
def test_asking_twice_is_one_row(store: Store) -> None:
    """The same run, kind and parameters are one analysis, in whatever order they are written; others are another."""
    asked = ask(store)
    again = analyses.request(store, asked.run_id, KIND, dict(reversed(SMALL.items())))
    other = analyses.request(store, asked.run_id, KIND, SMALL | {"seed": 1})
    assert again == asked
    assert other.part != asked.part
    with pytest.raises(UnknownRun):
        analyses.request(store, "deadbeef", KIND, SMALL)


@pytest.mark.usefixtures("by_hand")
def test_failure_is_a_sentence_and_can_be_asked_again(store: Store) -> None:
    """What cannot be computed says why; asking again queues it again."""
    run_id = run_actions.submit(store, RunConfig())
    parameters = SMALL | {"layer": 1}
    analyses.request(store, run_id, KIND, parameters)
    analyst = Analyst(store)
    claimed = analyst.claim()
    assert claimed is not None
    analyst.execute(claimed)
    failed = analyses.find(store, run_id, KIND, parameters)
    assert failed is not None
    assert failed.state is AnalysisState.FAILED
    assert "weights" in failed.reason
    assert analyses.request(store, run_id, KIND, parameters).state is AnalysisState.QUEUED


@pytest.mark.usefixtures("by_hand")
def test_late_analyst_cannot_write(store: Store) -> None:
    """One whose row another attempt has finds no row to write, and its artifact is not kept."""
    asked = ask(store, method="pca")
    late, quick = Analyst(store), Analyst(store)
    first = late.claim()
    second = quick.claim()  # of the same machine, so the first counts as dead
    assert first is not None
    assert second is not None
    assert (first.attempt, second.attempt) == (1, 2)
    late.execute(first)
    with pytest.raises(ArtifactError):
        read_embedding(store, asked)
    quick.execute(second)
    assert read_embedding(store, asked).points.shape == (300, 2)
    assert len(list(store.settings.artifact_dir.rglob("embedding-*"))) == 1


@pytest.mark.usefixtures("by_hand")
def test_analysis_that_kills_its_analysts_is_given_up(store: Store) -> None:
    """After as many attempts as a run has it fails, and the reason says so."""
    asked = ask(store)
    analyst = Analyst(store)
    for attempt in range(store.settings.max_attempts):
        claimed = analyst.claim()
        assert claimed is not None
        assert claimed.attempt == attempt + 1
    assert analyst.claim() is None
    assert "given up after 5 attempts" in now(store, asked).reason


@pytest.mark.usefixtures("by_hand")
def test_deleted_run_takes_its_analyses_along(store: Store) -> None:
    """Emptying the bin removes rows and files."""
    asked = ask(store, method="pca")
    analyst = Analyst(store)
    claimed = analyst.claim()
    assert claimed is not None
    analyst.execute(claimed)
    run_actions.stop(store, asked.run_id)
    run_actions.delete(store, [asked.run_id])
    assert empty_bin(store, older_than_days=0) == 1
    with store.reading() as connection:
        assert (
            connection.execute(sa.select(sa.func.count()).select_from(schema.analyses)).scalar_one()
            == 0
        )
    assert list(store.settings.artifact_dir.rglob("embedding-*")) == []
