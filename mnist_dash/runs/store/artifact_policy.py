"""What becomes of deleted runs: they lie in the bin for a while, can be taken out of it, and then are gone with their files."""

from __future__ import annotations

import sqlalchemy as sa

from mnist_dash.runs.store import artifacts, schema
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.run_store import Store, bump_revision
from mnist_dash.runs.store.schema import now

BIN_DAYS = 30
MAX_CHECKPOINT_BYTES = 2 * 2**30
"""Room for the checkpoints of earlier epochs of all runs together."""
_BATCH = 100
"""Runs a call removes at most, so that no transaction holds the database for long."""


def empty_bin(store: Store, *, older_than_days: float = BIN_DAYS) -> int:
    """Remove runs that were deleted longer ago than `older_than_days`, with their histories and files.

    Returns:
        How many runs were removed, at most a hundred a call.
    """
    runs, files = schema.runs, schema.artifacts
    old = runs.c.deleted_at < now() - older_than_days * 86_400
    with store.writing() as connection:
        ids = connection.execute(sa.select(runs.c.id).where(old).limit(_BATCH)).scalars().all()
        if not ids:
            return 0
        paths = (
            connection.execute(sa.select(files.c.path).where(files.c.run_id.in_(ids)))
            .scalars()
            .all()
        )
        for table in (
            schema.epochs,
            schema.epoch_layers,
            schema.step_chunks,
            schema.analyses,
            schema.trial_runs,
            schema.run_events,
            files,
        ):
            connection.execute(table.delete().where(table.c.run_id.in_(ids)))
        connection.execute(runs.delete().where(runs.c.id.in_(ids)))
        bump_revision(connection)
    for path in paths:
        artifacts.discard(store.settings, path)
    return len(ids)


def thin_checkpoints(store: Store, *, most_bytes: int = MAX_CHECKPOINT_BYTES) -> int:
    """Remove the oldest checkpoints of earlier epochs until all of them together have at most `most_bytes`.

    Nothing is lost by it that cannot be had again: a fork from such an epoch trains the epochs before once more.

    Returns:
        How many files were removed.
    """
    files = schema.artifacts
    kept = files.c.kind == ArtifactKind.EPOCH_CHECKPOINT
    newest_first = sa.func.sum(files.c.n_bytes).over(
        order_by=(files.c.created_at.desc(), files.c.path)
    )
    with store.reading() as connection:
        ranked = sa.select(files.c.path, newest_first.label("total")).where(kept).subquery()
        paths = (
            connection.execute(sa.select(ranked.c.path).where(ranked.c.total > most_bytes))
            .scalars()
            .all()
        )
    if paths:
        with store.writing() as connection:
            for path in paths:
                connection.execute(files.delete().where(kept, files.c.path == path))
    for path in paths:
        artifacts.discard(store.settings, path)
    return len(paths)
