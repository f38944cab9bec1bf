"""The run table: what pages and commands read, and how a run is accepted.

One `Store` a process, safe for several threads. What workers write is in `mnist_dash.runs.execution.worker_records`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from mnist_dash.core.config.naming import run_name
from mnist_dash.core.config.run_config import Device, RunConfig, canonical_json, parse_config
from mnist_dash.core.hardware.devices import n_cuda_devices
from mnist_dash.errors import NotAllowed, StorageUnavailable, StoreError, UnknownRun
from mnist_dash.redaction import redact
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.database_errors import check_url, classify_error
from mnist_dash.runs.store.database_file import DatabaseFile
from mnist_dash.runs.store.engine import Job, JobQueue
from mnist_dash.runs.store.identities import OWNER, Person
from mnist_dash.runs.store.migrations import migrate
from mnist_dash.runs.store.places.identity import check_identity
from mnist_dash.runs.store.places.opening import place_of
from mnist_dash.runs.store.records import History, Run, Worker
from mnist_dash.runs.store.routing import route
from mnist_dash.runs.store.schema import now
from mnist_dash.runs.store.states import RunState, sources
from mnist_dash.settings import Settings
from mnist_dash.text import listed

STEP_COLUMNS = ("step", "epoch", "seconds", "loss", "accuracy")
SAME_BUT_ONE = 0.85
"""Similarity of ids of eight characters from which on they count as near: all but one are the same."""
_REVISED = "mnist_dash.revised"
"""Marks a connection whose transaction has changed something that pages show."""
_NUMBER = "run_number"
"""Key of the number of the newest run."""
N_COMPARED_IDS = 5000
"""Among how many ids those near to a mistyped one are looked for; comparing takes 6 microseconds each."""
WORKER_MEMORY_SECONDS = 3600
"""How long a worker that is gone is still listed."""


class Store:
    """Everything that is remembered of runs and workers."""

    def __init__(
        self,
        settings: Settings,
        engine: sa.Engine,
        queue: JobQueue,
        person: Person = OWNER,
        file: DatabaseFile | None = None,
    ) -> None:
        self.settings = settings
        self._file = file or DatabaseFile(settings.database_url)
        self.engine = engine
        self.queue_client = queue
        self.person = person
        """On whose behalf actions act; what they may do is checked by `runs.access.permission.require`."""

    @classmethod
    def open(cls, settings: Settings) -> Store:
        """Open the store, creating folders and tables where they are missing.

        Raises:
            StoreTooNew: a newer MNIST Dash wrote it.
            StoreLocked: another process holds it.
            ArtifactsElsewhere: the artifacts that it names are not in this process's folder.
            StoreError: it cannot be opened or is no database.
        """
        check_url(settings.database_url)
        try:
            settings.home.mkdir(parents=True, exist_ok=True)
            place_of(settings).prepare()
        except OSError as error:
            raise StoreError(
                f"The data folder {settings.home} cannot be written: {error.strerror}. "
                "Make it writable, or set MNIST_DASH_HOME to another folder."
            ) from error
        with classify_error(settings.database_url):
            engine = schema.create_engine(settings.database_url)
            try:
                migrate(engine)
                _check_artifacts(engine, settings)
                return cls(settings, engine, JobQueue(settings.database_url))
            except BaseException:
                engine.dispose()
                raise

    def acting_for(self, person: Person) -> Store:
        """Give the same store, with the same connections, to somebody else."""
        return Store(self.settings, self.engine, self.queue_client, person, self._file)

    def close(self) -> None:
        """Let go of all connections."""
        self.queue_client.close()
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Open a transaction that only reads and never waits for a writer."""
        self._file.check()
        with (
            classify_error(self.settings.database_url),
            self.engine.connect().execution_options(reading=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def writing(self, *, in_turn: bool = False) -> Iterator[sa.Connection]:
        """Open a transaction that writes; it commits when the block ends without an exception.

        Args:
            in_turn: wait until no other such transaction is open: for what looks whether a row is there before it inserts it.
                On SQLite all that write take turns.

        The store's revision is counted up last: every writer needs that one row, so on PostgreSQL nobody may hold it while waiting for
        another (a deadlock), and nobody waits for it longer than a commit takes.
        """
        meta = schema.meta
        self._file.check()
        with classify_error(self.settings.database_url), self.engine.begin() as connection:
            connection.info.pop(_REVISED, None)
            if in_turn:
                schema.wait_for_turn(connection)
            yield connection
            if connection.info.pop(_REVISED, False):
                connection.execute(
                    meta.update().where(meta.c.key == "revision").values(value=meta.c.value + 1)
                )

    def readable(self) -> sa.ColumnElement[bool]:
        """Say which rows of the run table may be read: all, or those that a share link is for and the runs of its studies."""
        only = self.person.only
        if only is None:
            return sa.true()
        of_studies = sa.select(schema.trial_runs.c.run_id).where(
            schema.trial_runs.c.study_id.in_(only)
        )
        return schema.runs.c.id.in_(only) | schema.runs.c.id.in_(of_studies)

    def check_readable(self, ids: Iterable[str]) -> None:
        """Check that runs and studies may be read; whoever came by a share link reads what it is for and nothing else.

        Raises:
            NotAllowed: one of them is another.
        """
        only = self.person.only
        others = set() if only is None else set(ids) - only
        if others:
            links = schema.trial_runs
            query = sa.select(links.c.run_id).where(
                links.c.run_id.in_(others), links.c.study_id.in_(only or ())
            )
            with self.reading() as connection:
                others -= set(connection.execute(query).scalars())
        if others:
            raise NotAllowed(
                f"This share link is not for {min(others)[:40]!r}. Open the link again, or sign in to see more."
            )

    def submitted(self, connection: sa.Connection, key: str | None) -> str | None:
        """Find the run that was submitted under a key; None where there is none."""
        if key is None:
            return None
        known = connection.execute(
            sa.select(schema.runs.c.id).where(schema.runs.c.submit_key == key)
        ).scalar()
        return None if known is None else str(known)

    def insert_run(
        self,
        connection: sa.Connection,
        config: RunConfig,
        *,
        key: str | None,
        preset: str | None,
        **values: Any,  # noqa: ANN401 - column values
    ) -> str:
        """Write a run's row and its first job within the caller's transaction and return the run's id.

        The same `key` again returns the first run's id and writes nothing; for that, transactions that insert take turns. `values` are
        further columns of the row.
        """
        known = self.submitted(connection, key)
        if known is not None:
            return known
        row = {
            "id": new_run_id(),
            "submit_key": key,
            "state": RunState.QUEUED,
            "config": canonical_json(config),
            "config_hash": config.hash,
            "preset": preset,
            "name": run_name(config, _next_number(connection)),
            "owner": self.person.email,
            "created_at": now(),
            "n_steps": config.n_steps,
            "n_parameters": config.n_parameters,
        }
        row |= values
        connection.execute(schema.runs.insert().values(row))
        self.add_job(connection, Job(str(row["id"]), 1), config.device)
        bump_revision(connection)
        return str(row["id"])

    def add_job(self, connection: sa.Connection, job: Job, device: Device) -> None:
        """Add a job to the queue of the kind of device that it is for, within the caller's transaction."""
        workers = schema.workers
        lives = workers.c.ended_at.is_(None) & (
            workers.c.seen_at > now() - self.settings.lease_seconds
        )
        alive = (
            connection.execute(sa.select(workers.c.device).distinct().where(lives)).scalars().all()
        )
        self.queue_client.add(connection, job, route(device, alive, gpu_here=n_cuda_devices() > 0))

    def mark_deleted(self, run_ids: Iterable[str], *, deleted: bool) -> None:
        """Put runs into the bin, or take them out of it."""
        with self.writing() as connection:
            for run_id in run_ids:
                update(connection, run_id, deleted_at=now() if deleted else None)

    def run(self, run_id: str) -> Run:
        """Read one run.

        Raises:
            NotAllowed: whoever asks may read other runs only.
            UnknownRun: no run has this id.
        """
        self.check_readable((run_id,))
        with self.reading() as connection:
            row = (
                connection.execute(sa.select(schema.runs).where(schema.runs.c.id == run_id))
                .mappings()
                .first()
            )
        if row is None:
            raise UnknownRun(self.unknown_run(run_id))
        return run_from_row(row)

    def lineage(self, run: Run) -> tuple[str, ...]:
        """Name a run and those that it was forked from, the nearest first; its page shows them all."""
        found, parents = [run.id], sa.select(schema.runs.c.parent_id)
        with self.reading() as connection:
            parent = run.parent_id
            while parent is not None and parent not in found:
                found.append(parent)
                parent = connection.execute(parents.where(schema.runs.c.id == parent)).scalar()
        return tuple(found)

    def runs(
        self,
        *,
        limit: int = 50,
        offset: int = 0,
        states: Sequence[RunState] | None = None,
        deleted: bool = False,
    ) -> tuple[Run, ...]:
        """List runs, newest first; either those in the bin or the others."""
        query = sa.select(schema.runs).where(*_filter(states, deleted=deleted), self.readable())
        query = (
            query.order_by(schema.runs.c.created_at.desc(), schema.runs.c.id)
            .limit(limit)
            .offset(offset)
        )
        with self.reading() as connection:
            return tuple(run_from_row(row) for row in connection.execute(query).mappings())

    def count(self, *, states: Sequence[RunState] | None = None, deleted: bool = False) -> int:
        """Count the runs that `runs` would list."""
        with self.reading() as connection:
            query = (
                sa.select(sa.func.count())
                .select_from(schema.runs)
                .where(*_filter(states, deleted=deleted), self.readable())
            )
            return int(connection.execute(query).scalar_one())

    def queue(self) -> tuple[Run, ...]:
        """List the queued runs in the order in which they will start."""
        query = sa.select(schema.runs).where(
            *_filter([RunState.QUEUED], deleted=False), self.readable()
        )
        with self.reading() as connection:
            return tuple(
                run_from_row(row)
                for row in connection.execute(query.order_by(schema.runs.c.created_at)).mappings()
            )

    def find_same(self, config: RunConfig) -> Run | None:
        """Find the newest finished run of exactly this configuration."""
        query = (
            sa.select(schema.runs)
            .where(
                schema.runs.c.config_hash == config.hash,
                schema.runs.c.state == RunState.FINISHED,
                schema.runs.c.deleted_at.is_(None),
            )
            .where(self.readable())
        )
        with self.reading() as connection:
            row = (
                connection.execute(query.order_by(schema.runs.c.created_at.desc()).limit(1))
                .mappings()
                .first()
            )
        return None if row is None else run_from_row(row)

    def revision(self) -> int:
        """Read a number that changes whenever any run or worker changes."""
        with self.reading() as connection:
            return int(
                connection.execute(
                    sa.select(schema.meta.c.value).where(schema.meta.c.key == "revision")
                ).scalar_one()
            )

    def run_revision(self, run_id: str) -> int:
        """Read a number that changes whenever this run, its history or its artifacts change.

        Raises:
            NotAllowed: whoever asks may read other runs only.
            UnknownRun: no run has this id.
        """
        self.check_readable((run_id,))
        with self.reading() as connection:
            revision = connection.execute(
                sa.select(schema.runs.c.revision).where(schema.runs.c.id == run_id)
            ).scalar()
        if revision is None:
            raise UnknownRun(self.unknown_run(run_id))
        return int(revision)

    def history(self, run_id: str) -> History:
        """Read the metrics of a run by epoch and by step."""
        self.check_readable((run_id,))
        epochs, chunks = schema.epochs, schema.step_chunks
        with self.reading() as connection:
            rows = connection.execute(
                sa.select(epochs).where(epochs.c.run_id == run_id).order_by(epochs.c.epoch)
            ).all()
            blobs = (
                connection.execute(
                    sa.select(chunks.c.points)
                    .where(chunks.c.run_id == run_id)
                    .order_by(chunks.c.first_step)
                )
                .scalars()
                .all()
            )
        points = np.frombuffer(b"".join(blobs), dtype="<f8").reshape(-1, len(STEP_COLUMNS))
        steps = pd.DataFrame(points, columns=list(STEP_COLUMNS)).astype(
            {"step": "int64", "epoch": "int64"}
        )
        table = pd.DataFrame(rows, columns=[column.name for column in epochs.c]).drop(
            columns="run_id"
        )
        # NULL is not a number.
        return History(table.astype({"test_loss": "float64", "test_accuracy": "float64"}), steps)

    def sparklines(self, run_ids: Sequence[str]) -> dict[str, list[float]]:
        """Read the validation accuracy by epoch of several runs; a run without epochs has an empty list."""
        epochs = schema.epochs
        query = (
            sa.select(epochs.c.run_id, epochs.c.val_accuracy)
            .where(epochs.c.run_id.in_(run_ids))
            .order_by(epochs.c.run_id, epochs.c.epoch)
        )
        self.check_readable(run_ids)
        lines: dict[str, list[float]] = {run_id: [] for run_id in run_ids}
        with self.reading() as connection:
            for run_id, accuracy in connection.execute(query):
                lines[run_id].append(accuracy)
        return lines

    def unknown_run(self, run_id: str) -> str:
        """Say that there is no such run, and which ids are near: of the newest runs that whoever asks may read."""
        ids = (
            sa.select(schema.runs.c.id)
            .where(self.readable())
            .order_by(schema.runs.c.created_at.desc())
            .limit(N_COMPARED_IDS)
        )
        with self.reading() as connection:
            found = get_close_matches(
                run_id.strip().lower(),
                connection.execute(ids).scalars().all(),
                n=2,
                cutoff=SAME_BUT_ONE,
            )
        meant = f" Did you mean {listed(found)}?" if found else ""
        return f"No run {run_id!r}.{meant} List runs with `mnist-dash runs`."

    def workers(self) -> tuple[Worker, ...]:
        """List the workers, those that are gone for an hour at most."""
        workers = schema.workers
        silent = now() - workers.c.seen_at
        query = (
            sa.select(workers, silent.label("silence"))
            .where(silent < WORKER_MEMORY_SECONDS)
            .order_by(workers.c.started_at)
        )
        with self.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return tuple(_worker_from_row(row, self.settings.lease_seconds) for row in rows)


def new_run_id() -> str:
    """Draw the id of a new run."""
    return secrets.token_hex(4)


def update(
    connection: sa.Connection,
    run_id: str,
    *,
    held_by: int | None = None,
    only_in: RunState | None = None,
    **values: Any,  # noqa: ANN401 - column values
) -> bool:
    """Write columns of one run and count up its revision and the store's.

    Args:
        connection: an open writing transaction.
        run_id: the run.
        held_by: the attempt that must hold the run while it trains; None where a person writes.
        only_in: the state in which the run must be; None for any.
        **values: the columns.

    Returns:
        Whether the run was there, in that state, and held by that attempt.
    """
    runs = schema.runs
    conditions = [runs.c.id == run_id]
    if only_in is not None:
        conditions.append(runs.c.state == only_in)
    if held_by is not None:
        conditions += [runs.c.attempt == held_by, runs.c.state == RunState.RUNNING]
    result = connection.execute(
        runs.update().where(*conditions).values(revision=runs.c.revision + 1, **_shown(values))
    )
    bump_revision(connection)
    return result.rowcount == 1


def transition(
    connection: sa.Connection,
    run_id: str,
    target: RunState,
    *,
    held_by: int | None = None,
    only_from: RunState | None = None,
    **values: Any,  # noqa: ANN401 - column values
) -> bool:
    """Move a run to `target` if its state allows it, and its attempt and former state where asked: the one place where a state changes.

    Returns:
        Whether the run was moved.
    """
    runs = schema.runs
    conditions = [
        runs.c.id == run_id,
        runs.c.state.in_(sources(target) if only_from is None else (only_from,)),
    ]
    if held_by is not None:
        conditions.append(runs.c.attempt == held_by)
    if target.is_terminal:
        values |= {
            "ended_at": now(),
            "stop_requested": False,
            "pause_requested": None,
            "change_requested": None,
        }
    if target is not RunState.RUNNING:
        values |= {"lease_until": None}
    result = connection.execute(
        runs.update()
        .where(*conditions)
        .values(state=target, revision=runs.c.revision + 1, **_shown(values))
    )
    bump_revision(connection)
    return result.rowcount == 1


def _next_number(connection: sa.Connection) -> int:
    """Count the runs that were ever submitted to this store, the next one included; a number is given once.

    A store from before runs were numbered begins after those that it has.
    """
    meta = schema.meta
    count_up = meta.update().where(meta.c.key == _NUMBER).values(value=meta.c.value + 1)
    if not connection.execute(count_up).rowcount:
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        known = connection.execute(sa.select(sa.func.count()).select_from(schema.runs)).scalar_one()
        connection.execute(insert(meta).values(key=_NUMBER, value=known).on_conflict_do_nothing())
        connection.execute(count_up)
    return int(
        connection.execute(sa.select(meta.c.value).where(meta.c.key == _NUMBER)).scalar_one()
    )


def _shown(values: dict[str, Any]) -> dict[str, Any]:
    """Take secrets out of a reason before it is stored: it may be the message of any library, and goes to pages, exports and archives."""
    return values | ({"reason": redact(values["reason"])} if values.get("reason") else {})


def bump_revision(connection: sa.Connection) -> None:
    """Have the store's revision counted up at the end of a `Store.writing` transaction, so that pages know that something changed."""
    connection.info[_REVISED] = True


def _check_artifacts(engine: sa.Engine, settings: Settings) -> None:
    place = place_of(settings)
    try:
        check_identity(engine, place, files_are_lost=settings.artifacts_are_lost)
    except OSError as error:
        raise StorageUnavailable(
            f"The artifacts at {place.name} cannot be reached: {error.strerror or error}."
        ) from error


def run_from_row(row: sa.RowMapping) -> Run:
    """Build the record of a run from its row."""
    fields = {name: row[name] for name in Run.__dataclass_fields__}
    fields |= {"state": RunState(row["state"]), "config": parse_config(row["config"])}
    fields |= {name: bool(row[name]) for name in ("stop_requested", "pause_requested", "starred")}
    for name in ("created_at", "started_at", "ended_at", "deleted_at", "archived_at"):
        fields[name] = _time(row[name])
    return Run(**fields)


def _worker_from_row(row: sa.RowMapping, lease_seconds: float) -> Worker:
    fields = {name: row[name] for name in Worker.__dataclass_fields__ if name != "state"}
    fields |= {"started_at": _time(row["started_at"]), "seen_at": _time(row["seen_at"])}
    gone = row["ended_at"] is not None or row["silence"] > lease_seconds
    return Worker(**fields, state="gone" if gone else "running" if row["run_id"] else "idle")


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, tz=UTC)


def _filter(states: Sequence[RunState] | None, *, deleted: bool) -> list[sa.ColumnElement[bool]]:
    bin_time = schema.runs.c.deleted_at
    conditions: list[sa.ColumnElement[bool]] = [
        bin_time.is_not(None) if deleted else bin_time.is_(None)
    ]
    if states is not None:
        conditions.append(schema.runs.c.state.in_(states))
    return conditions
