"""The study runner: the process that advances studies. Any number may run, on any machine; of each study one at a time holds the lease.

It looks at the store's revision many times a second, which costs next to nothing, and takes a step of every study that it holds when
something has changed. It may be killed anywhere: what it decided is in one transaction or not at all, and whoever takes the study over
reads it from the rows.
"""

from __future__ import annotations

import argparse
import logging
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

import sqlalchemy as sa

from mnist_dash import logs
from mnist_dash.errors import Fenced, MnistDashError, StorageUnavailable, StoreError
from mnist_dash.redaction import redact
from mnist_dash.runs.execution.processes import machine_id, own_mark, process_lives
from mnist_dash.runs.execution.supervisor import start_companion
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.patience import Outage, patiently
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.schema import now
from mnist_dash.search.engine.advance import Advancer
from mnist_dash.search.engine.artifact_policy import discard_files
from mnist_dash.search.studies import study_store
from mnist_dash.search.studies.records import StudyState
from mnist_dash.settings import Settings

MODULE = "mnist_dash.search.engine.study_runner"
LOOK_SECONDS = 0.03
"""Between two looks at the store's revision while a study lives; half of what passes between a trial's end and the next one."""
IDLE_LOOK_SECONDS = 0.1
BEAT_SECONDS = 1.0
EXIT_INVALID = 2
"""As commands end when what they were given cannot be used."""
IDLE_SECONDS = 10.0
log = logging.getLogger("mnist_dash.study_runner")
_starting = threading.Lock()
_started: dict[str, subprocess.Popen[bytes]] = {}


class StudyRunner:
    """Holds studies and advances them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        pid, mark = own_mark()
        self.name = f"{machine_id()}:{pid}:{mark}:{secrets.token_hex(3)}"
        self._held: dict[str, Advancer] = {}
        self._seen = -1
        self._beat_at = 0.0
        self._busy_at = time.monotonic()
        self._outage = Outage(log)

    def run(self, *, idle_seconds: float | None = None) -> None:
        """Advance studies until none has lived for a while, or for ever."""
        while idle_seconds is None or time.monotonic() - self._busy_at < idle_seconds:
            try:
                self.look()
            except (
                StoreError,
                StorageUnavailable,
            ) as error:  # whatever the database says, studies wait for it
                self._outage.failed(error)
                time.sleep(self._outage.pause_seconds)
            else:
                self._outage.ended()
                time.sleep(LOOK_SECONDS if self._held else IDLE_LOOK_SECONDS)  # between two looks

    def look(self) -> None:
        """Take a step of every study that this process holds or can have, if anything has changed or a second has passed."""
        revision, beat = self._store.revision(), time.monotonic() - self._beat_at > BEAT_SECONDS
        if revision == self._seen and not beat:
            return
        self._seen = revision
        if beat or not self._held:  # a new study does not wait for the next beat
            self._beat_at = time.monotonic()
            self._hold()
        for study_id, advancer in list(self._held.items()):
            with logs.about(study=study_id):
                self._step(study_id, advancer)
        if self._held:
            self._busy_at = time.monotonic()

    def _step(self, study_id: str, advancer: Advancer) -> None:
        try:
            state = advancer.step()
            if advancer.has_new_ends:
                self._tidy(study_id, advancer)
            if state.has_ended:
                self._release(study_id)
        except Fenced as error:
            log.info("%s", error)
            advancer.forget()
        except (StoreError, StorageUnavailable):
            advancer.forget()
            raise
        except MnistDashError as error:
            log.exception("Study %s cannot be advanced.", study_id)
            self._pause(study_id, str(error))
        except Exception as error:
            log.exception("Study %s broke.", study_id)
            self._pause(
                study_id,
                redact(
                    f"Paused by an error: {type(error).__name__}: {error}. Resume it, or report this as a bug."
                ),
            )

    def _tidy(self, study_id: str, advancer: Advancer) -> None:
        study = study_store.find(self._store, study_id)
        if study.definition.keep.kind != "all":
            discard_files(self._store, study, study_store.trials(self._store, study_id))
        advancer.has_new_ends = False

    def _pause(self, study_id: str, reason: str) -> None:
        """Pause a study that cannot be advanced, with the reason, so that a person sees it."""
        with self._store.writing() as connection:
            study_store.write_study(connection, study_id, state=StudyState.PAUSED, reason=reason)
            study_store.add_event(connection, study_id, f"Paused: {reason}")
        self._held.pop(study_id).forget()

    def _hold(self) -> None:
        """Renew the leases of the studies that this process holds, and take those that nobody holds."""
        table = schema.studies
        live = [state for state in StudyState if state.is_live]
        # Waits for a person, who resumes it.
        is_broken = (table.c.state == StudyState.PAUSED) & (table.c.reason != "")
        query = sa.select(
            table.c.id, table.c.held_by, (table.c.held_until < now()).label("expired")
        )
        query = query.where(table.c.state.in_(live), ~is_broken)
        with self._store.reading() as connection:
            rows = connection.execute(query).all()
        for study_id in set(self._held) - {row.id for row in rows}:
            del self._held[study_id]
        for row in rows:
            if row.held_by not in (None, self.name) and not row.expired and _lives(row.held_by):
                self._held.pop(row.id, None)
                continue
            if self._take(row.id, row.held_by) and row.id not in self._held:
                log.info("Advances study %s.", row.id)
                self._held[row.id] = Advancer(self._store, row.id, self.name)

    def _take(self, study_id: str, former: str | None) -> bool:
        table = schema.studies
        mine = {"held_by": self.name, "held_until": now() + self._store.settings.lease_seconds}
        with self._store.writing() as connection:
            taken = (
                table.update()
                .where(table.c.id == study_id, table.c.held_by.is_not_distinct_from(former))
                .values(mine)
            )
            return connection.execute(taken).rowcount == 1

    def _release(self, study_id: str) -> None:
        del self._held[study_id]
        table = schema.studies
        with self._store.writing() as connection:
            connection.execute(
                table.update()
                .where(table.c.id == study_id, table.c.held_by == self.name)
                .values(held_by=None, held_until=None)
            )


def ensure_study_runner(settings: Settings) -> None:
    """See to it that a study runner runs; cheap when this process has started one. It ends by itself when no study lives."""
    with _starting:
        known = _started.get(settings.database_url)
        if known is None or known.poll() is not None:
            _started[settings.database_url] = start_companion(
                settings, MODULE, "--exit-when-idle", str(IDLE_SECONDS)
            )


def _lives(holder: str) -> bool:
    """Say whether a holder may be alive: one of another machine is, until its lease ends."""
    machine, pid, mark, _ = holder.rsplit(":", 3)
    return machine != machine_id() or process_lives(int(pid), int(mark))


def main(arguments: Sequence[str] | None = None) -> None:
    """Be a study runner until no study has lived for a while."""
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}")
    parser.add_argument("--exit-when-idle", type=float, metavar="SECONDS")
    parsed = parser.parse_args(arguments)
    settings = Settings.from_environment()
    logs.set_up(settings)
    try:
        store = patiently(lambda: Store.open(settings), log=log)
    except MnistDashError as error:
        log.error("%s", error)  # noqa: TRY400 - a sentence, not a traceback
        sys.exit(EXIT_INVALID)
    try:
        StudyRunner(store).run(idle_seconds=parsed.exit_when_idle)
    finally:
        store.close()


if __name__ == "__main__":
    main()
