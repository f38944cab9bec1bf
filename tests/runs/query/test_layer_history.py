"""Layers by epoch on their way from the trainer to the page, and out of the store with their run."""

from __future__ import annotations

import os
from pathlib import Path

import sqlalchemy as sa

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.layers import Dense, Flatten
from mnist_dash.core.training.loop import MEASURED_EPOCHS, is_kept, train
from mnist_dash.core.training.reports import EpochReport
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.query.layer_history import layer_history
from mnist_dash.runs.store import artifacts, schema
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.engine import Job
from mnist_dash.runs.store.run_store import Store
from tests.runs.conftest import new_worker

CONFIG = RunConfig(
    layers=(Flatten(), Dense(units=8), Dense(units=10, activation="softmax")),
    epochs=2,
    batch_size=1000,
)


def test_every_epoch_is_measured_and_recorded(store: Store, tmp_path: Path) -> None:
    """What a real training reports is what the page reads."""
    reports: list[EpochReport] = []
    train(
        CONFIG,
        data_dir=tmp_path / "data",
        on_step=lambda _: None,
        on_epoch=reports.append,
        on_checkpoint=lambda _: None,
        should_stop=lambda: False,
    )
    records = new_worker(store, "worker-1", pid=os.getpid())
    run = records.claim(Job(run_actions.submit(store, CONFIG), 1))
    assert run is not None
    for report in reports:
        file = artifacts.write(store.settings, run.id, ArtifactKind.CHECKPOINT, b"state")
        records.record_epoch(run, [], report, file)
    found = layer_history(store, run.id)
    assert list(found) == [1, 2]
    for layers in found.values():
        assert list(layers) == ["dense_1", "dense_2"]
        assert layers["dense_1"].activations.quantiles[0] == 0
        assert layers["dense_1"].dead is not None
        assert layers["dense_2"].dead is None
    assert found[1]["dense_1"].weights != found[2]["dense_1"].weights
    assert "layers" not in store.history(run.id).epochs.columns
    with store.reading() as connection:
        assert (
            connection.execute(
                sa.select(sa.func.max(sa.func.length(schema.epoch_layers.c.layers)))
            ).scalar_one()
            < 1000
        )


def test_long_runs_are_measured_now_and_then() -> None:
    """At most a hundred times, and always after the last epoch."""
    for n_epochs in (1, 50, 100, 101, 999, 10_000):
        measured = [
            epoch
            for epoch in range(1, n_epochs + 1)
            if is_kept(epoch, n_epochs, most=MEASURED_EPOCHS)
        ]
        assert len(measured) <= MEASURED_EPOCHS
        assert measured[-1] == n_epochs
