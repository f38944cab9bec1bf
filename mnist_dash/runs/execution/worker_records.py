"""What workers write: claims, leases, reports, results; and what becomes of the run of a dead worker.

Every write of a worker names the attempt that it holds. A worker that was frozen while another took its run over finds no row to write
and gets `Fenced`: its numbers are dropped, the other's are the run's.

Every write may be done again: a database can carry out a transaction and die before it says so. What is there already, by its attempt or by
the path of its file, is left as it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import sqlalchemy as sa

from mnist_dash.core.config.run_config import parse_config
from mnist_dash.core.hardware.devices import DeviceKind
from mnist_dash.core.training.reports import EpochReport, StepReport
from mnist_dash.errors import Fenced
from mnist_dash.runs.execution.lost_jobs import jobs_out_of_reach, offer_again
from mnist_dash.runs.execution.processes import process_lives
from mnist_dash.runs.store import artifacts, events, schema
from mnist_dash.runs.store.artifacts import ArtifactKind, StoredFile
from mnist_dash.runs.store.config_changes import apply_change
from mnist_dash.runs.store.engine import Job
from mnist_dash.runs.store.events import EventKind
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import (
    STEP_COLUMNS,
    Store,
    bump_revision,
    run_from_row,
    transition,
    update,
)
from mnist_dash.runs.store.schema import now
from mnist_dash.runs.store.states import RunState
from mnist_dash.text import plural

PRUNED = "Ended by its study's pruner, because it lagged behind."
KEPT_CHECKPOINT_BYTES = 64 * 2**20
"""Room for the checkpoints of a run's earlier epochs, from which it can be forked without training them again."""
EPOCH_KINDS = (ArtifactKind.EPOCH_CHECKPOINT, ArtifactKind.EPOCH_PROBABILITIES)
"""Files of which a run keeps one for several of its epochs."""


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
    process_began: int | None = None
    """When, by `runs.execution.processes.began`; None where any process of that id counts."""


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
        self._out_of_reach: set[Job] = set()

    def sign_on(self) -> None:
        """Enter the worker into the list."""
        with self._store.writing() as connection:
            # There already?
            connection.execute(
                schema.workers.delete().where(schema.workers.c.id == self._worker.id)
            )
            connection.execute(
                schema.workers.insert().values(
                    **asdict(self._worker), started_at=now(), seen_at=now()
                )
            )
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
            return (
                connection.execute(
                    sa.select(schema.calibrations.c.family).where(*self._slot())
                ).first()
                is not None
            )

    def record_benchmark(self, rates: dict[str, float]) -> None:
        """Keep the operations a second of this machine's device by kind of network."""
        worker = self._worker
        slot = {
            "machine": worker.machine,
            "device": worker.device,
            "n_threads": worker.n_threads,
            "created_at": now(),
        }
        with self._store.writing(in_turn=True) as connection:
            connection.execute(schema.calibrations.delete().where(*self._slot()))
            for family, rate in rates.items():
                connection.execute(
                    schema.calibrations.insert().values(
                        family=family, flops_per_second=rate, **slot
                    )
                )
            bump_revision(connection)

    def _slot(self) -> tuple[sa.ColumnElement[bool], ...]:
        table, worker = schema.calibrations, self._worker
        return (
            table.c.machine == worker.machine,
            table.c.device == worker.device,
            table.c.n_threads == worker.n_threads,
        )

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
            if not claimed and not self._holds(connection, job):
                return None
            here = (files.c.run_id == job.run_id) & (files.c.kind == ArtifactKind.CHECKPOINT)
            epoch = connection.execute(sa.select(files.c.epoch).where(here)).scalar() or 0
            connection.execute(
                chunks.delete().where(chunks.c.run_id == job.run_id, chunks.c.epoch > epoch)
            )
            row = (
                connection.execute(sa.select(runs).where(runs.c.id == job.run_id)).mappings().one()
            )
            run = run_from_row(row)
            connection.execute(
                runs.update()
                .where(runs.c.id == job.run_id)
                .values(epoch=epoch, step=run.config.steps_until(epoch), reason="")
            )
            connection.execute(
                schema.workers.update()
                .where(schema.workers.c.id == self._worker.id)
                .values(run_id=job.run_id)
            )
        return self._store.run(job.run_id)

    def mark_idle(self) -> None:
        """Say that the worker has no run any more."""
        self._write_worker(run_id=None, shown=True)

    def renew(self, run: Run, steps: Sequence[StepReport], *, reason: str = "") -> bool:
        """Record steps of one epoch and renew the lease; return whether somebody asked to stop the run.

        Args:
            run: the run.
            steps: what has come in since the last call.
            reason: what it waits for, for its page; empty where it waits for nothing.

        Raises:
            Fenced: another attempt has the run.
        """
        with self._store.writing() as connection:
            self._progress(connection, run, steps, reason=reason)
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
        runs, epochs, settings = schema.runs, schema.epochs, self._store.settings
        better = sa.or_(
            runs.c.best_val_accuracy.is_(None), runs.c.best_val_accuracy < epoch.val_accuracy
        )
        with self._store.writing() as connection:
            if artifacts.is_recorded(connection, run.id, checkpoint, epoch=epoch.epoch):
                self._progress(connection, run, ())
                return _wish(connection, run.id)
            self._progress(
                connection,
                run,
                steps,
                n_deaths=0,
                reason="",
                epoch=epoch.epoch,
                step=epoch.step,
                last_val_accuracy=epoch.val_accuracy,
                last_val_loss=epoch.val_loss,
                best_epoch=sa.case((better, epoch.epoch), else_=runs.c.best_epoch),
                best_val_accuracy=sa.case(
                    (better, epoch.val_accuracy), else_=runs.c.best_val_accuracy
                ),
                seconds_training=sa.select(
                    sa.func.coalesce(sa.func.sum(epochs.c.seconds_training), 0.0)
                    + epoch.seconds_training
                )
                .where(epochs.c.run_id == run.id)
                .scalar_subquery(),
                seconds_evaluation=sa.select(
                    sa.func.coalesce(sa.func.sum(epochs.c.seconds_evaluation), 0.0)
                    + epoch.seconds_evaluation
                )
                .where(epochs.c.run_id == run.id)
                .scalar_subquery(),
            )
            values = asdict(epoch)
            layers = values.pop("layers")
            connection.execute(epochs.insert().values(run_id=run.id, **values))
            if layers is not None:
                connection.execute(
                    schema.epoch_layers.insert().values(
                        run_id=run.id, epoch=epoch.epoch, layers=layers
                    )
                )
            _keep_checkpoint(connection, run)
            former = artifacts.record(
                connection, run.id, ArtifactKind.CHECKPOINT, checkpoint, epoch=epoch.epoch
            )
            if probabilities is not None:
                kind = ArtifactKind.EPOCH_PROBABILITIES
                artifacts.record(
                    connection,
                    run.id,
                    kind,
                    probabilities,
                    epoch=epoch.epoch,
                    part=str(epoch.epoch),
                )
            wish = _wish(connection, run.id)
        artifacts.discard(settings, former)
        return wish

    def pause(self, run: Run) -> None:
        """Set a run aside after its last recorded epoch, as somebody has asked; a change that was asked for is made first.

        Raises:
            Fenced: another attempt has the run.
        """
        with self._store.writing() as connection:
            query = sa.select(schema.runs.c.epoch, schema.runs.c.change_requested).where(
                schema.runs.c.id == run.id
            )
            epoch, change = connection.execute(query).one()
            if change is not None:
                apply_change(connection, run.id, held_by=run.attempt)
            if not transition(
                connection,
                run.id,
                RunState.PAUSED,
                held_by=run.attempt,
                worker=None,
                pause_requested=None,
                reason="",
            ):
                raise Fenced(f"Attempt {run.attempt} of run {run.id} has ended already.")
            events.write(
                connection, run.id, EventKind.PAUSED, f"Paused after epoch {epoch}.", epoch=epoch
            )

    def change(self, run: Run) -> Run:
        """Give a run the settings that somebody has asked for, from its last recorded epoch on; returns the run as it is now.

        Raises:
            Fenced: another attempt has the run.
        """
        asked = sa.select(schema.runs.c.change_requested).where(schema.runs.c.id == run.id)
        with self._store.writing() as connection:
            if connection.execute(asked).scalar() is not None and not apply_change(
                connection, run.id, held_by=run.attempt
            ):
                raise Fenced(
                    f"Run {run.id} is not held by attempt {run.attempt} any more; its settings are left alone."
                )
        return self._store.run(run.id)

    def finish(
        self,
        run: Run,
        outcome: Outcome,
        *,
        steps: Sequence[StepReport] = (),
        files: dict[ArtifactKind, StoredFile],
    ) -> None:
        """Record how a run ended, with all its files, in one transaction.

        Raises:
            Fenced: another attempt has the run.
        """
        values = {
            name: value
            for name, value in asdict(outcome).items()
            if value is not None and name != "state"
        }
        epoch = self._store.run(run.id).epoch
        with self._store.writing() as connection:
            if files and all(
                artifacts.is_recorded(connection, run.id, file, epoch=epoch)
                for file in files.values()
            ):
                return
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
            count: whether it died, and the run fails when too many attempts in a row did so without finishing an epoch; not when the
                worker was asked to end.
        """
        limit, runs = self._store.settings.max_attempts, schema.runs
        with self._store.writing() as connection:
            n_deaths = (
                connection.execute(
                    sa.select(sa.func.coalesce(runs.c.n_deaths, 0)).where(runs.c.id == run_id)
                ).scalar()
                or 0
            )
            n_deaths += count
            if _is_asked_to_stop(connection, run_id):
                pruned = _is_pruned(connection, run_id)
                reason = (
                    PRUNED if pruned else "Stopped; its worker was gone, so it was not evaluated."
                )
                transition(
                    connection,
                    run_id,
                    RunState.PRUNED if pruned else RunState.STOPPED,
                    held_by=attempt,
                    reason=reason,
                )
            elif count and n_deaths >= limit:
                text = (
                    f"The run was given up after {plural(limit, 'attempt')} without a finished epoch; the last one ended because {reason}. "
                    "Look into it, then train it again."
                )
                transition(
                    connection,
                    run_id,
                    RunState.FAILED,
                    held_by=attempt,
                    only_from=RunState.RUNNING,
                    reason=text,
                    n_deaths=n_deaths,
                )
            elif transition(
                connection,
                run_id,
                RunState.QUEUED,
                held_by=attempt,
                only_from=RunState.RUNNING,
                worker=None,
                reason=f"Queued again because {reason}.",
                n_deaths=n_deaths,
            ):
                config = connection.execute(
                    sa.select(schema.runs.c.config).where(schema.runs.c.id == run_id)
                ).scalar_one()
                self._store.add_job(
                    connection, Job(run_id, attempt + 1), parse_config(config).device
                )

    def rewind(self, run: Run, epoch: int, reason: str) -> Run:
        """Go back to the checkpoint of an earlier epoch, or to the start: what came after it is trained again, to the same figures.

        Args:
            run: a run that this worker holds.
            epoch: how many of its finished epochs to keep; one of which a checkpoint is kept, or 0.
            reason: why, for the run's history.

        Raises:
            Fenced: another attempt has the run.
        """
        epochs, files = schema.epochs, schema.artifacts
        with self._store.writing() as connection:
            for table in (epochs, schema.epoch_layers, schema.step_chunks):
                connection.execute(
                    table.delete().where(table.c.run_id == run.id, table.c.epoch > epoch)
                )
            later = (files.c.run_id == run.id) & files.c.kind.in_(
                (ArtifactKind.CHECKPOINT, *EPOCH_KINDS)
            )
            dropped = (
                connection.execute(sa.select(files.c.path).where(later, files.c.epoch > epoch))
                .scalars()
                .all()
            )
            connection.execute(files.delete().where(later, files.c.epoch > epoch))
            kept = (
                (files.c.run_id == run.id)
                & (files.c.kind == ArtifactKind.EPOCH_CHECKPOINT)
                & (files.c.epoch == epoch)
            )
            connection.execute(
                files.update().where(kept).values(kind=ArtifactKind.CHECKPOINT, part="")
            )
            rows = connection.execute(
                sa.select(epochs).where(epochs.c.run_id == run.id).order_by(epochs.c.epoch)
            ).all()
            # The first of equals, as `record_epoch` has it.
            best = max(rows, key=lambda row: row.val_accuracy, default=None)
            held = update(
                connection,
                run.id,
                held_by=run.attempt,
                epoch=epoch,
                step=run.config.steps_until(epoch),
                last_val_accuracy=rows[-1].val_accuracy if rows else None,
                last_val_loss=rows[-1].val_loss if rows else None,
                best_epoch=None if best is None else best.epoch,
                best_val_accuracy=None if best is None else best.val_accuracy,
                seconds_training=sum(row.seconds_training for row in rows),
                seconds_evaluation=sum(row.seconds_evaluation for row in rows),
            )
            if not held:
                raise Fenced(
                    f"Run {run.id} is not held by attempt {run.attempt} any more; it is left alone."
                )
            begin = f"epoch {epoch}" if epoch else "the start"
            events.write(
                connection,
                run.id,
                EventKind.REWOUND,
                f"Trains again from {begin}: {reason}",
                epoch=epoch,
            )
        for path in dropped:
            artifacts.discard(self._store.settings, path)
        return self._store.run(run.id)

    def checkpoint_epochs(self, run: Run) -> list[int]:
        """List the earlier epochs of which a checkpoint is kept, the last first."""
        files = schema.artifacts
        here = (files.c.run_id == run.id) & (files.c.kind == ArtifactKind.EPOCH_CHECKPOINT)
        with self._store.reading() as connection:
            return list(
                connection.execute(
                    sa.select(files.c.epoch).where(here).order_by(files.c.epoch.desc())
                ).scalars()
            )

    def sweep(self, *, judge_silence: bool = True) -> None:
        """Give the runs of dead workers back to the queue: their lease has run out, or their process is gone from this machine.

        Args:
            judge_silence: whether a lease that has run out counts. After an outage of the database, or when this process itself was
                frozen, every lease has run out, and their holders must have time to renew them.
        """
        runs = schema.runs
        query = sa.select(
            runs.c.id, runs.c.attempt, runs.c.worker, (runs.c.lease_until < now()).label("expired")
        )
        listed = sa.select(schema.workers, (now() - schema.workers.c.seen_at).label("silence"))
        # Before the workers are listed: whoever has taken a job by now is on that list.
        taken = self._store.queue_client.claimed()
        with self._store.reading() as connection:
            held = connection.execute(query.where(runs.c.state == RunState.RUNNING)).all()
            workers = {row.id: row for row in connection.execute(listed)}
        for row in held:
            if row.worker == self._worker.id:
                continue  # its own thread answers for it, however slow the database was
            if self._is_dead(workers.get(row.worker)):
                self.release(row.id, row.attempt, reason="its worker died")
            elif judge_silence and (row.expired or workers[row.worker].silence > self._lease):
                self.release(row.id, row.attempt, reason="its worker fell silent")
        for job, worker_id in taken:
            worker: Any = workers.get(worker_id)
            if worker_id != self._worker.id and (
                self._is_dead(worker) or (judge_silence and worker.silence > self._lease)
            ):
                self._hand_on(job)

    def offer_lost(self) -> int:
        """Give queued runs whose job is lost another one, and offer a job again that was taken and never begun; returns how many.

        It counts as such when two calls in a row find it so; call it every few seconds.
        """
        lost, taken = jobs_out_of_reach(self._store)
        again, self._out_of_reach = (lost | taken) & self._out_of_reach, lost | taken
        for job in again & taken:
            self._hand_on(job)
        return sum(offer_again(self._store, job) for job in again & lost) + len(again & taken)

    def _hand_on(self, job: Job) -> None:
        """Offer a job that a dead worker took again if it was never begun; withdraw it when its attempt is over."""
        runs = schema.runs
        with self._store.reading() as connection:
            run = connection.execute(
                sa.select(runs.c.state, runs.c.attempt).where(runs.c.id == job.run_id)
            ).first()
        if run is not None and (run.state, run.attempt) == (RunState.QUEUED, job.attempt - 1):
            self._store.queue_client.requeue(job)
        elif run is None or run.attempt > job.attempt or RunState(run.state).is_terminal:
            self._store.queue_client.cancel(job)

    def _is_dead(self, worker: Any) -> bool:  # noqa: ANN401 - a row of the workers' table, or None
        """Say whether a worker is surely gone: unknown, signed off, or no process of this machine any more."""
        if worker is None or worker.ended_at is not None:
            return True
        return worker.machine == self._worker.machine and not process_lives(
            worker.pid, worker.process_began
        )

    def _holds(self, connection: sa.Connection, job: Job) -> bool:
        """Say whether this worker has a job's run already: its claim was carried out, and the answer was lost."""
        runs = schema.runs
        held = (
            (runs.c.state == RunState.RUNNING)
            & (runs.c.attempt == job.attempt)
            & (runs.c.worker == self._worker.id)
        )
        return (
            connection.execute(sa.select(runs.c.id).where(runs.c.id == job.run_id, held)).first()
            is not None
        )

    def _progress(
        self,
        connection: sa.Connection,
        run: Run,
        steps: Sequence[StepReport],
        **values: Any,  # noqa: ANN401 - column values
    ) -> None:
        if steps:
            last = steps[-1]
            values = {
                "step": last.step,
                "seconds_training": last.seconds - schema.runs.c.seconds_evaluation,
            } | values
        if not update(
            connection, run.id, held_by=run.attempt, lease_until=now() + self._lease, **values
        ):
            raise Fenced(
                f"Run {run.id} is not held by attempt {run.attempt} any more; its numbers are dropped."
            )
        chunks = schema.step_chunks
        for first, points in _by_epoch(steps):
            # There already?
            connection.execute(
                chunks.delete().where(chunks.c.run_id == run.id, chunks.c.first_step == first.step)
            )
            connection.execute(
                chunks.insert().values(
                    run_id=run.id, first_step=first.step, epoch=first.epoch, points=points
                )
            )

    def _write_worker(self, *, shown: bool = False, **values: object) -> None:
        workers = schema.workers
        with self._store.writing() as connection:
            connection.execute(
                workers.update()
                .where(workers.c.id == self._worker.id)
                .values(seen_at=now(), **values)
            )
            if shown:
                bump_revision(connection)


def _is_asked_to_stop(connection: sa.Connection, run_id: str) -> bool:
    return bool(
        connection.execute(
            sa.select(schema.runs.c.stop_requested).where(schema.runs.c.id == run_id)
        ).scalar()
    )


def _wish(connection: sa.Connection, run_id: str) -> Wish:
    runs = schema.runs
    query = sa.select(runs.c.stop_requested, runs.c.pause_requested, runs.c.change_requested).where(
        runs.c.id == run_id
    )
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
    if (
        connection.execute(sa.select(trials.c.run_id).where(trials.c.run_id == run.id)).first()
        is None
    ):
        connection.execute(
            files.update()
            .where(here)
            .values(kind=ArtifactKind.EPOCH_CHECKPOINT, part=str(row.epoch))
        )


def checkpoint_stride(n_epochs: int, n_bytes: int) -> int:
    """Say the checkpoint of every how-manieth epoch a run keeps: evenly over its epochs, within `KEPT_CHECKPOINT_BYTES`."""
    return math.ceil(n_epochs / max(1, KEPT_CHECKPOINT_BYTES // max(1, n_bytes)))


def _is_pruned(connection: sa.Connection, run_id: str) -> bool:
    return bool(
        connection.execute(
            sa.select(schema.runs.c.prune_requested).where(schema.runs.c.id == run_id)
        ).scalar()
    )


def _by_epoch(steps: Sequence[StepReport]) -> list[tuple[StepReport, bytes]]:
    """Pack steps into one blob an epoch, so that an epoch's steps can be dropped whole."""
    chunks: list[tuple[StepReport, bytes]] = []
    for epoch in dict.fromkeys(step.epoch for step in steps):
        own = [step for step in steps if step.epoch == epoch]
        points = np.array(
            [[getattr(step, name) for name in STEP_COLUMNS] for step in own], dtype="<f8"
        )
        chunks.append((own[0], points.tobytes()))
    return chunks
