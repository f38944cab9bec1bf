"""Pause, change, fork and continue on a real store, with a worker that the test plays."""

from __future__ import annotations

import os

import pytest

from mnist_dash.core.config.changes import with_change
from mnist_dash.core.config.run_config import RunConfig, with_overrides
from mnist_dash.core.layers import BatchNorm, Dense, Flatten
from mnist_dash.core.training.reports import EpochReport, StepReport
from mnist_dash.errors import IllegalTransition, InvalidConfig, InvalidInput, NotAllowed
from mnist_dash.runs.actions import run_actions, steering
from mnist_dash.runs.execution.worker_records import Outcome, Wish, WorkerRecords, checkpoint_stride
from mnist_dash.runs.store import artifacts, schema
from mnist_dash.runs.store.artifact_policy import thin_checkpoints
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.engine import Job
from mnist_dash.runs.store.events import EventKind, events_of
from mnist_dash.runs.store.identities import Person, Role
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from tests.runs.conftest import new_worker

CONFIG = RunConfig(epochs=5, batch_size=500)


@pytest.fixture
def records(store: Store) -> WorkerRecords:
    """A worker that the test plays."""
    return new_worker(store, "played", pid=os.getpid())


def train(store: Store, records: WorkerRecords, run: Run, *epochs: int) -> Wish:
    """Record epochs as a worker would, each with a checkpoint that says which it is."""
    wish = Wish.NONE
    for epoch in epochs:
        step = run.config.steps_until(epoch)
        figures = (0.3, 0.9, 0.2, 0.9 + epoch / 100, 0.25, 0.9 + epoch / 100, 0.26, 0.9)
        report = EpochReport(epoch, step, 0.001, *figures, 1.0, 0.5, 50_000.0, layers="{}")
        file = artifacts.write(
            store.settings, run.id, ArtifactKind.CHECKPOINT, f"checkpoint {epoch}".encode()
        )
        wish = records.record_epoch(
            run, [StepReport(step, epoch, 1.5 * epoch, 0.3, 0.9)], report, file
        )
    return wish


def begin(store: Store, records: WorkerRecords, config: RunConfig = CONFIG) -> Run:
    """Have a run claimed."""
    run = records.claim(Job(run_actions.submit(store, config), 1))
    assert run is not None
    return run


def ended(store: Store, records: WorkerRecords, config: RunConfig = CONFIG) -> Run:
    """Have a run trained to its end."""
    run = begin(store, records, config)
    train(store, records, run, *range(1, config.epochs + 1))
    records.finish(run, Outcome(RunState.FINISHED), files={})
    return store.run(run.id)


def test_pause_waits_for_the_epoch_and_resume_goes_on_from_it(
    store: Store, records: WorkerRecords
) -> None:
    """The worker hears of it with the epoch, the old job is void, and the next attempt has the epochs that were recorded."""
    run = begin(store, records)
    assert steering.pause(store, run.id) is RunState.RUNNING
    assert train(store, records, run, 1, 2) is Wish.PAUSE
    records.pause(run)
    paused = store.run(run.id)
    assert (paused.state, paused.worker, paused.pause_requested) == (RunState.PAUSED, None, False)
    with pytest.raises(IllegalTransition):
        steering.pause(store, run.id)
    steering.resume(store, run.id)
    assert records.claim(Job(run.id, 2)) is None
    again = records.claim(Job(run.id, 3))
    assert again is not None
    assert (again.epoch, again.step) == (2, 2 * CONFIG.steps_per_epoch)
    assert train(store, records, again, 3) is Wish.NONE
    kinds = [event.kind for event in events_of(store, run.id)]
    assert kinds == [EventKind.ASKED, EventKind.PAUSED, EventKind.RESUMED]


def test_a_waiting_run_is_paused_at_once_and_its_job_is_void(
    store: Store, records: WorkerRecords
) -> None:
    """Nobody can claim it until it is resumed, and then only by the new job."""
    run_id = run_actions.submit(store, CONFIG)
    assert steering.pause(store, run_id) is RunState.PAUSED
    assert records.claim(Job(run_id, 1)) is None
    steering.resume(store, run_id)
    assert records.claim(Job(run_id, 1)) is None
    assert records.claim(Job(run_id, 2)) is not None
    assert Job(run_id, 2) in store.queue_client.waiting()


def test_pauses_do_not_use_up_a_run_s_attempts(store: Store, records: WorkerRecords) -> None:
    """However often it was paused, a run whose worker dies once waits again."""
    run_id = run_actions.submit(store, CONFIG)
    for _ in range(store.settings.max_attempts):
        steering.pause(store, run_id)
        steering.resume(store, run_id)
    attempt = store.run(run_id).attempt + 1
    assert records.claim(Job(run_id, attempt)) is not None
    records.release(run_id, attempt, reason="its worker died")
    assert store.run(run_id).state is RunState.QUEUED


def test_a_paused_run_can_be_stopped_and_continued(store: Store, records: WorkerRecords) -> None:
    """It ends at once; what it has learned is where another goes on."""
    run = begin(store, records)
    steering.pause(store, run.id)
    train(store, records, run, 1)
    records.pause(run)
    assert run_actions.stop(store, run.id) is RunState.STOPPED
    child = store.run(steering.continue_run(store, run.id, 5))
    assert (child.epoch, child.config) == (1, CONFIG)
    assert artifacts.read(store, child.id, ArtifactKind.CHECKPOINT) == b"checkpoint 1"


def test_a_change_is_made_at_the_end_of_the_epoch(store: Store, records: WorkerRecords) -> None:
    """Configuration, hash, steps and history change together, and a claim counts the steps by it."""
    run = begin(store, records)
    assert not steering.change(store, run.id, {"learning_rate": 1e-4, "batch_size": 100})
    assert train(store, records, run, 1) is Wish.CHANGE
    changed = records.change(run)
    assert (changed.config.at(1), changed.config.at(2).batch_size) == (CONFIG, 100)
    assert (changed.config_hash, changed.n_steps) == (changed.config.hash, 100 + 4 * 500)
    assert changed.change_requested is None
    assert train(store, records, changed, 2, 3) is Wish.NONE
    assert (
        events_of(store, run.id)[-1].sentence
        == "Changed after epoch 1: learning rate 0.001 → 0.0001, batch size 500 → 100."
    )
    records.release(run.id, 1, reason="its worker died")
    again = records.claim(Job(run.id, 2))
    assert again is not None
    assert (again.epoch, again.step) == (3, 100 + 2 * 500)


def test_a_paused_run_changes_at_once(store: Store, records: WorkerRecords) -> None:
    """Nobody needs to be asked; a change that was asked for before the pause is made with it."""
    run = begin(store, records)
    steering.change(store, run.id, {"learning_rate": 0.5})
    steering.pause(store, run.id)
    assert train(store, records, run, 1) is Wish.PAUSE
    records.pause(run)
    assert steering.change(store, run.id, {"batch_size": 50})
    assert store.run(run.id).config.at(2).batch_size == 50
    assert store.run(run.id).config.at(2).optimizer.learning_rate == 0.5


def test_what_cannot_be_changed_is_refused_with_its_reason(
    store: Store, records: WorkerRecords
) -> None:
    """Before the beginning, in the last epoch, after the end, in a study, and by values that break a rule."""
    waiting = run_actions.submit(store, CONFIG)
    with pytest.raises(IllegalTransition, match="has not begun"):
        steering.change(store, waiting, {"batch_size": 50})
    run = begin(store, records)
    with pytest.raises(InvalidConfig, match="60,000 is more than the training part has"):
        steering.change(store, run.id, {"batch_size": 60_000})
    with store.writing() as connection:
        connection.execute(
            schema.trial_runs.insert().values(study_id="s", number=0, seed=0, run_id=run.id)
        )
    with pytest.raises(IllegalTransition, match="a fork is no part of the study"):
        steering.change(store, run.id, {"batch_size": 50})
    train(store, records, run, 1, 2, 3, 4)
    with pytest.raises(IllegalTransition, match="is in its last epoch"):
        steering.change(store, run.id, {"batch_size": 50})
    # A trial keeps the last one only.
    assert artifacts.parts(store, run.id, ArtifactKind.EPOCH_CHECKPOINT) == []


def test_a_batch_of_one_is_refused_at_every_door(store: Store, records: WorkerRecords) -> None:
    """In front of batch normalisation: submitted, changed and forked, and the run that was to be changed trains on."""
    layers = (Flatten(), BatchNorm(), Dense(units=10, activation="softmax"))
    normed = CONFIG.model_copy(update={"layers": layers})
    with pytest.raises(InvalidConfig, match="1 image is too few"):
        run_actions.submit(store, normed.model_copy(update={"batch_size": 1}))
    run = begin(store, records, normed)
    for values in ({"batch_size": 1}, {"batch_size": normed.n_training - 1}):
        with pytest.raises(
            InvalidConfig,
            match=r"changes\.0\.batch_size: .* too few for the batch normalisation in layer 2",
        ):
            steering.change(store, run.id, values)
    assert train(store, records, run, 1) is Wish.NONE
    with pytest.raises(InvalidConfig, match="1 image is too few"):
        steering.fork(store, run.id, 1, {"batch_size": 1})
    assert store.run(run.id).state is RunState.RUNNING


def test_a_fork_begins_with_its_parent_s_past(store: Store, records: WorkerRecords) -> None:
    """History, checkpoint and figures until the branch are the parent's; the same key is the same fork."""
    parent = ended(store, records)
    assert steering.start_of(store, parent, 3) == steering.Start(True, 0.0)
    child = store.run(steering.fork(store, parent.id, 3, {"learning_rate": 1e-4}, key="once"))
    assert steering.fork(store, parent.id, 3, {"learning_rate": 1e-4}, key="once") == child.id
    assert (child.parent_id, child.parent_epoch, child.epoch, child.step) == (parent.id, 3, 3, 300)
    assert (child.best_epoch, child.seconds_training) == (3, 3.0)
    assert child.best_val_accuracy == pytest.approx(0.93)
    past, own = store.history(parent.id), store.history(child.id)
    assert own.epochs.equals(past.epochs[:3])
    assert own.steps.equals(past.steps[:3])
    assert artifacts.read(store, child.id, ArtifactKind.CHECKPOINT) == b"checkpoint 3"
    claimed = records.claim(Job(child.id, 1))
    assert claimed is not None
    assert (claimed.epoch, claimed.config.at(4).optimizer.learning_rate, claimed.config.at(3)) == (
        3,
        1e-4,
        CONFIG,
    )
    train(store, records, claimed, 4, 5)
    assert [run.id for run in steering.children(store, parent.id)] == [child.id]
    assert len(list((store.settings.artifact_dir / child.id[:2] / child.id).glob("*"))) == 3


def test_a_fork_without_a_checkpoint_trains_the_past_again(
    store: Store, records: WorkerRecords
) -> None:
    """Where the file is gone, or damaged, the branch begins at zero and says what that costs."""
    parent = ended(store, records)
    assert thin_checkpoints(store, most_bytes=len(b"checkpoint 4")) == 3
    assert steering.start_of(store, parent, 4).from_checkpoint
    assert not steering.start_of(store, parent, 3).from_checkpoint
    assert steering.start_of(store, parent, 3).seconds == pytest.approx(4.5)
    assert store.run(steering.fork(store, parent.id, 3, {"learning_rate": 1e-4})).epoch == 0
    for path in store.settings.artifact_dir.rglob("epoch_checkpoint-*"):
        path.write_bytes(b"damaged")
    for path in store.settings.artifact_dir.rglob("checkpoint-*"):
        path.write_bytes(b"damaged")
    child = store.run(steering.fork(store, parent.id, 4, {"learning_rate": 1e-4}))
    assert (child.epoch, child.parent_epoch, len(store.history(child.id).epochs)) == (0, 4, 0)


def test_a_fork_leaves_the_parent_s_later_course_out(store: Store, records: WorkerRecords) -> None:
    """What the parent changed at the branch or later is not done to the child; what it changed before is."""
    config = CONFIG
    for epoch, rate in ((1, 0.01), (2, 0.02), (4, 0.04)):
        config = with_change(config, epoch, {"learning_rate": rate})
    parent = ended(store, records, config)
    child = store.run(steering.fork(store, parent.id, 2, {"batch_size": 50}, epochs=8))
    assert [
        (change.after_epoch, change.learning_rate, change.batch_size)
        for change in child.config.changes
    ] == [
        (1, 0.01, None),
        (2, None, 50),
    ]
    assert child.config.epochs == 8
    with pytest.raises(InvalidInput, match="it has 5 finished epochs"):
        steering.fork(store, parent.id, 6, {"batch_size": 50})


def test_continuing_a_planned_schedule_restarts_it(store: Store, records: WorkerRecords) -> None:
    """A cosine keeps its course and begins anew; a run that has not ended is not continued."""
    parent = ended(store, records, with_overrides(CONFIG, [("schedule.kind", "cosine")]))
    child = store.run(steering.continue_run(store, parent.id, 7))
    assert (child.epoch, child.parent_epoch, child.config.epochs) == (5, 5, 7)
    assert [change.restart_schedule for change in child.config.changes] == [True]
    with pytest.raises(IllegalTransition, match="is queued, so it cannot be continued"):
        steering.continue_run(store, child.id, 9)
    again = store.run(steering.train_again(store, parent.id))
    assert (again.config, again.epoch, again.parent_id) == (parent.config, 0, parent.id)


def test_a_viewer_steers_nothing(store: Store, records: WorkerRecords) -> None:
    """Every action refuses, and writes nothing but the refusal."""
    parent = ended(store, records)
    viewer = store.acting_for(Person(Role.VIEWER, "eve@example.com"))
    revision = store.run_revision(parent.id)
    for act in (
        lambda: steering.pause(viewer, parent.id),
        lambda: steering.resume(viewer, parent.id),
        lambda: steering.change(viewer, parent.id, {"batch_size": 50}),
        lambda: steering.fork(viewer, parent.id, 1, {"batch_size": 50}),
        lambda: steering.continue_run(viewer, parent.id, 9),
        lambda: steering.train_again(viewer, parent.id),
    ):
        with pytest.raises(NotAllowed):
            act()
    assert (store.count(), store.run_revision(parent.id), events_of(store, parent.id)) == (
        1,
        revision,
        (),
    )
    with store.reading() as connection:
        assert (
            connection.exec_driver_sql("SELECT count(*) FROM audit WHERE NOT allowed").scalar_one()
            == 6
        )


def test_checkpoints_are_kept_evenly_within_their_room() -> None:
    """All epochs of a small run, every so many of a long one, none of a network whose checkpoint alone fills the room."""
    assert checkpoint_stride(5, 6 * 2**20) == 1
    assert checkpoint_stride(100, 6 * 2**20) == 10
    assert checkpoint_stride(10, 100 * 2**20) == 10
