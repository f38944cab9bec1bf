"""A run that was really trained, in a store without workers: what a worker would have written, from the engine itself."""

from __future__ import annotations

import os
import secrets

import sqlalchemy as sa

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.layers import Conv, Dense, Flatten, MaxPool
from mnist_dash.core.training import loop
from mnist_dash.core.training.reports import Checkpoint, EpochReport, StepReport
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.execution.processes import machine_id
from mnist_dash.runs.execution.worker_records import Outcome, WorkerIdentity, WorkerRecords
from mnist_dash.runs.store import artifacts, schema
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.engine import Job
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState

TINY = RunConfig(
    layers=(
        Conv(filters=4, kernel=5, stride=3),
        MaxPool(size=2),
        Flatten(),
        Dense(units=10, activation="softmax"),
    ),
    epochs=1,
    batch_size=500,
    device="cpu",
    precision="float32",
)
"""A second of training."""


def tags_of(store: Store, run_id: str) -> tuple[str, ...]:
    """Read the tags of one run in alphabetical order."""
    tags = schema.run_tags
    with store.reading() as connection:
        return tuple(
            connection.execute(
                sa.select(tags.c.tag).where(tags.c.run_id == run_id).order_by(tags.c.tag)
            ).scalars()
        )


def train_into(store: Store, config: RunConfig = TINY) -> Run:
    """Train a configuration here and now, and record it as a worker does."""
    records = WorkerRecords(
        store,
        WorkerIdentity(
            f"played {secrets.token_hex(4)}", "here", machine_id(), os.getpid(), "cpu", 2
        ),
    )
    records.sign_on()
    run = records.claim(Job(run_actions.submit(store, config), 1))
    assert run is not None
    steps: list[StepReport] = []
    epochs: list[EpochReport] = []
    states: list[Checkpoint] = []
    result = loop.train(
        config,
        data_dir=store.settings.data_dir,
        on_step=steps.append,
        on_epoch=epochs.append,
        on_checkpoint=states.append,
        should_stop=lambda: False,
    )
    for report, state in zip(epochs, states, strict=True):
        file = artifacts.write(store.settings, run.id, ArtifactKind.CHECKPOINT, state.payload)
        records.record_epoch(
            run, [step for step in steps if step.epoch == report.epoch], report, file
        )
    assert result.test_probabilities is not None
    contents = {
        ArtifactKind.WEIGHTS: result.weights,
        ArtifactKind.TEST_PROBABILITIES: artifacts.pack_probabilities(result.test_probabilities),
    }
    files = {
        kind: artifacts.write(store.settings, run.id, kind, content)
        for kind, content in contents.items()
    }
    outcome = Outcome(
        RunState.FINISHED,
        "All epochs are done.",
        device="cpu",
        precision="float32",
        best_epoch=result.best_epoch,
        test_accuracy=result.test_accuracy,
        test_loss=result.test_loss,
        n_test=len(result.test_probabilities),
    )
    records.finish(run, outcome, files=files)
    return store.run(run.id)
