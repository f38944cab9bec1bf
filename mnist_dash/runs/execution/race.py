"""The runs of a race at one worker: whoever trains one of them takes those along that wait, so that all move forward together.

A race is a study whose definition says so. Each of its runs is claimed, recorded, resumed and fenced as any other; only that several of
them are in training at a time, in turns (`mnist_dash.runs.execution.turns`), is different.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable

import sqlalchemy as sa

from mnist_dash.runs.store import schema
from mnist_dash.runs.store.engine import Job
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState

MOST_RIVALS = 16
"""Runs of a race in training at a time at one worker; each is a process with its own copy of the images."""
LOOK_SECONDS = 0.05
"""Between two looks for rivals that wait."""


def race_of(store: Store, run_id: str) -> str | None:
    """Name the study that a run belongs to, where it is a race; None elsewhere."""
    studies, links = schema.studies, schema.trial_runs
    query = sa.select(studies.c.id, studies.c.definition).join_from(
        studies, links, studies.c.id == links.c.study_id
    )
    with store.reading() as connection:
        row = connection.execute(query.where(links.c.run_id == run_id)).first()
    return str(row.id) if row is not None and json.loads(row.definition).get("race") else None


def waiting_rivals(store: Store, study_id: str) -> tuple[Job, ...]:
    """List the next attempts of a study's runs that wait for a worker, in the order of trials and seeds."""
    runs, links = schema.runs, schema.trial_runs
    query = sa.select(runs.c.id, runs.c.attempt).join_from(runs, links, runs.c.id == links.c.run_id)
    query = query.where(links.c.study_id == study_id, runs.c.state == RunState.QUEUED).order_by(
        links.c.number, links.c.seed
    )
    with store.reading() as connection:
        return tuple(Job(row.id, row.attempt + 1) for row in connection.execute(query))


class Cohort:
    """Trains a run and those of its rivals that wait, until none is in training any more.

    Args:
        next_rival: claims a rival that waits; None where there is none.
        train: trains a run to its end or until it is given back; called on a thread of its own.
        is_ending: whether the worker ends; no rival is taken any more.
    """

    def __init__(
        self,
        next_rival: Callable[[], Run | None],
        train: Callable[[Run], None],
        *,
        is_ending: Callable[[], bool],
    ) -> None:
        self._next_rival, self._train, self._is_ending = next_rival, train, is_ending
        self._threads: list[threading.Thread] = []

    def go(self, first: Run) -> None:
        """Train; returns when all have ended."""
        self._begin(first)
        try:
            while self._threads:
                time.sleep(LOOK_SECONDS)
                self._take_along()
        finally:
            for thread in self._threads:  # which give their runs back where the worker ends
                thread.join()

    def _take_along(self) -> None:
        """Forget who has ended, and begin with rivals that wait, while there is room."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        while len(self._threads) < MOST_RIVALS and not self._is_ending():
            rival = self._next_rival()
            if rival is None:
                return
            self._begin(rival)

    def _begin(self, run: Run) -> None:
        thread = threading.Thread(target=self._train, args=(run,), name="race", daemon=True)
        self._threads.append(thread)
        thread.start()
