"""Studies whose runs a test plays: the rows that a worker would write, so that thousands of epochs take no time."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.training.reports import EpochReport
from mnist_dash.runs.execution.worker_records import Outcome, WorkerRecords
from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.engine import Job
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.search.actions import steering
from mnist_dash.search.definition.study_definition import StudyDefinition
from mnist_dash.search.definition.study_files import parse_study
from mnist_dash.search.engine.advance import Advancer
from mnist_dash.search.studies.records import StudyState
from mnist_dash.settings import Settings
from tests.databases import settings_with_database
from tests.new_store import new_store
from tests.runs.conftest import new_worker

TEXT = """
name: {name}
set: {{epochs: 3, layers: [{{kind: flatten}}, {{kind: dense, units: 10, activation: softmax}}]}}
space:
  optimizer.kind: [sgd, adam]
  optimizer.learning_rate: {{low: 0.0001, high: 1, log: true}}
  optimizer.momentum: {{low: 0, high: 0.9, when: {{optimizer.kind: sgd}}}}
  batch_size: {{low: 64, high: 2048, log: true}}
sampler: {sampler}
pruner: {pruner}
budget: {trials}
parallelism: {parallelism}
keep: {keep}
"""
Score = Callable[[RunConfig, int], float]


def define(
    name: str = "played",
    *,
    sampler: str = "tpe",
    pruner: str = "none",
    trials: int = 20,
    parallelism: int = 1,
    keep: str = "best 2",
) -> StudyDefinition:
    """Define a small study."""
    return parse_study(
        TEXT.format(
            name=name,
            sampler=sampler,
            pruner=pruner,
            trials=trials,
            parallelism=parallelism,
            keep=keep,
        )
    )


def accuracy(config: RunConfig, epoch: int) -> float:
    """Score a configuration: best at a rate of 0.01 and a batch of 256, better with every epoch."""
    rate, batch = math.log10(config.optimizer.learning_rate) + 2, math.log2(config.batch_size) - 8
    return (
        0.95
        - 0.03 * rate**2
        - 0.005 * batch**2
        - 0.1 / epoch
        - (0.02 if config.optimizer.kind == "sgd" else 0.0)
    )


class Player:
    """A study, the process that advances it and the worker of its runs, all played by the test, step by step."""

    def __init__(
        self, store: Store, definition: StudyDefinition, *, score: Score = accuracy
    ) -> None:
        self.store = store
        self.id = steering.create(store, definition)
        self.score = score
        self.ledger: WorkerRecords = new_worker(store, f"player-{self.id}", pid=os.getpid())
        self.take_over("first")

    def take_over(self, holder: str) -> None:
        """Be another process that has taken the study over, with nothing in memory."""
        from mnist_dash.runs.store import schema

        with self.store.writing() as connection:
            connection.execute(
                schema.studies.update().where(schema.studies.c.id == self.id).values(held_by=holder)
            )
        self.advancer = Advancer(self.store, self.id, holder)

    def train_one(self, *, state: RunState = RunState.FINISHED) -> str | None:
        """Train the oldest queued run epoch by epoch, the study advanced after each; None where none waits."""
        queued = self.store.queue()
        if not queued:
            return None
        run = self.ledger.claim(Job(queued[0].id, queued[0].attempt + 1))
        assert run is not None
        config = run.config
        for epoch in range(1, config.epochs + 1):
            value = self.score(config, epoch)
            if not math.isfinite(value) or state is RunState.DIVERGED:
                self.ledger.finish(
                    run, Outcome(RunState.DIVERGED, "The loss is not a number."), files={}
                )
                return run.id
            figures = (0.3, 0.9, 0.2, value, 1 - value, value, 0.26, value)
            report = EpochReport(
                epoch, epoch * config.steps_per_epoch, 0.001, *figures, 1.0, 0.1, 50_000.0
            )
            checkpoint = artifacts.write(
                self.store.settings, run.id, ArtifactKind.CHECKPOINT, b"checkpoint"
            )
            stopped = self.ledger.record_epoch(run, [], report, checkpoint)
            self.advancer.step()
            if stopped or self.store.run(run.id).stop_requested:
                self.ledger.finish(run, Outcome(RunState.STOPPED, "Stopped."), files={})
                return run.id
        self.ledger.finish(
            run,
            Outcome(state, best_epoch=config.epochs, test_accuracy=value, test_loss=0.1),
            files={},
        )
        return run.id

    def go(self, *, steps: int = 10_000) -> StudyState:
        """Advance and train until the study has ended, or for so many runs."""
        for _ in range(steps):
            state = self.advancer.step()
            if state.has_ended or (self.train_one() is None and state is not StudyState.RUNNING):
                return state
        return self.advancer.step()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings that keep everything below the test's folder, with a lease of two seconds."""
    return settings_with_database(
        {"MNIST_DASH_HOME": str(tmp_path), "MNIST_DASH_LEASE_SECONDS": "2"}
    )


@pytest.fixture
def store(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An open, empty store; the test itself advances the studies in it."""
    monkeypatch.setattr(steering, "ensure_study_runner", lambda _settings: None)
    opened = new_store(settings)
    yield opened
    opened.close()
