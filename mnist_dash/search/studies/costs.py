"""What trials took and reached beyond their objectives: epochs, seconds, and the test accuracy that no study chooses by."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from mnist_dash.runs.store import schema
from mnist_dash.runs.store.run_store import Store


@dataclass(frozen=True)
class TrialCost:
    """What the runs of a trial took and reached on the test set, which no study chooses by."""

    run_ids: tuple[str, ...]
    epochs: int
    """Epochs of its longest run."""
    seconds: float
    """Seconds of training, all its runs together."""
    test_accuracy: float | None
    """Mean over its runs; None where one has none."""


def costs(
    store: Store, study_id: str, numbers: Iterable[int] | None = None
) -> dict[int, TrialCost]:
    """Sum up the runs of trials by their number; those without runs are left out, all others are there by default."""
    links, runs = schema.trial_runs, schema.runs
    query = (
        sa.select(
            links.c.number, runs.c.id, runs.c.epoch, runs.c.seconds_training, runs.c.test_accuracy
        )
        .join_from(links, runs, links.c.run_id == runs.c.id)
        .where(links.c.study_id == study_id)
        .order_by(links.c.number, links.c.seed)
    )
    if numbers is not None:
        query = query.where(links.c.number.in_(list(numbers)))
    found: dict[int, list[Any]] = {}
    with store.reading() as connection:
        for row in connection.execute(query):
            found.setdefault(row.number, []).append(row)
    return {number: _cost(rows) for number, rows in found.items()}


def _cost(rows: Sequence[Any]) -> TrialCost:
    reached = [row.test_accuracy for row in rows]
    return TrialCost(
        run_ids=tuple(row.id for row in rows),
        epochs=max(row.epoch for row in rows),
        seconds=sum(row.seconds_training for row in rows),
        test_accuracy=None if None in reached else statistics.fmean(reached),
    )
