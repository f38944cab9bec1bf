"""What workers write: claims, leases, reports, results; and what becomes of the run of a dead worker.

Every write of a worker names the attempt that it holds. A worker that was frozen while another took its run over finds no row to write
and gets `Fenced`: its numbers are dropped, the other's are the run's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import psutil
import sqlalchemy as sa

from mnist_dash.core.config.run_config import parse_config
from mnist_dash.core.hardware.devices import DeviceKind
from mnist_dash.core.training.reports import EpochReport, StepReport
from mnist_dash.errors import Fenced
from mnist_dash.runs.store import artifacts, events, schema
from mnist_dash.runs.store.artifacts import ArtifactKind, StoredFile
from mnist_dash.runs.store.config_changes import apply_change
from mnist_dash.runs.store.engine import Job
from mnist_dash.runs.store.events import EventKind
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import STEP_COLUMNS, Store, bump_revision, run_from_row, transition, update
from mnist_dash.runs.store.schema import now
from mnist_dash.runs.store.states import RunState
from mnist_dash.text import plural

PRUNED = "Ended by its study's pruner, because it lagged behind."
KEPT_CHECKPOINT_BYTES = 64 * 2**20
"""Room for the checkpoints of a run's earlier epochs, from which it can be forked without training them again."""
CLOCK_SLACK_SECONDS = 1.0
"""How far the database's clock may be behind a process's."""


@dataclass(frozen=True)
class WorkerIdentity:
    """Who a worker is."""

    id: str
    host: str
    machine: str
    """Names the space of process ids that `pid` belongs to."""
    pid: int
    device: DeviceKind
    n_threads: int


class Wish(StrEnum):
    """What somebody has asked the worker of a run for; the first of several."""

    NONE = ""
    STOP = "stop"
    PAUSE = "pause"
    CHANGE = "change"


@dataclass(frozen=True)
class Outcome:
    """How a run ended, as its row keeps it."""

    state: RunState
    reason: str = ""
    seconds_training: float | None = None
    seconds_evaluation: float | None = None
    device: str | None = None
    precision: str | None = None
    n_threads: int | None = None
    best_epoch: int | None = None
    test_loss: float | None = None
    test_accuracy: float | None = None
    n_test: int | None = None
    seconds_per_image_test: float | None = None


class WorkerRecords:
    """The worker's side of a store. Safe to use from several threads."""

    def __init__(self, store: Store, worker: WorkerIdentity) -> None:
        self._store = store
        self._worker = worker
        self._lease = store.settings.lease_seconds

    def sign_on(self) -> None:
        """Enter the worker into the list."""
        with self._store.writing() as connection:
            connection.execute(schema.workers.insert().values(**asdict(self._worker), started_at=now(), seen_at=now()))
            bump_revision(connection)

    def sign_off(self) -> None:
        """Mark the worker as gone."""
        self._write_worker(ended_at=now(), run_id=None, shown=True)

    def heartbeat(self) -> None:
        """Say that the worker lives."""
        self._write_worker()

    def is_benchmarked(self) -> bool:
        """Say whether this machine's device has been timed with as many threads before."""
        with self._store.reading() as connection:
            return connection.execute(sa.select(schema.calibrations.c.family).where(*self._slot())).first() is not None

    def record_benchmark(self, rates: dict[str, float]) -> None:
        """Keep the operations a second of this machine's device by kind of network."""
        worker = self._worker
        slot = {"machine": worker.machine, "device": worker.device, "n_threads": worker.n_threads, "created_at": now()}
        with self._store.writing() as connection:
            connection.execute(schema.calibrations.delete().where(*self._slot()))
            for family, rate in rates.items():
                connection.execute(schema.calibrations.insert().values(family=family, flops_per_second=rate, **slot))
            bump_revision(connection)

    def _slot(self) -> tuple[sa.ColumnElement[bool], ...]:
        table, worker = schema.calibrations, self._worker
        return (table.c.machine == worker.machine, table.c.device == worker.device, table.c.n_threads == worker.n_threads)

    def claim(self, job: Job) -> Run | None:
        """Take the run of a job, or None where the job is void: the run was stopped, or another attempt has it.

        What an earlier attempt recorded after its last checkpoint is dropped, to be recorded again.
        """
        runs, chunks, files = schema.runs, schema.step_chunks, schema.artifacts
        with self._store.writing() as connection:
            claimed = transition(
                connection,
                job.run_id,
                RunState.RUNNING,
                held_by=job.attempt - 1,
                attempt=job.attempt,
                worker=self._worker.id,
                started_at=sa.func.coalesce(runs.c.started_at, now()),
                lease_until=now() + self._lease,
            )
            if not claimed:
                return None
            here = (files.c.run_id == job.run_id) & (files.c.kind == ArtifactKind.CHECKPOINT)
            epoch = connection.execute(sa.select(files.c.epoch).where(here)).scalar() or 0
            connection.execute(chunks.delete().where(chunks.c.run_id == job.run_id, chunks.c.epoch > epoch))
            row = connection.execute(sa.select(runs).where(runs.c.id == job.run_id)).mappings().one()
            run = run_from_row(row)
            connection.execute(
                runs.update().where(runs.c.id == job.run_id).values(epoch=epoch, step=run.config.steps_until(epoch), reason="")
            )
            connection.execute(schema.workers.update().where(schema.workers.c.id == self._worker.id).values(run_id=job.run_id))
        return self._store.run(job.run_id)

    def mark_idle(self) -> None:
        """Say that the worker has no run any more."""
        self._write_worker(run_id=None, shown=True)

    def renew(self, run: Run, steps: Sequence[StepReport]) -> bool:
        """Record steps of one epoch and renew the lease; return whether somebody asked to stop the run.

        Raises:
            Fenced: another attempt has the run.
        """
        with self._store.writing() as connection:
            self._progress(connection, run, steps)
            return _is_asked_to_stop(connection, run.id)

    def record_epoch(
        self,
        run: Run,
        steps: Sequence[StepReport],
        epoch: EpochReport,
        checkpoint: StoredFile,
        probabilities: StoredFile | None = None,
    ) -> Wish:
        """Record a finished epoch and its files in one transaction, so that none of them is ever there alone.

        Returns:
            What somebody has asked for. Epochs may be shorter than the time between two renewals.

        Raises:
            Fenced: another attempt has the run.
        """
        runs, epochs = schema.runs, schema.epochs
        better = sa.or_(runs.c.best_val_accuracy.is_(None), runs.c.best_val_accuracy < epoch.val_accuracy)
        with self._store.writing() as connection:
            self._progress(
                connection,
                run,
                steps,
                epoch=epoch.epoch,
                step=epoch.step,
                last_val_accuracy=epoch.val_accuracy,
                last_val_loss=epoch.val_loss,
                best_epoch=sa.case((better, epoch.epoch), else_=runs.c.best_epoch),
                best_val_accuracy=sa.case((better, epoch.val_accuracy), else_=runs.c.best_val_accuracy),
                seconds_training=sa.select(sa.func.coalesce(sa.func.sum(epochs.c.seconds_training), 0.0) + epoch.seconds_training)
                .where(epochs.c.run_id == run.id)
                .scalar_subquery(),
                seconds_evaluation=sa.select(sa.func.coalesce(sa.func.sum(epochs.c.seconds_evaluation), 0.0) + epoch.seconds_evaluation)
                .where(epochs.c.run_id == run.id)
                .scalar_subquery(),
            )
            values = asdict(epoch)
            layers = values.pop("layers")
            connection.execute(epochs.insert().values(run_id=run.id, **values))
            if layers is not None:
                connection.execute(schema.epoch_layers.insert().values(run_id=run.id, epoch=epoch.epoch, layers=layers))
            _keep_checkpoint(connection, run)
            former = artifacts.record(connection, run.id, ArtifactKind.CHECKPOINT, checkpoint, epoch=epoch.epoch)
            if probabilities is not None:
                kind = ArtifactKind.EPOCH_PROBABILITIES
                artifacts.record(connection, run.id, kind, probabilities, epoch=epoch.epoch, part=str(epoch.epoch))
            wish = _wish(connection, run.id)
        artifacts.discard(self._store.settings, former)
        return wish

    def pause(self, run: Run) -> None:
        """Set a run aside after its last recorded epoch, as somebody has asked; a change that was asked for is made first.

        Raises:
            Fenced: another attempt has the run.
        """
        with self._store.writing() as connection:
            query = sa.select(schema.runs.c.epoch, schema.runs.c.change_requested).where(schema.runs.c.id == run.id)
            epoch, change = connection.execute(query).one()
            if change is not None:
                apply_change(connection, run.id, held_by=run.attempt)
            if not transition(connection, run.id, RunState.PAUSED, held_by=run.attempt, worker=None, pause_requested=None, reason=""):
                raise Fenced(f"Attempt {run.attempt} of run {run.id} has ended already.")
            events.write(connection, run.id, EventKind.PAUSED, f"Paused after epoch {epoch}.", epoch=epoch)

    def change(self, run: Run) -> Run:
        """Give a run the settings that somebody has asked for, from its last recorded epoch on; returns the run as it is now.

        Raises:
            Fenced: another attempt has the run.
        """
        with self._store.writing() as connection:
            if not apply_change(connection, run.id, held_by=run.attempt):
                raise Fenced(f"Run {run.id} is not held by attempt {run.attempt} any more; its settings are left alone.")
        return self._store.run(run.id)

    def finish(self, run: Run, outcome: Outcome, *, steps: Sequence[StepReport] = (), files: dict[ArtifactKind, StoredFile]) -> None:
        """Record how a run ended, with all its files, in one transaction.

        Raises:
            Fenced: another attempt has the run.
        """
        values = {name: value for name, value in asdict(outcome).items() if value is not None and name != "state"}
        epoch = self._store.run(run.id).epoch
        with self._store.writing() as connection:
            self._progress(connection, run, steps)
            for kind, file in files.items():
                artifacts.record(connection, run.id, kind, file, epoch=epoch)
            state = outcome.state
            if state is RunState.STOPPED and _is_pruned(connection, run.id):
                state, values["reason"] = RunState.PRUNED, PRUNED
            if not transition(connection, run.id, state, held_by=run.attempt, **values):
                raise Fenced(f"Attempt {run.attempt} of run {run.id} has ended already.")

    def release(self, run_id: str, attempt: int, *, reason: str, count: bool = True) -> None:
        """Give a run back to the queue after `attempt` ended without a result; does nothing when another attempt has it.

        Args:
            run_id: the run.
            attempt: the attempt that ended.
            reason: why it ended.
            count: whether to fail the run after too many attempts; not when the worker was asked to end.
        """
        with self._store.writing() as connection:
            limit = self._store.settings.max_attempts + 2 * events.count(connection, run_id, EventKind.RESUMED)  # see `steering.resume`
            if _is_asked_to_stop(connection, run_id):
                pruned = _is_pruned(connection, run_id)
                reason = PRUNED if pruned else "Stopped; its worker was gone, so it was not evaluated."
                transition(connection, run_id, RunState.PRUNED if pruned else RunState.STOPPED, held_by=attempt, reason=reason)
            elif count and attempt >= limit:
                text = (
                    f"The run was given up after {plural(limit, 'attempt')}; the last one ended because {reason}. "
                    "Look into it, then train it again."
                )
                transition(connection, run_id, RunState.FAILED, held_by=attempt, reason=text)
            elif transition(connection, run_id, RunState.QUEUED, held_by=attempt, worker=None, reason=f"Queued again because {reason}."):
                config = connection.execute(sa.select(schema.runs.c.config).where(schema.runs.c.id == run_id)).scalar_one()
                self._store.add_job(connection, Job(run_id, attempt + 1), parse_config(config).device)

    def sweep(self) -> None:
        """Give the runs of dead workers back to the queue: those whose lease has run out, or whose process is gone from this machine."""
        runs, workers = schema.runs, schema.workers
        query = sa.select(runs.c.id, runs.c.attempt, runs.c.worker, (runs.c.lease_until < now()).label("expired"))
        listed = sa.select(workers, (now() - workers.c.seen_at).label("silence"))
        taken = self._store.queue_client.claimed()  # before the workers are listed: whoever has taken a job by now is on that list
        with self._store.reading() as connection:
            held = connection.execute(query.where(runs.c.state == RunState.RUNNING)).all()
            alive = {row.id for row in connection.execute(listed.where(workers.c.ended_at.is_(None))) if self._lives(row)}
        for row in held:
            if row.expired or row.worker not in alive:
                self.release(row.id, row.attempt, reason="its worker died" if row.worker not in alive else "its worker fell silent")
        for job, worker_id in taken:
            if worker_id not in alive:
                self._hand_on(job)

    def _hand_on(self, job: Job) -> None:
        """Offer a job that a dead worker took again if it was never begun; withdraw it when its attempt is over."""
        runs = schema.runs
        with self._store.reading() as connection:
            run = connection.execute(sa.select(runs.c.state, runs.c.attempt).where(runs.c.id == job.run_id)).first()
        if run is not None and (run.state, run.attempt) == (RunState.QUEUED, job.attempt - 1):
            self._store.queue_client.requeue(job)
        elif run is None or run.attempt > job.attempt or RunState(run.state).is_terminal:
            self._store.queue_client.cancel(job)

    def _lives(self, row: Any) -> bool:  # noqa: ANN401 - a row of the workers' table
        if row.silence > self._lease:
            return False
        return bool(row.machine != self._worker.machine) or process_lives(row.pid, row.started_at)

    def _progress(self, connection: sa.Connection, run: Run, steps: Sequence[StepReport], **values: object) -> None:
        if steps:
            last = steps[-1]
            values = {"step": last.step, "seconds_training": last.seconds - schema.runs.c.seconds_evaluation} | values
        if not update(connection, run.id, held_by=run.attempt, lease_until=now() + self._lease, **values):
            raise Fenced(f"Run {run.id} is not held by attempt {run.attempt} any more; its numbers are dropped.")
        for first, points in _by_epoch(steps):
            connection.execute(schema.step_chunks.insert().values(run_id=run.id, first_step=first.step, epoch=first.epoch, points=points))

    def _write_worker(self, *, shown: bool = False, **values: object) -> None:
        workers = schema.workers
        with self._store.writing() as connection:
            connection.execute(workers.update().where(workers.c.id == self._worker.id).values(seen_at=now(), **values))
            if shown:
                bump_revision(connection)


def process_lives(pid: int, started_at: float) -> bool:
    """Say whether the process that had this id at that time (seconds since 1970) still runs."""
    try:
        process = psutil.Process(pid)
        return bool(process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= started_at + CLOCK_SLACK_SECONDS)
    except psutil.NoSuchProcess:
        return False


def _is_asked_to_stop(connection: sa.Connection, run_id: str) -> bool:
    return bool(connection.execute(sa.select(schema.runs.c.stop_requested).where(schema.runs.c.id == run_id)).scalar())


def _wish(connection: sa.Connection, run_id: str) -> Wish:
    runs = schema.runs
    query = sa.select(runs.c.stop_requested, runs.c.pause_requested, runs.c.change_requested).where(runs.c.id == run_id)
    row = connection.execute(query).one()
    if row.stop_requested:
        return Wish.STOP
    if row.pause_requested:
        return Wish.PAUSE
    return Wish.NONE if row.change_requested is None else Wish.CHANGE


def _keep_checkpoint(connection: sa.Connection, run: Run) -> None:
    """Keep the checkpoint that is about to be replaced, where the run keeps that epoch's; trials of studies keep none."""
    files, trials = schema.artifacts, schema.trial_runs
    here = (files.c.run_id == run.id) & (files.c.kind == ArtifactKind.CHECKPOINT)
    row = connection.execute(sa.select(files.c.epoch, files.c.n_bytes).where(here)).first()
    if row is None or row.epoch % checkpoint_stride(run.config.epochs, row.n_bytes):
        return
    if connection.execute(sa.select(trials.c.run_id).where(trials.c.run_id == run.id)).first() is None:
        connection.execute(files.update().where(here).values(kind=ArtifactKind.EPOCH_CHECKPOINT, part=str(row.epoch)))


def checkpoint_stride(n_epochs: int, n_bytes: int) -> int:
    """Say the checkpoint of every how-manieth epoch a run keeps: evenly over its epochs, within `KEPT_CHECKPOINT_BYTES`."""
    return math.ceil(n_epochs / max(1, KEPT_CHECKPOINT_BYTES // max(1, n_bytes)))


def _is_pruned(connection: sa.Connection, run_id: str) -> bool:
    return bool(connection.execute(sa.select(schema.runs.c.prune_requested).where(schema.runs.c.id == run_id)).scalar())


def _by_epoch(steps: Sequence[StepReport]) -> list[tuple[StepReport, bytes]]:
    """Pack steps into one blob an epoch, so that an epoch's steps can be dropped whole."""
    chunks: list[tuple[StepReport, bytes]] = []
    for epoch in dict.fromkeys(step.epoch for step in steps):
        own = [step for step in steps if step.epoch == epoch]
        points = np.array([[getattr(step, name) for name in STEP_COLUMNS] for step in own], dtype="<f8")
        chunks.append((own[0], points.tobytes()))
    return chunks
