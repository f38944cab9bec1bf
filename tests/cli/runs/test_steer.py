"""Steering a run from a terminal."""

from __future__ import annotations

import os

import pytest

from mnist_dash.cli import main
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.optimizers import RMSprop
from mnist_dash.runs.actions import run_actions, steering
from mnist_dash.runs.execution.worker_records import Outcome
from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.engine import Job
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from tests.runs.actions.test_steering import train
from tests.runs.conftest import new_worker


def test_steers_a_run_through_its_life(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """Pause, resume, change, then a fork and a continuation; what cannot be done is a sentence and exit code 2."""
    run_id = run_actions.submit(store, RunConfig(epochs=3, batch_size=500))
    assert main(["pause", run_id]) == 0
    assert store.run(run_id).state is RunState.PAUSED
    assert main(["pause", run_id]) == 2
    assert main(["resume", run_id]) == 0
    records = new_worker(store, "played", pid=os.getpid())
    run = records.claim(Job(run_id, 2))
    assert run is not None
    assert main(["change", run_id, "--learning-rate", "1e-4", "--batch-size", "250"]) == 0
    train(store, records, run, 1)
    run = records.change(run)
    assert (run.config.at(2).optimizer.learning_rate, run.config.at(2).batch_size) == (1e-4, 250)
    train(store, records, run, 2, 3)
    records.finish(run, Outcome(RunState.FINISHED), files={})
    assert (
        main(
            [
                "fork",
                run_id,
                "--epoch",
                "2",
                "--optimizer",
                "rmsprop",
                "--learning-rate",
                "0.01",
                "--epochs",
                "5",
            ]
        )
        == 0
    )
    assert main(["continue", run_id, "--epochs", "4"]) == 0
    fork, longer = steering.children(store, run_id)
    assert (fork.epoch, fork.config.at(3).optimizer, fork.config.epochs) == (
        2,
        RMSprop(learning_rate=0.01),
        5,
    )
    assert artifacts.read(store, longer.id, ArtifactKind.CHECKPOINT) == b"checkpoint 3"
    assert "It starts after 2 epochs of run" in capsys.readouterr().out
    assert main(["change", run_id, "--batch-size", "5"]) == 2
    assert "Fork it instead" in capsys.readouterr().err
