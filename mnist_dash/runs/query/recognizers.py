"""The runs that can say which digit is on an image."""

from __future__ import annotations

import sqlalchemy as sa

from mnist_dash.runs.store import schema
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store, run_from_row
from mnist_dash.runs.store.states import RunState

DIGIT_SETS = ("mnist", "qmnist", "emnist_digits")
"""Data sets whose classes are the digits 0 to 9."""
_SCANNED = 200
"""Runs that are looked through at most for those that can recognise digits."""


def newest(store: Store, *, limit: int) -> tuple[Run, ...]:
    """List finished runs on digits that have left weights, newest first."""
    return _listed(store, schema.runs.c.created_at.desc(), limit)


def best(store: Store, *, limit: int) -> tuple[Run, ...]:
    """List the same runs by test accuracy, best first, one of each configuration."""
    chosen: dict[str, Run] = {}
    for run in _listed(store, schema.runs.c.test_accuracy.desc(), _SCANNED):
        chosen.setdefault(run.config_hash, run)
    return tuple(chosen.values())[:limit]


def _listed(store: Store, order: sa.UnaryExpression[object], limit: int) -> tuple[Run, ...]:
    runs, files = schema.runs, schema.artifacts
    have_weights = sa.exists().where(
        files.c.run_id == runs.c.id, files.c.kind == ArtifactKind.WEIGHTS
    )
    query = sa.select(runs).where(
        runs.c.state == RunState.FINISHED,
        runs.c.deleted_at.is_(None),
        runs.c.test_accuracy.is_not(None),
        have_weights,
    )
    with store.reading() as connection:
        rows = connection.execute(query.order_by(order, runs.c.id).limit(_SCANNED)).mappings().all()
    found = (run for run in map(run_from_row, rows) if run.config.dataset in DIGIT_SETS)
    return tuple(found)[:limit]
