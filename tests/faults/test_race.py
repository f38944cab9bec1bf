"""A race with real workers: killed in its midst, and compared bit for bit with the same runs trained alone."""

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
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.search.actions import steering
from mnist_dash.search.definition.race import race_of
from mnist_dash.search.engine.study_runner import MODULE
from mnist_dash.search.studies import study_store
from mnist_dash.search.studies.records import TrialState
from tests.faults.outcomes import assert_whole, wait_for_end
from tests.waiting import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.slow

Start = Callable[..., subprocess.Popen[bytes]]
BASE = RunConfig(
    layers=(Flatten(), Dense(units=64), Dropout(rate=0.2), Dense(units=10, activation="softmax")),
    batch_size=64,
    epochs=3,
    seed=3,
)
VALUES = "0.0001, 0.001, 0.01, 0.1"


@pytest.fixture
def race(store: Store, start: Start, monkeypatch: pytest.MonkeyPatch) -> str:
    """A race of four learning rates, with a study runner and no worker yet."""
    # The test starts one, and kills it.
    monkeypatch.setattr(steering, "ensure_study_runner", lambda _settings: None)
    start(MODULE, stderr=subprocess.DEVNULL)
    return steering.create(store, race_of(BASE, "optimizer.learning_rate", VALUES))


def start_worker(start: Start) -> subprocess.Popen[bytes]:
    """Start a worker of one thread."""
    return start("mnist_dash", "worker", "--threads", "1", stderr=subprocess.DEVNULL)


def runs_of(store: Store, study_id: str) -> list[Run]:
    """Read the runs of a race in the order of its values."""
    return [store.run(ids[0]) for _, ids in sorted(study_store.runs_of(store, study_id).items())]


def wait_until_all_move(store: Store, study_id: str, *, epoch: int) -> None:
    """Wait until four runs are in training at a time, each with so many epochs behind it and some steps of the next."""

    def move() -> bool:
        runs = runs_of(store, study_id)
        return len(runs) == 4 and all(
            run.state is RunState.RUNNING
            and run.epoch >= epoch
            and run.step > BASE.steps_until(run.epoch)
            for run in runs
        )

    wait_until(move, what="all runs of the race move")


def probabilities(store: Store, run_id: str) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Read what a run predicts for the test images."""
    return artifacts.read_probabilities(store, run_id, ArtifactKind.TEST_PROBABILITIES)


def test_killed_race_resumes_to_the_figures_of_runs_alone(
    store: Store, start: Start, race: str
) -> None:
    """One worker trains all four at a time; it dies with all its trainers, another goes on, and each result is that of the run alone."""
    worker = start_worker(start)
    wait_until_all_move(store, race, epoch=1)
    trainers = psutil.Process(worker.pid).children(recursive=True)
    assert len(trainers) >= 5  # the server that forks them, and four that are in training
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    start_worker(start)
    raced = [wait_for_end(store, run.id) for run in runs_of(store, race)]
    for run in raced:
        assert_whole(store, run)
        assert run.attempt == 2
    _, left = psutil.wait_procs(trainers, timeout=PATIENCE_SECONDS)
    assert left == []
    for run in raced:
        alone = wait_for_end(store, run_actions.submit(store, run.config))
        assert np.array_equal(probabilities(store, run.id), probabilities(store, alone.id))
        assert (run.test_loss, run.test_accuracy) == (alone.test_loss, alone.test_accuracy)
    wait_until(lambda: study_store.find(store, race).state.has_ended, what="the race ends")
    assert {trial.state for trial in study_store.trials(store, race)} == {TrialState.COMPLETE}


def test_worker_that_is_asked_to_end_gives_all_of_a_race_back(
    store: Store, start: Start, race: str
) -> None:
    """Nothing counts as a death, and a worker that comes later ends the race; a trial that is stopped meanwhile stays stopped."""
    worker = start_worker(start)
    wait_until_all_move(store, race, epoch=0)
    steering.stop_trial(store, race, 0)
    first = runs_of(store, race)[0]
    assert wait_for_end(store, first.id).state is RunState.STOPPED
    worker.terminate()
    assert worker.wait(PATIENCE_SECONDS) == 0
    others = [run for run in runs_of(store, race) if run.id != first.id]
    assert {run.state for run in others} == {RunState.QUEUED}
    start_worker(start)
    for run in others:
        assert_whole(store, wait_for_end(store, run.id))
    wait_until(lambda: study_store.find(store, race).state.has_ended, what="the race ends")
    assert study_store.counts(store, race) == {TrialState.COMPLETE: 3, TrialState.STOPPED: 1}
