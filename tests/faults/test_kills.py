"""Real workers and trainers, really killed, in the middle of real training."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable

import numpy as np
import psutil
import pytest

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.layers import Dense, Dropout, Flatten
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.records import Worker
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from tests.faults.outcomes import assert_whole, wait_for_end
from tests.runs.conftest import new_worker
from tests.waiting import PATIENCE_SECONDS, wait_until

Start = Callable[..., subprocess.Popen[bytes]]
CONFIG = RunConfig(
    layers=(Flatten(), Dense(units=256), Dropout(rate=0.2), Dense(units=10, activation="softmax")),
    batch_size=64,
    epochs=5,
    seed=3,
)
STEPS_PER_EPOCH = CONFIG.steps_per_epoch


def start_worker(start: Start) -> subprocess.Popen[bytes]:
    """Start a worker of one thread."""
    return start("mnist_dash", "worker", "--threads", "1", stderr=subprocess.DEVNULL)


def wait_for_mid_epoch(store: Store, run_id: str, *, after_epoch: int = 2) -> Worker:
    """Wait until a run is well inside an epoch after some finished ones, and return the worker that trains it."""

    def is_inside() -> bool:
        run = store.run(run_id)
        return run.epoch >= after_epoch and run.step > run.epoch * STEPS_PER_EPOCH + 50

    wait_until(is_inside, what=f"run {run_id} is inside an epoch")
    return next(worker for worker in store.workers() if worker.run_id == run_id)


def trainers_of(pid: int) -> list[psutil.Process]:
    """Find the processes that a worker has started: the server that forks trainers, and the trainer."""
    found: list[psutil.Process] = psutil.Process(pid).children(recursive=True)
    return found


@pytest.fixture
def reference(store: Store, start: Start) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Test probabilities of the same configuration, trained without a disturbance; leaves one idle worker behind."""
    start_worker(start)
    run = wait_for_end(store, run_actions.submit(store, CONFIG))
    assert_whole(store, run)
    assert run.attempt == 1
    return artifacts.read_probabilities(store, run.id, ArtifactKind.TEST_PROBABILITIES)


@pytest.mark.slow
def test_killed_worker_is_replaced(
    store: Store, start: Start, reference: np.ndarray[tuple[int, int], np.dtype[np.float32]]
) -> None:
    """Another worker goes on from the last checkpoint, to the very numbers of an undisturbed run, and no trainer is orphaned."""
    run_id = run_actions.submit(store, CONFIG)
    holder = wait_for_mid_epoch(store, run_id)
    orphans = trainers_of(holder.pid)
    assert orphans
    start_worker(start)
    os.kill(holder.pid, signal.SIGKILL)
    run = wait_for_end(store, run_id)
    assert run.attempt == 2
    assert run.worker != holder.id
    assert_whole(store, run)
    assert np.array_equal(
        artifacts.read_probabilities(store, run_id, ArtifactKind.TEST_PROBABILITIES), reference
    )
    wait_until(
        lambda: not any(process.is_running() for process in orphans),
        what="the killed worker's processes are gone",
    )


def test_killed_trainer_is_replaced(store: Store, start: Start) -> None:
    """A trainer that is killed costs at most the epoch that it was in."""
    start_worker(start)
    run_id = run_actions.submit(store, CONFIG)
    holder = wait_for_mid_epoch(store, run_id)
    trainer = max(trainers_of(holder.pid), key=lambda process: process.create_time())
    trainer.kill()
    run = wait_for_end(store, run_id)
    assert run.attempt == 2
    assert_whole(store, run)


@pytest.mark.slow
def test_frozen_worker_is_overtaken_and_refused(store: Store, start: Start) -> None:
    """A worker that sleeps through its lease loses the run; what it writes when it wakes up changes nothing."""
    start_worker(start)
    run_id = run_actions.submit(store, CONFIG)
    holder = wait_for_mid_epoch(store, run_id)
    os.kill(holder.pid, signal.SIGSTOP)
    start_worker(start)
    run = wait_for_end(store, run_id)
    assert run.attempt == 2
    assert run.worker != holder.id
    assert_whole(store, run)
    os.kill(holder.pid, signal.SIGCONT)
    wait_until(
        lambda: (
            next(worker for worker in store.workers() if worker.id == holder.id).state == "idle"
        ),
        what="it woke up",
    )
    assert store.run(run_id) == run
    assert_whole(store, run)


@pytest.mark.slow
def test_worker_asked_to_end_gives_its_run_back(store: Store, start: Start) -> None:
    """A worker that gets SIGTERM returns its run to the queue within seconds, and the next one goes on with it."""
    first = start_worker(start)
    run_id = run_actions.submit(store, CONFIG)
    wait_for_mid_epoch(store, run_id)
    first.terminate()
    assert first.wait(PATIENCE_SECONDS) == 0
    waiting = store.run(run_id)
    assert waiting.state is RunState.QUEUED
    assert waiting.epoch >= 2
    start_worker(start)
    assert_whole(store, wait_for_end(store, run_id))


@pytest.mark.slow
def test_worker_ends_between_epochs_before_its_time_is_up(store: Store, start: Start) -> None:
    """A worker with `--for` ends by itself, has given its run back behind a finished epoch, and no death is counted."""
    run_id = run_actions.submit(store, CONFIG.model_copy(update={"epochs": 500}))
    limited = start(
        "mnist_dash", "worker", "--threads", "1", "--for", "30s", stderr=subprocess.DEVNULL
    )
    assert limited.wait(PATIENCE_SECONDS) == 0
    waiting = store.run(run_id)
    assert waiting.state is RunState.QUEUED
    assert waiting.reason == "Queued again because its worker's time was up."
    assert waiting.step == waiting.epoch * STEPS_PER_EPOCH > 0
    assert [worker.state for worker in store.workers()] == ["gone"]


@pytest.mark.slow
def test_stop_keeps_what_there_is(store: Store, start: Start) -> None:
    """A stopped run ends within about two seconds with its epochs, its weights and its evaluation."""
    start_worker(start)
    run_id = run_actions.submit(store, CONFIG)
    wait_for_mid_epoch(store, run_id, after_epoch=1)
    run_actions.stop(store, run_id)
    wait_until(lambda: store.run(run_id).state.is_terminal, what="the run is stopped")
    run = store.run(run_id)
    assert run.state is RunState.STOPPED
    assert run.test_accuracy is not None
    assert run.test_accuracy > 0.9
    assert len(artifacts.read(store, run_id, ArtifactKind.WEIGHTS)) > 0


@pytest.mark.slow
def test_stop_of_short_epochs_is_noticed(store: Store, start: Start) -> None:
    """A run whose epochs are shorter than the pause between two looks at its row obeys a stop all the same."""
    start_worker(start)
    config = RunConfig(
        layers=(Flatten(), Dense(units=10, activation="softmax")), batch_size=4096, epochs=10_000
    )
    run_id = run_actions.submit(store, config)
    wait_until(lambda: store.run(run_id).epoch > 2, what="some epochs")
    run_actions.stop(store, run_id)
    wait_until(lambda: store.run(run_id).state.is_terminal, what="the run is stopped")
    assert store.run(run_id).test_accuracy is not None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("training", "reason"),
    [("evaluate_slowly", ""), ("ignore_stops", "the trainer did not obey in time")],
)
def test_stopped_trainer_may_finish_its_figures(
    store: Store, start: Start, training: str, reason: str
) -> None:
    """A trainer that ends its loop in time may compute the final figures, for longer than a lease; one that does not obey is killed."""
    start("tests.faults", training, stderr=subprocess.DEVNULL)
    run_id = run_actions.submit(store, CONFIG)
    wait_until(lambda: store.run(run_id).state is RunState.RUNNING, "it trains")
    run_actions.stop(store, run_id)
    run = wait_for_end(store, run_id)
    assert (run.state, run.attempt) == (RunState.STOPPED, 1)
    assert reason in run.reason if reason else run.reason == ""


@pytest.mark.slow
def test_cpu_worker_leaves_cuda_runs(store: Store, start: Start) -> None:
    """A run that was accepted for a GPU waits for a worker that has one, and the runs behind it do not wait with it."""
    elsewhere = new_worker(store, "elsewhere", pid=os.getpid(), device="cuda", machine="another")
    start_worker(start)
    wait_until(lambda: len(store.workers()) == 2, what="a worker")
    elsewhere.heartbeat()
    gpu_run = run_actions.submit(store, CONFIG.model_copy(update={"device": "cuda"}))
    wait_for_end(
        store, run_actions.submit(store, CONFIG.model_copy(update={"device": "cpu", "epochs": 1}))
    )
    assert store.run(gpu_run).state is RunState.QUEUED
