"""Queued runs whose job no worker will take: nobody would ever train them.

The queue has lost the job, because an error ended it before the claim; or a living worker counts as having taken it and never saw it,
because the answer to its taking was lost.
"""

from __future__ import annotations

import sqlalchemy as sa

from mnist_dash.core.config.run_config import parse_config
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.engine import Job
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState


def lost_jobs(store: Store) -> set[Job]:
    """Find the jobs that queued runs wait for and that the queue does not have; one that is just being taken may be among them."""
    return jobs_out_of_reach(store)[0]


def jobs_out_of_reach(store: Store) -> tuple[set[Job], set[Job]]:
    """Find the jobs that queued runs wait for and no worker can take.

    Returns:
        Those that the queue does not have, and those that a worker has taken and not begun; one that is just being taken may be in either.
    """
    runs, queue = schema.runs, store.queue_client
    with store.reading() as connection:
        query = sa.select(runs.c.id, runs.c.attempt).where(runs.c.state == RunState.QUEUED)
        wanted = {Job(row.id, row.attempt + 1) for row in connection.execute(query)}
    if not wanted:
        return set(), set()
    absent = wanted - set(queue.waiting())
    taken = absent & {job for job, _ in queue.claimed()}
    return absent - taken, taken


def offer_again(store: Store, job: Job) -> bool:
    """Give a run whose job is lost another one, for the attempt after the lost one; returns whether it still waited for it."""
    runs = schema.runs
    with store.writing() as connection:
        here = (
            (runs.c.id == job.run_id)
            & (runs.c.attempt == job.attempt - 1)
            & (runs.c.state == RunState.QUEUED)
        )
        if connection.execute(runs.update().where(here).values(attempt=job.attempt)).rowcount != 1:
            return False
        config = connection.execute(
            sa.select(runs.c.config).where(runs.c.id == job.run_id)
        ).scalar_one()
        store.add_job(connection, Job(job.run_id, job.attempt + 1), parse_config(config).device)
    return True
