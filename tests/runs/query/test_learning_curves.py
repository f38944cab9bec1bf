"""Curves of several runs at once are those that each run's history has."""

from __future__ import annotations

import os

import numpy as np

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.training.reports import EpochReport, StepReport
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.query.learning_curves import learning_curves
from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.engine import Job
from mnist_dash.runs.store.run_store import Store
from tests.runs.conftest import new_worker

CONFIG = RunConfig(epochs=2, batch_size=1000)


def test_curves_are_those_of_the_histories(store: Store) -> None:
    """Steps of finished and unfinished epochs in order, epochs in order, nothing for who has not begun."""
    records, ids = new_worker(store, "worker-1", pid=os.getpid()), []
    for seed in (1, 2):
        run = records.claim(
            Job(run_actions.submit(store, CONFIG.model_copy(update={"seed": seed})), 1)
        )
        assert run is not None
        steps = [StepReport(step, 1, float(step), 2.0 / step, 0.1 * step) for step in (1, 2, 3)]
        epoch = EpochReport(
            1, 50, 0.001, 0.5, 0.8, 0.4, 0.85, 0.3 + seed, 0.9, 0.3, 0.9, 1.0, 0.5, 50_000.0
        )
        records.record_epoch(
            run,
            steps,
            epoch,
            artifacts.write(store.settings, run.id, ArtifactKind.CHECKPOINT, b"state"),
        )
        records.renew(run, [StepReport(60, 2, 60.0, 0.1, 0.95)])
        ids.append(run.id)
    silent = run_actions.submit(store, CONFIG)
    found = learning_curves(store, [*ids, silent])
    for run_id in ids:
        history = store.history(run_id)
        assert np.array_equal(
            found[run_id].steps, history.steps[["step", "loss", "accuracy"]].to_numpy()
        )
        assert np.array_equal(
            found[run_id].epochs, history.epochs[["val_loss", "val_accuracy"]].to_numpy()
        )
    assert found[silent].steps.shape == (0, 3)
    assert found[silent].epochs.shape == (0, 2)
