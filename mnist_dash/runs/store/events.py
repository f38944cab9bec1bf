"""What was done to a run while it lived, and when: the history of its configuration, for people to read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import sqlalchemy as sa

from mnist_dash.runs.store import schema
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.schema import now


class EventKind(StrEnum):
    """What was done."""

    ASKED = "asked"
    """Somebody asked for what a worker does at the end of the epoch."""
    PAUSED = "paused"
    RESUMED = "resumed"
    CHANGED = "changed"
    """Its configuration got a change."""
    FORKED = "forked"
    """It began as a branch of another run."""
    CONTINUED = "continued"
    """It goes on where another run ended."""
    AGAIN = "again"
    """It trains another run's configuration once more."""
    REWOUND = "rewound"
    """It went back to an earlier epoch, because a checkpoint could not be read."""
    STOPPED = "stopped"
    """Somebody stopped it, or asked its worker to."""
    CLEARED = "cleared"
    """Its files were removed by a retention rule; its row and history are kept."""


@dataclass(frozen=True)
class RunEvent:
    """One thing that was done to a run."""

    at: datetime
    epoch: int
    """Finished epochs when it took effect."""
    kind: EventKind
    sentence: str
    person: str | None
    """Who did it; None on a machine with one person, and where a worker did."""


def write(
    connection: sa.Connection,
    run_id: str,
    kind: EventKind,
    sentence: str,
    *,
    epoch: int,
    person: str | None = None,
) -> None:
    """Write an event within the caller's transaction."""
    row = {
        "run_id": run_id,
        "at": now(),
        "epoch": epoch,
        "kind": kind,
        "sentence": sentence,
        "person": person,
    }
    connection.execute(schema.run_events.insert().values(row))


def events_of(store: Store, run_id: str) -> tuple[RunEvent, ...]:
    """List what was done to a run, in its order."""
    table = schema.run_events
    with store.reading() as connection:
        rows = connection.execute(
            sa.select(table).where(table.c.run_id == run_id).order_by(table.c.id)
        ).all()
    return tuple(
        RunEvent(
            datetime.fromtimestamp(row.at, tz=UTC),
            row.epoch,
            EventKind(row.kind),
            row.sentence,
            row.person,
        )
        for row in rows
    )
