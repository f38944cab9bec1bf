"""Mends what `doctor` finds and what needs no choice: files of no run, queued runs without a job, checkpoints that are gone, indexes."""

from __future__ import annotations

import time

import sqlalchemy as sa

from mnist_dash.errors import ArtifactError
from mnist_dash.runs.execution.doctor import orphaned_files
from mnist_dash.runs.execution.lost_jobs import lost_jobs, offer_again
from mnist_dash.runs.store import artifacts, schema
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.run_store import Store
from mnist_dash.text import plural

WAIT_SECONDS = 1.0
"""Between two looks at jobs: one that is just being taken is in neither list for a moment."""


def repair(store: Store) -> list[str]:
    """Mend what can be mended; returns a sentence for each kind of thing that was. Workers may go on meanwhile.

    Raises:
        StoreError: the database cannot be written.
    """
    done = [
        _remove_orphans(store),
        _offer_lost(store),
        _forget_missing_checkpoints(store),
        _rebuild_indexes(store),
    ]
    return [sentence for sentence in done if sentence]


def _remove_orphans(store: Store) -> str:
    files = orphaned_files(store)
    n_bytes = sum(file.n_bytes for file in files)
    for file in files:
        artifacts.discard(store.settings, file.path)
    return f"Removed {plural(len(files), 'file')} of no run, {n_bytes:,} bytes." if files else ""


def _offer_lost(store: Store) -> str:
    lost = lost_jobs(store)
    if lost:
        time.sleep(WAIT_SECONDS)
        lost &= lost_jobs(store)
    n_offered = sum(offer_again(store, job) for job in lost)
    return f"Gave {plural(n_offered, 'queued run')} a new job." if n_offered else ""


def _forget_missing_checkpoints(store: Store) -> str:
    """Forget earlier checkpoints that cannot be read: a fork from such an epoch trains the epochs before once more, to the same figures."""
    table = schema.artifacts
    kept = table.c.kind == ArtifactKind.EPOCH_CHECKPOINT
    with store.reading() as connection:
        rows = connection.execute(sa.select(table.c.run_id, table.c.part).where(kept)).all()
    n_forgotten = 0
    for row in rows:
        try:
            artifacts.read(store, row.run_id, ArtifactKind.EPOCH_CHECKPOINT, row.part)
        except ArtifactError:
            with store.writing() as connection:
                connection.execute(
                    table.delete().where(
                        kept, table.c.run_id == row.run_id, table.c.part == row.part
                    )
                )
            n_forgotten += 1
    return (
        f"Forgot {plural(n_forgotten, 'checkpoint')} of earlier epochs that cannot be read."
        if n_forgotten
        else ""
    )


def _rebuild_indexes(store: Store) -> str:
    """Build SQLite's indexes anew where its own check finds fault with them."""
    if not store.settings.is_sqlite:
        return ""
    with store.reading() as connection:
        found = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
    if found == ["ok"]:
        return ""
    with store.writing() as connection:
        connection.exec_driver_sql("REINDEX")
    return "Built the database's indexes anew."
