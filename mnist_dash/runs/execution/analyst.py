"""The analyst: a process of low priority and one thread that computes what was asked for in `mnist_dash.runs.execution.analyses`.

One a machine and store, decided by a lock; it ends by itself when there was nothing to do for a while. A second thread renews the lease
and writes progress while the first computes. Every write names the attempt: an analyst that was frozen while another took its row over
finds none to write.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Self

import safetensors.numpy
import sqlalchemy as sa
from filelock import FileLock, Timeout

from mnist_dash import logs
from mnist_dash.core.analysis.embedding import (
    EmbeddingParameters,
    Report,
    check_embedding,
    compute_embedding,
    load_ahead,
)
from mnist_dash.errors import Fenced, MnistDashError
from mnist_dash.runs.execution.analyses import (
    Analysis,
    AnalysisKind,
    AnalysisState,
    analysis_from_row,
    identified,
)
from mnist_dash.runs.execution.processes import machine_id
from mnist_dash.runs.store import artifacts, schema
from mnist_dash.runs.store.artifacts import ArtifactKind, StoredFile
from mnist_dash.runs.store.patience import patiently
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.schema import now
from mnist_dash.settings import Settings
from mnist_dash.text import plural

NICE = 10
IDLE_SECONDS = 30.0
LOOK_SECONDS = 0.2
WRITE_SECONDS = 0.5
HAND_OVER_SECONDS = 3.0
"""How long to wait for an analyst that is about to end; one that goes on keeps the lock for longer."""
log = logging.getLogger("mnist_dash.analyst")


def compute(store: Store, analysis: Analysis, report: Report) -> bytes:
    """Compute an analysis; the content of its artifact.

    Raises:
        MnistDashError: it cannot be computed; the message says why and what to do.
    """
    match analysis.kind:
        case AnalysisKind.EMBEDDING:
            return _embedding(store, analysis, report)


def _embedding(store: Store, analysis: Analysis, report: Report) -> bytes:
    parameters, config = (
        EmbeddingParameters.model_validate_json(analysis.parameters),
        store.run(analysis.run_id).config,
    )
    check_embedding(parameters, config)
    weights = None
    if parameters.layer is not None or (
        parameters.part == "train" and artifacts.has(store, analysis.run_id, ArtifactKind.WEIGHTS)
    ):
        weights = safetensors.numpy.load(
            artifacts.read(store, analysis.run_id, ArtifactKind.WEIGHTS)
        )
    return compute_embedding(
        parameters, config, weights, store.settings.data_dir, report=report
    ).pack()


class Analyst:
    """Claims, computes and records one analysis after the other."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._machine = machine_id()

    def run(self, *, idle_seconds: float) -> None:
        """Work until there was nothing to do for a while."""
        idle_since = time.monotonic()
        while time.monotonic() - idle_since < idle_seconds:
            analysis = patiently(self.claim, log=log)
            if analysis is None:
                time.sleep(LOOK_SECONDS)  # between two looks
                continue
            self.execute(analysis)
            idle_since = time.monotonic()

    def claim(self) -> Analysis | None:
        """Take the oldest analysis that waits, or whose analyst is dead: its lease has run out, or it was one of this machine's."""
        table = schema.analyses
        dead = (table.c.state == AnalysisState.RUNNING) & (
            (table.c.lease_until < now()) | (table.c.machine == self._machine)
        )
        free = (table.c.state == AnalysisState.QUEUED) | dead
        query = (
            sa.select(table.c.run_id, table.c.kind, table.c.part, table.c.n_tries)
            .where(free)
            .order_by(table.c.created_at)
            .limit(1)
        )
        with self._store.reading() as connection:
            if connection.execute(query).first() is None:
                return None  # the usual case takes no writer's turn
        with self._store.writing() as connection:
            row = connection.execute(query).first()
            if row is None:
                return None
            here = identified(row.run_id, row.kind, row.part)
            limit = self._store.settings.max_attempts
            if row.n_tries >= limit:
                reason = (
                    f"The computation was given up after {plural(limit, 'attempt')}; "
                    "none came to an end. Ask for less of it, or again."
                )
                connection.execute(
                    table.update()
                    .where(here)
                    .values(state=AnalysisState.FAILED, reason=reason, ended_at=now())
                )
                return None
            values = {
                "state": AnalysisState.RUNNING,
                "machine": self._machine,
                "started_at": now(),
                "ended_at": None,
                "fraction": 0.0,
            }
            tries = {
                "attempt": table.c.attempt + 1,
                "n_tries": table.c.n_tries + 1,
                "lease_until": now() + self._lease,
                "phrase": "Begins",
            }
            connection.execute(table.update().where(here).values(values | tries))
            claimed = (
                connection.execute(sa.select(table, sa.literal(0.0).label("seconds")).where(here))
                .mappings()
                .one()
            )
        return analysis_from_row(claimed)

    def execute(self, analysis: Analysis) -> None:
        """Compute a claimed analysis and record how it ended."""
        log.info(
            "%s of run %s, attempt %d: %s",
            analysis.kind,
            analysis.run_id,
            analysis.attempt,
            analysis.parameters,
        )
        file: StoredFile | None = None
        try:
            with _Heart(
                lambda fraction, phrase: self._progress(analysis, fraction, phrase)
            ) as heart:
                content = compute(self._store, analysis, heart.report)
                file = artifacts.write(
                    self._store.settings, analysis.run_id, analysis.kind.artifact, content
                )
            patiently(partial(self._finish, analysis, file), log=log)
        except MnistDashError as error:
            artifacts.discard(self._store.settings, None if file is None else file.path)
            self._fail(analysis, str(error))
        except Exception as error:
            log.exception("An analysis broke.")
            self._fail(
                analysis,
                f"The computation failed: {type(error).__name__}: {error}. Ask for it again, or report this as a bug.",
            )

    @property
    def _lease(self) -> float:
        return self._store.settings.lease_seconds

    def _progress(self, analysis: Analysis, fraction: float, phrase: str) -> None:
        with self._store.writing() as connection:
            self._write(
                connection,
                analysis,
                fraction=fraction,
                phrase=phrase,
                lease_until=now() + self._lease,
            )

    def _finish(self, analysis: Analysis, file: StoredFile) -> None:
        epoch = self._store.run(analysis.run_id).epoch
        with self._store.writing() as connection:
            if artifacts.is_recorded(connection, analysis.run_id, file, epoch=epoch):
                return
            self._write(
                connection, analysis, state=AnalysisState.DONE, fraction=1.0, ended_at=now()
            )
            former = artifacts.record(
                connection,
                analysis.run_id,
                analysis.kind.artifact,
                file,
                epoch=epoch,
                part=analysis.part,
            )
        artifacts.discard(self._store.settings, former)

    def _fail(self, analysis: Analysis, reason: str) -> None:
        try:
            with self._store.writing() as connection:
                self._write(
                    connection, analysis, state=AnalysisState.FAILED, reason=reason, ended_at=now()
                )
        except MnistDashError as error:  # another attempt has it; or its lease runs out, and the next attempt says it again
            log.warning("%s", error)

    def _write(self, connection: sa.Connection, analysis: Analysis, **values: object) -> None:
        table = schema.analyses
        held = (table.c.attempt == analysis.attempt) & (table.c.state == AnalysisState.RUNNING)
        here = identified(analysis.run_id, analysis.kind, analysis.part)
        if connection.execute(table.update().where(here, held).values(values)).rowcount != 1:
            raise Fenced(
                f"The {analysis.kind} of run {analysis.run_id} is not held by attempt {analysis.attempt} any more; it is dropped."
            )


class _Heart:
    """Writes progress from a thread of its own while the caller computes, and so renews the lease; entered around a computation."""

    def __init__(self, write: Callable[[float, str], None]) -> None:
        self._write = write
        self._now = (0.0, "Begins")
        self._ending = threading.Event()
        self._lost: Fenced | None = None
        self._thread = threading.Thread(target=self._beat, name="heart", daemon=True)

    def report(self, phrase: str, fraction: float) -> None:
        """Note how far the computation is.

        Raises:
            Fenced: another attempt has it.
        """
        if self._lost is not None:
            raise self._lost
        self._now = (fraction, phrase)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._ending.wait(WRITE_SECONDS):
            try:
                self._write(*self._now)
            except Fenced as error:
                self._lost = error
                return
            except MnistDashError as error:
                log.warning("%s", error)  # the next beat tries again; a lease outlasts several


def main(settings: Settings, *, idle_seconds: float = IDLE_SECONDS) -> None:
    """Be this machine's analyst of a store, or end at once where there is one."""
    os.nice(NICE)
    settings.home.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(settings.home / f"analyst-{machine_id()}.lock", timeout=HAND_OVER_SECONDS):
            threading.Thread(target=load_ahead, name="load-ahead", daemon=True).start()
            store = patiently(lambda: Store.open(settings), log=log)
            try:
                Analyst(store).run(idle_seconds=idle_seconds)
            finally:
                store.close()
    except Timeout:
        log.info("Another analyst has the lock.")


if __name__ == "__main__":
    found = Settings.from_environment()
    logs.set_up(found)
    main(found)
