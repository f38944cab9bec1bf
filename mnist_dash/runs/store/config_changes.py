"""How a run's configuration gets a change of settings: one transaction, so that its rows never disagree."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from mnist_dash.core.config.changes import describe, with_change
from mnist_dash.core.config.run_config import canonical_json, parse_config
from mnist_dash.runs.store import events, schema
from mnist_dash.runs.store.events import EventKind
from mnist_dash.runs.store.run_store import update


def apply_change(connection: sa.Connection, run_id: str, *, held_by: int | None = None) -> bool:
    """Put the change that was asked for into a run's configuration, to hold after its last finished epoch.

    Args:
        connection: an open writing transaction.
        run_id: a run that has finished an epoch and has ``change_requested``.
        held_by: the attempt that must hold the run while it trains; None where nobody trains it.

    Returns:
        Whether the run was there, and held by that attempt.
    """
    runs = schema.runs
    query = sa.select(runs.c.config, runs.c.epoch, runs.c.change_requested).where(
        runs.c.id == run_id
    )
    row = connection.execute(query).one()
    asked = json.loads(row.change_requested)
    config = with_change(parse_config(row.config), row.epoch, asked["values"])
    values: dict[str, Any] = {
        "config": canonical_json(config),
        "config_hash": config.hash,
        "n_steps": config.n_steps,
    }
    if not update(
        connection, run_id, held_by=held_by, change_requested=None, preset=None, **values
    ):
        return False
    change = next(change for change in config.changes if change.after_epoch == row.epoch)
    sentence = f"Changed after epoch {row.epoch}: {describe(config, change)}."
    events.write(
        connection, run_id, EventKind.CHANGED, sentence, epoch=row.epoch, person=asked["person"]
    )
    return True
