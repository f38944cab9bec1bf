"""What the store hands out: frozen records of runs, workers and histories."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from mnist_dash.core.config.naming import run_name
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.runs.store.states import RunState


@dataclass(frozen=True)
class Run:
    """One run as the store knows it; times are aware and in UTC, accuracies are fractions in [0, 1]."""

    id: str
    state: RunState
    attempt: int
    """How often a worker has claimed it; every write of a worker names its attempt."""
    config: RunConfig
    config_hash: str
    preset: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    reason: str
    """Why it ended, in a sentence; empty while it has not."""
    epoch: int
    """Finished epochs."""
    step: int
    """Optimizer updates done."""
    n_steps: int
    """Optimizer updates that all epochs together take."""
    n_parameters: int
    worker: str | None
    device: str | None
    precision: str | None
    n_threads: int | None
    best_val_accuracy: float | None
    best_epoch: int | None
    last_val_accuracy: float | None
    last_val_loss: float | None
    test_accuracy: float | None
    test_loss: float | None
    n_test: int | None
    seconds_training: float
    seconds_evaluation: float
    seconds_per_image_test: float | None
    """Of the final evaluation, batched."""
    revision: int
    """Changes with every write to the run, its history or its artifacts."""
    stop_requested: bool
    pause_requested: bool
    change_requested: str | None
    """JSON of settings that its worker is to change at the end of the epoch."""
    deleted_at: datetime | None
    name: str | None
    """What it was called at its birth, or by a person since; None where somebody has taken it away."""
    notes: str | None
    starred: bool
    archived_at: datetime | None
    owner: str | None
    """Who submitted it; None on a machine with one person."""
    parent_id: str | None
    """The run that it was forked from or goes on with."""
    parent_epoch: int | None
    """The parent's epoch after which it goes its own way."""

    @property
    def title(self) -> str:
        """What pages call it: its name, or else one made from its configuration and its id."""
        return self.name or run_name(self.config, self.id)

    @property
    def progress(self) -> float:
        """Share of the planned optimizer updates that are done, in [0, 1]; 1 once finished."""
        return 1.0 if self.state is RunState.FINISHED else min(1.0, self.step / self.n_steps)

    @property
    def seconds_left(self) -> float | None:
        """Estimated seconds until the end at the pace so far; None where there is no pace yet or nothing left."""
        if self.state is not RunState.RUNNING or self.step == 0:
            return None
        return (
            (self.seconds_training + self.seconds_evaluation)
            * (self.n_steps - self.step)
            / self.step
        )


@dataclass(frozen=True)
class History:
    """The metrics of one run.

    Attributes:
        epochs: one row an epoch, the fields of `mnist_dash.core.training.loop.EpochReport` as columns.
        steps: one row a recorded step, the fields of `mnist_dash.core.training.loop.StepReport` as columns.
    """

    epochs: pd.DataFrame
    steps: pd.DataFrame


@dataclass(frozen=True)
class Worker:
    """One worker process and what it does."""

    id: str
    host: str
    pid: int
    device: str
    n_threads: int
    state: str
    """``running``, ``idle`` or ``gone``."""
    run_id: str | None
    started_at: datetime
    seen_at: datetime
