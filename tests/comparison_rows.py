"""Finished runs written as if they had been trained: for tests and benchmarks of comparisons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mnist_dash.core.config.run_config import RunConfig, canonical_json
from mnist_dash.core.data.idx import read_labels
from mnist_dash.runs.store import artifacts, schema
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState


def add_runs(
    store: Store,
    configs: Sequence[RunConfig],
    accuracies: Sequence[float],
    *,
    n_epochs: int = 3,
    first: int = 0,
    **more: object,
) -> list[str]:
    """Write a finished run of each configuration with its test accuracy and a history; returns their ids, the oldest first.

    Args:
        store: where to.
        configs: one a run.
        accuracies: one a run, in [0, 1].
        n_epochs: rows of each history.
        first: number of the first run, which its id is made of.
        **more: other columns of all runs.
    """
    runs, epochs = [], []
    for number, (config, accuracy) in enumerate(zip(configs, accuracies, strict=True), first):
        run_id = f"{number:08x}"
        row: dict[str, object] = {
            "id": run_id,
            "state": RunState.FINISHED,
            "config": canonical_json(config),
            "config_hash": config.hash,
        }
        row |= {
            "created_at": 1e9 + number,
            "n_steps": 150,
            "n_parameters": config.n_parameters,
            "epoch": n_epochs,
        }
        row |= {
            "test_accuracy": accuracy,
            "test_loss": 1 - accuracy,
            "n_test": 10_000,
            "best_val_accuracy": accuracy,
            "best_epoch": n_epochs,
        }
        runs.append(row | {"last_val_accuracy": accuracy, "last_val_loss": 1 - accuracy} | more)
        for epoch in range(1, n_epochs + 1):
            now = accuracy - 0.1 / epoch
            figures = {
                f"{part}_{kind}": now if kind == "accuracy" else 1 - now
                for part in _PARTS
                for kind in ("accuracy", "loss")
            }
            times = {
                "seconds_training": 1.0,
                "seconds_evaluation": 0.25,
                "images_per_second": 5e4,
                "learning_rate": 0.001,
            }
            epochs.append(
                {"run_id": run_id, "epoch": epoch, "step": 50 * epoch, **figures, **times}
            )
    with store.writing() as connection:
        connection.execute(schema.runs.insert(), runs)
        connection.execute(schema.epochs.insert(), epochs)
    return [str(row["id"]) for row in runs]


def answer(store: Store, run_id: str, wrong: Sequence[int]) -> npt.NDArray[np.int64]:
    """Leave test probabilities of a run that is right on all images but some, which it calls the next digit; returns the labels."""
    labels = read_labels("mnist", "test", store.settings.data_dir)
    guesses = labels.copy()
    guesses[list(wrong)] = (guesses[list(wrong)] + 1) % 10
    content = artifacts.pack_probabilities(np.eye(10, dtype=np.float32)[guesses])
    file = artifacts.write(store.settings, run_id, ArtifactKind.TEST_PROBABILITIES, content)
    with store.writing() as connection:
        artifacts.record(connection, run_id, ArtifactKind.TEST_PROBABILITIES, file, epoch=3)
    return labels


_PARTS = ("running", "train", "val", "test")
