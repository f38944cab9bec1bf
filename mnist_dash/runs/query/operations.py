"""How the whole store does, in a few numbers that are cheap to read: for whoever watches a server."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import quantiles

import sqlalchemy as sa

from mnist_dash.runs.store import schema
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.schema import now
from mnist_dash.runs.store.states import RunState

N_WAITS = 200
"""Of how many of the newest runs the waits in the queue are told."""


@dataclass(frozen=True)
class Operations:
    """The store at one moment; seconds and counts."""

    runs: dict[str, int]
    """By state, those in the bin included."""
    studies: dict[str, int]
    """By state."""
    oldest_queued_seconds: float
    """Since the run that waits longest was submitted; 0 where none waits."""
    queue_waits: dict[str, float]
    """Seconds from submission to the first start of the newest runs, by quantile (``0.5``, ``0.9``, ``1``); empty without runs."""
    waiting_runs: int
    """Runs in training that wait for a database or a disk."""
    epochs_per_second: float
    """Of all runs in training together, each at the pace of its last epoch."""
    images_per_second: float
    workers: dict[tuple[str, str], int]
    """Workers that are alive, by device and ``idle`` or ``running``."""


def operations(store: Store) -> Operations:
    """Read how the store does: six small queries in one transaction, none of which reads a configuration or a history."""
    runs, studies, epochs = schema.runs, schema.studies, schema.epochs
    pace = epochs.c.seconds_training + epochs.c.seconds_evaluation
    is_last = (epochs.c.run_id == runs.c.id) & (epochs.c.epoch == runs.c.epoch)
    training = sa.select(
        sa.func.sum(1.0 / sa.func.nullif(pace, 0.0)), sa.func.sum(epochs.c.images_per_second)
    ).select_from(runs.join(epochs, is_last))
    newest = sa.select(runs.c.started_at - runs.c.created_at).where(runs.c.started_at.is_not(None))
    waits = sa.func.count().filter(runs.c.reason != "")
    with store.reading() as connection:
        n_runs = connection.execute(
            sa.select(runs.c.state, sa.func.count()).group_by(runs.c.state)
        ).all()
        n_studies = connection.execute(
            sa.select(studies.c.state, sa.func.count()).group_by(studies.c.state)
        ).all()
        oldest = connection.execute(
            sa.select(now() - sa.func.min(runs.c.created_at)).where(runs.c.state == RunState.QUEUED)
        ).scalar()
        seconds = (
            connection.execute(newest.order_by(runs.c.created_at.desc()).limit(N_WAITS))
            .scalars()
            .all()
        )
        rate, images = connection.execute(training.where(runs.c.state == RunState.RUNNING)).one()
        waiting = connection.execute(
            sa.select(waits).where(runs.c.state == RunState.RUNNING)
        ).scalar_one()
    workers: dict[tuple[str, str], int] = {}
    for worker in store.workers():
        if worker.state != "gone":
            workers[worker.device, worker.state] = workers.get((worker.device, worker.state), 0) + 1
    return Operations(
        runs={str(state): n for state, n in n_runs},
        studies={str(state): n for state, n in n_studies},
        oldest_queued_seconds=max(0.0, oldest or 0.0),
        queue_waits=_quantiles([max(0.0, value) for value in seconds]),
        waiting_runs=waiting,
        epochs_per_second=rate or 0.0,
        images_per_second=images or 0.0,
        workers=workers,
    )


def _quantiles(values: list[float]) -> dict[str, float]:
    if not values:
        return {}
    tenths = quantiles(values, n=10, method="inclusive") if len(values) > 1 else values * 9
    return {"0.5": tenths[4], "0.9": tenths[8], "1": max(values)}
