"""All finished runs at a glance: what was trained and what came of it, without reading whole rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import sqlalchemy as sa

from mnist_dash.core.config.run_config import RunConfig, parse_config
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState


@dataclass(frozen=True)
class FinishedRun:
    """A finished run with a test accuracy."""

    run_id: str
    config: RunConfig
    n_parameters: int
    test_accuracy: float
    """In [0, 1]."""


def finished_runs(store: Store) -> tuple[FinishedRun, ...]:
    """List all finished runs that are not in the bin, newest first; fast with thousands of them."""
    runs = schema.runs
    query = (
        sa.select(runs.c.id, runs.c.config, runs.c.n_parameters, runs.c.test_accuracy)
        .where(
            runs.c.state == RunState.FINISHED,
            runs.c.deleted_at.is_(None),
            runs.c.test_accuracy.is_not(None),
            store.readable(),
        )
        .order_by(runs.c.created_at.desc(), runs.c.id)
    )
    with store.reading() as connection:
        rows = connection.execute(query).all()
    return tuple(
        FinishedRun(row.id, _parsed(row.config), row.n_parameters, row.test_accuracy)
        for row in rows
    )


@lru_cache(maxsize=10_000)
def _parsed(config: str) -> RunConfig:
    """Read a stored configuration, once a process: it never changes."""
    return parse_config(config)
