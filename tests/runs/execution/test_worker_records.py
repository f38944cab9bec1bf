"""Claims, fencing, reports and sweeping on a real database."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.training.reports import EpochReport, StepReport
from mnist_dash.errors import Fenced
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.execution.worker_records import Outcome, WorkerRecords
from mnist_dash.runs.store import artifacts, schema
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.engine import Job
from mnist_dash.runs.store.events import EventKind, events_of
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from tests.databases import JOBS_SCHEMA
from tests.runs.conftest import new_worker

CONFIG = RunConfig(epochs=3)
STEPS_PER_EPOCH = CONFIG.steps_per_epoch


@pytest.fixture
def records(store: Store) -> WorkerRecords:
    """The records of a worker that is this very process."""
    return new_worker(store, "worker-1", pid=os.getpid())


def step(number: int, epoch: int) -> StepReport:
    """Report a step with recognisable numbers."""
    return StepReport(step=number, epoch=epoch, seconds=number / 100, loss=1 / number, accuracy=0.5)


def epoch_report(epoch: int, *, val_accuracy: float = 0.9) -> EpochReport:
    """Report an epoch of two seconds of training and one of evaluation."""
    return EpochReport(
        epoch,
        epoch * STEPS_PER_EPOCH,
        0.001,
        0.3,
        0.9,
        0.2,
        0.95,
        0.25,
        val_accuracy,
        0.26,
        0.92,
        2.0,
        1.0,
        25_000.0,
    )


def record_epoch(
    store: Store, records: WorkerRecords, run: Run, epoch: int, *, val_accuracy: float = 0.9
) -> None:
    """Record two steps, an epoch and a checkpoint."""
    last = epoch * STEPS_PER_EPOCH
    file = artifacts.write(store.settings, run.id, ArtifactKind.CHECKPOINT, b"state %d" % epoch)
    records.record_epoch(
        run,
        [step(last - 1, epoch), step(last, epoch)],
        epoch_report(epoch, val_accuracy=val_accuracy),
        file,
    )


def claim(store: Store, records: WorkerRecords) -> Run:
    """Submit a run and claim it."""
    run = records.claim(Job(run_actions.submit(store, CONFIG), 1))
    assert run is not None
    return run


def test_claim_is_made_once(store: Store, records: WorkerRecords) -> None:
    """A job is one worker's; that worker may claim it again, as the answer to its claim can be lost with the database."""
    run_id = run_actions.submit(store, CONFIG)
    claimed = records.claim(Job(run_id, 1))
    assert claimed is not None
    assert new_worker(store, "worker-2", pid=os.getpid()).claim(Job(run_id, 1)) is None
    again = records.claim(Job(run_id, 1))
    assert again is not None
    assert again.attempt == claimed.attempt
    assert (store.run(run_id).state, store.run(run_id).attempt) == (RunState.RUNNING, 1)


def test_stopped_run_is_not_claimed(store: Store, records: WorkerRecords) -> None:
    """A run that was stopped in the queue never starts."""
    run_id = run_actions.submit(store, CONFIG)
    run_actions.stop(store, run_id)
    assert records.claim(Job(run_id, 1)) is None


def test_history_is_read_as_reported(store: Store, records: WorkerRecords) -> None:
    """Every number of a report comes back under its name."""
    run = claim(store, records)
    record_epoch(store, records, run, 1, val_accuracy=0.91)
    record_epoch(store, records, run, 2, val_accuracy=0.90)
    history, now_ = store.history(run.id), store.run(run.id)
    assert history.epochs["val_accuracy"].tolist() == [0.91, 0.90]
    assert history.steps["step"].tolist() == [390, 391, 781, 782]
    assert (now_.best_val_accuracy, now_.best_epoch, now_.last_val_accuracy) == (0.91, 1, 0.90)
    assert (now_.seconds_training, now_.seconds_evaluation) == (4.0, 2.0)
    assert store.sparklines([run.id]) == {run.id: [0.91, 0.90]}


def test_frozen_worker_writes_nothing(store: Store, records: WorkerRecords) -> None:
    """A worker whose run was given to another is refused every kind of write."""
    run = claim(store, records)
    record_epoch(store, records, run, 1)
    records.release(run.id, 1, reason="its worker fell silent")
    other = new_worker(store, "worker-2", pid=os.getpid())
    second = other.claim(Job(run.id, 2))
    assert second is not None
    before = store.run(run.id)
    with pytest.raises(Fenced):
        records.renew(run, [step(800, 3)])
    with pytest.raises(Fenced):
        record_epoch(store, records, run, 2)
    with pytest.raises(Fenced):
        records.finish(run, Outcome(RunState.FINISHED, test_accuracy=0.5), files={})
    assert store.run(run.id) == before
    assert len(store.history(run.id).epochs) == 1


def test_second_attempt_drops_what_has_no_checkpoint(store: Store, records: WorkerRecords) -> None:
    """Steps of the epoch that was cut short are recorded once, by the attempt that finishes it."""
    run = claim(store, records)
    record_epoch(store, records, run, 1)
    records.renew(run, [step(400, 2), step(410, 2)])
    records.release(run.id, 1, reason="its worker died")
    second = records.claim(Job(run.id, 2))
    assert second is not None
    assert (second.epoch, second.step) == (1, STEPS_PER_EPOCH)
    assert store.history(run.id).steps["epoch"].tolist() == [1, 1]


def test_dead_process_is_swept_at_once(store: Store, records: WorkerRecords) -> None:
    """The run of a process that is gone does not wait for the lease to run out."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    dead = new_worker(store, "worker-dead", pid=child.pid)
    run = claim(store, dead)
    records.sweep()
    assert store.run(run.id).state is RunState.RUNNING
    child.kill()
    child.communicate()
    records.sweep()
    assert store.run(run.id).state is RunState.QUEUED
    assert records.claim(Job(run.id, 2)) is not None


def test_silent_worker_loses_its_run_with_the_lease(store: Store, records: WorkerRecords) -> None:
    """A worker that lives but says nothing is overtaken when its lease is over, not before."""
    run = claim(store, records)
    other = new_worker(store, "worker-2", pid=os.getpid())
    other.sweep()
    assert store.run(run.id).state is RunState.RUNNING
    with store.writing() as connection:
        connection.execute(schema.runs.update().values(lease_until=time.time() - 0.1))
    records.sweep()
    assert store.run(run.id).state is RunState.RUNNING, "it does not judge itself"
    other.sweep(judge_silence=False)
    assert store.run(run.id).state is RunState.RUNNING, "after an outage every lease has run out"
    other.sweep()
    assert store.run(run.id).state is RunState.QUEUED


def test_run_that_kills_its_workers_fails(store: Store, records: WorkerRecords) -> None:
    """After the last attempt the run is failed with the reason, its epochs kept."""
    run_id = run_actions.submit(store, CONFIG)
    for attempt in range(1, store.settings.max_attempts + 1):
        run = records.claim(Job(run_id, attempt))
        assert run is not None
        if attempt == 1:
            record_epoch(store, records, run, 1)
        records.release(run_id, attempt, reason="the trainer's process was killed by SIGKILL")
    run = store.run(run_id)
    assert run.state is RunState.FAILED
    assert "5 attempts" in run.reason
    assert "SIGKILL" in run.reason
    assert len(store.history(run_id).epochs) == 1


def test_stop_outlives_the_worker_that_was_asked(store: Store, records: WorkerRecords) -> None:
    """A run whose worker dies with a stop pending is stopped, not started again."""
    run = claim(store, records)
    assert run_actions.stop(store, run.id) is RunState.RUNNING
    records.release(run.id, 1, reason="its worker died")
    assert store.run(run.id).state is RunState.STOPPED


def test_taken_job_of_dead_worker_is_offered_again(store: Store, records: WorkerRecords) -> None:
    """A job that was taken from the queue and never begun is not lost with its worker."""
    run_id = run_actions.submit(store, CONFIG)
    with store.writing() as connection:
        jobs = f"{JOBS_SCHEMA}workflow_status"
        connection.exec_driver_sql(
            f"UPDATE {jobs} SET status='PENDING', executor_id='gone' WHERE workflow_uuid='{run_id}.1'"  # noqa: S608
        )
    assert [job for job, _ in store.queue_client.claimed()] == [Job(run_id, 1)]
    records.sweep()
    assert store.queue_client.claimed() == []
    with store.reading() as connection:
        status = connection.exec_driver_sql(f"SELECT status, queue_name FROM {jobs}").one()  # noqa: S608
    assert tuple(status) == ("ENQUEUED", "runs.cpu")


def test_job_that_a_living_worker_never_saw_is_offered_again(
    store: Store, records: WorkerRecords
) -> None:
    """The queue gave a job to a worker, and the answer was lost: the run does not wait for as long as that worker lives."""
    run_id = run_actions.submit(store, CONFIG)
    with store.writing() as connection:
        connection.exec_driver_sql(
            f"UPDATE {JOBS_SCHEMA}workflow_status SET status='PENDING', executor_id='worker-1'"  # noqa: S608
        )
    records.sweep()
    assert records.offer_lost() == 0, "it may be about to begin"
    assert store.queue_client.waiting() == []
    assert records.offer_lost() == 1
    assert store.queue_client.waiting() == [Job(run_id, 1)]


def test_queued_run_without_a_job_gets_another(store: Store, records: WorkerRecords) -> None:
    """A job that was ended by an error before its run was claimed does not leave the run waiting for ever."""
    run_id = run_actions.submit(store, CONFIG)
    waiting = run_actions.submit(store, CONFIG.model_copy(update={"seed": 9}))
    store.queue_client.cancel(Job(run_id, 1))
    assert records.offer_lost() == 0, "it may just be on its way"
    assert records.offer_lost() == 1
    assert records.offer_lost() == 0
    assert set(store.queue_client.waiting()) == {Job(run_id, 2), Job(waiting, 1)}
    assert records.claim(Job(run_id, 2)) is not None


def test_rewound_run_has_the_epochs_before(store: Store, records: WorkerRecords) -> None:
    """A run goes back to an earlier checkpoint as if it had never been further, and to its start where there is none."""
    run = claim(store, records)
    for epoch in (1, 2, 3):
        record_epoch(store, records, run, epoch)
    assert records.checkpoint_epochs(run) == [2, 1]
    again = records.rewind(run, 2, "The checkpoint is damaged.")
    assert (again.epoch, again.step, again.best_epoch) == (2, 2 * STEPS_PER_EPOCH, 1)
    assert store.history(run.id).epochs["epoch"].tolist() == [1, 2]
    assert artifacts.find(store, run.id, ArtifactKind.CHECKPOINT) == 2
    assert records.checkpoint_epochs(again) == [1]
    start = records.rewind(again, 0, "The checkpoint is damaged.")
    assert (start.epoch, start.step, start.best_epoch, start.seconds_training) == (0, 0, None, 0.0)
    assert artifacts.find(store, run.id, ArtifactKind.CHECKPOINT) is None
    assert [event.kind for event in events_of(store, run.id)] == [EventKind.REWOUND] * 2


def test_worker_is_listed_with_what_it_does(store: Store, records: WorkerRecords) -> None:
    """The list says who is idle, who trains what, and who has gone."""
    assert [worker.state for worker in store.workers()] == ["idle"]
    run = claim(store, records)
    assert [(worker.state, worker.run_id) for worker in store.workers()] == [("running", run.id)]
    records.sign_off()
    assert [worker.state for worker in store.workers()] == ["gone"]
