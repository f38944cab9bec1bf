"""Runs written as if they had been: for tests and benchmarks of lists with thousands of them."""

from __future__ import annotations

import numpy as np
import sqlalchemy as sa

from mnist_dash.core.config.run_config import (
    EarlyStopping,
    RunConfig,
    StratifiedSplit,
    TailSplit,
    TestAsValidation,
    canonical_json,
)
from mnist_dash.core.layers import Dense, Dropout, Flatten
from mnist_dash.core.optimizers import SGD, Adam, AdamW
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState

BEGIN = 1.7e9
"""When the first run was submitted, in seconds since 1970; each next one a minute later."""
TAGS = ("demo", "baseline", "wide", "Für-später", "v1.2")


def fill(store: Store, n_runs: int, *, n_epochs: int = 20, seed: int = 0) -> tuple[str, ...]:
    """Write runs of a grid of settings in random order, with histories, tags, stars, names and a study; returns their ids, oldest first."""
    generator = np.random.default_rng(seed)
    ids = tuple(f"{number:08x}" for number in range(n_runs))
    rows = [_row(run_id, number, generator) for number, run_id in enumerate(ids)]
    history = [
        _epoch(row, epoch, n_epochs)
        for row in rows
        if row["epoch"]
        for epoch in range(1, n_epochs + 1)
    ]
    tags = [
        {"run_id": run_id, "tag": tag} for run_id in ids for tag in TAGS if generator.random() < 0.1
    ]
    study = {
        "id": "aaaa0000",
        "name": "width by depth",
        "definition": "{}",
        "state": "finished",
        "created_at": BEGIN,
    }
    links = [
        {"study_id": "aaaa0000", "number": number, "seed": 0, "run_id": run_id}
        for number, run_id in enumerate(ids[: n_runs // 4])
    ]
    with store.writing() as connection:
        connection.execute(schema.studies.insert().values(study))
        for table, content in (
            (schema.runs, rows),
            (schema.epochs, history),
            (schema.run_tags, tags),
            (schema.trial_runs, links),
        ):
            if content:
                connection.execute(table.insert(), content)
        revision = schema.meta.c.key == "revision"
        connection.execute(schema.meta.update().where(revision).values(value=sa.text("value + 1")))
    return ids


def _row(run_id: str, number: int, generator: np.random.Generator) -> dict[str, object]:
    config = _config(generator)
    state = list(RunState)[
        int(generator.choice(len(RunState), p=[0.01, 0, 0, 0.79, 0.05, 0.1, 0.03, 0.02]))
    ]
    trained = state is not RunState.QUEUED
    accuracy = float(np.clip(0.97 + 0.01 * generator.standard_normal(), 0, 1))
    finished = state is RunState.FINISHED
    return {
        "id": run_id,
        "state": state,
        "config": canonical_json(config),
        "config_hash": config.hash,
        "preset": ["mlp_512_256", None][int(generator.integers(2))],
        "created_at": BEGIN + 60.0 * number,
        "started_at": BEGIN + 60.0 * number + 1 if trained else None,
        "ended_at": BEGIN + 60.0 * number + 41 if trained else None,
        "epoch": config.epochs if trained else 0,
        "n_steps": config.steps_per_epoch * config.epochs,
        "n_parameters": config.n_parameters,
        "best_val_accuracy": accuracy if trained else None,
        "best_epoch": config.epochs if trained else None,
        "last_val_accuracy": accuracy - 0.001 if trained else None,
        "last_val_loss": 1 - accuracy if trained else None,
        "test_accuracy": accuracy - 0.002 if finished else None,
        "test_loss": 1.02 - accuracy if finished else None,
        "n_test": 10_000 if finished else None,
        "seconds_training": 20.0 + float(generator.random()) if trained else 0.0,
        "name": f"Attempt {number} at 100 %" if generator.random() < 0.1 else None,
        "starred": [True, False, None][int(generator.integers(3))],
        "archived_at": BEGIN if generator.random() < 0.05 else None,
        "device": "cpu" if trained else None,
    }


def _config(generator: np.random.Generator) -> RunConfig:
    rate = float(generator.choice([0.0001, 0.001, 0.1 + 0.2 - 0.29, 0.1]))
    optimizer = (
        Adam(learning_rate=rate),
        SGD(learning_rate=rate, momentum=0.9, nesterov=True),
        AdamW(learning_rate=rate),
    )
    split = (TailSplit(), StratifiedSplit(fraction=0.2), TestAsValidation())
    width = int(generator.choice([32, 64, 128]))
    hidden = (Dense(units=width), Dropout(rate=0.2), Dense(units=width))[
        : int(generator.choice([1, 3]))
    ]
    return RunConfig(
        layers=(Flatten(), *hidden, Dense(units=10, activation="softmax")),
        optimizer=optimizer[int(generator.integers(3))],
        split=split[int(generator.choice(3, p=[0.7, 0.2, 0.1]))],
        batch_size=int(generator.choice([32, 64, 128, 500])),
        epochs=20,
        early_stopping=EarlyStopping() if generator.random() < 0.2 else None,
        seed=int(generator.integers(5)),
    )


def _epoch(row: dict[str, object], epoch: int, n_epochs: int) -> dict[str, object]:
    accuracy = float(str(row["best_val_accuracy"])) - 0.05 * (n_epochs - epoch) / n_epochs
    figures = (
        "learning_rate",
        "running_loss",
        "running_accuracy",
        "train_loss",
        "train_accuracy",
        "val_loss",
        "test_loss",
        "test_accuracy",
    )
    times = {"seconds_training": 1.0, "seconds_evaluation": 0.2, "images_per_second": 50_000.0}
    return {
        "run_id": row["id"],
        "epoch": epoch,
        "step": 100 * epoch,
        **dict.fromkeys(figures, 0.5),
        "val_accuracy": accuracy,
        **times,
    }
