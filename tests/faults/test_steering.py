"""Runs that are steered while a real worker trains them, held against their configuration trained at once."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import numpy as np
import pytest

from mnist_dash.core.config.run_config import RunConfig, TailSplit
from mnist_dash.core.layers import Dense, Dropout, Flatten
from mnist_dash.runs.actions import run_actions, steering
from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.events import EventKind, events_of
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

CONFIG = RunConfig(
    layers=(Flatten(), Dense(units=128), Dropout(rate=0.2), Dense(units=10, activation="softmax")),
    split=TailSplit(fraction=0.5),
    batch_size=64,
    epochs=6,
)


def test_a_steered_run_is_its_configuration(
    store: Store, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    """Changed live, paused, resumed, and continued: each gives the weights of its configuration trained from the start."""
    start("mnist_dash", "worker", "--threads", "1", stderr=subprocess.DEVNULL)
    run_id = run_actions.submit(store, CONFIG)
    wait_until(lambda: store.run(run_id).epoch >= 1, "an epoch")
    steering.change(store, run_id, {"learning_rate": 1e-4, "batch_size": 128})
    wait_until(lambda: bool(store.run(run_id).config.changes), "the change")
    steering.pause(store, run_id)
    wait_until(lambda: store.run(run_id).state is RunState.PAUSED, "the pause")
    paused = store.run(run_id)
    assert 1 < paused.epoch < CONFIG.epochs
    wait_until(
        lambda: any(worker.state == "idle" for worker in store.workers()), "a worker that is free"
    )
    steering.resume(store, run_id)
    wait_until(lambda: store.run(run_id).state.is_terminal, "the end")
    run = store.run(run_id)
    assert run.state is RunState.FINISHED, run.reason
    longer = steering.continue_run(store, run_id, 7)
    assert store.run(longer).epoch == 6
    twins = {
        run_id: run_actions.submit(store, run.config),
        longer: run_actions.submit(store, store.run(longer).config),
    }
    wait_until(
        lambda: all(store.run(twin).state.is_terminal for twin in (*twins, *twins.values())),
        "all ends",
    )
    for steered, whole in twins.items():
        weights = [artifacts.read(store, one, ArtifactKind.WEIGHTS) for one in (steered, whole)]
        assert weights[0] == weights[1]
        figures = [
            store.history(one).epochs[["epoch", "step", "learning_rate", "train_loss", "val_loss"]]
            for one in (steered, whole)
        ]
        assert np.array_equal(figures[0].to_numpy(), figures[1].to_numpy())
        assert store.history(steered).steps["step"].is_unique
    kinds = [event.kind for event in events_of(store, run_id)]
    assert kinds == [
        EventKind.ASKED,
        EventKind.CHANGED,
        EventKind.ASKED,
        EventKind.PAUSED,
        EventKind.RESUMED,
    ]
