"""A study whose workers, study runners and server are really killed, again and again, while it runs."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil
import pytest

from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.search.actions import steering
from mnist_dash.search.definition.study_files import parse_study
from mnist_dash.search.engine.study_runner import MODULE
from mnist_dash.search.studies import study_store
from mnist_dash.search.studies.records import StudyState, TrialState, best_trial
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.slow

Start = Callable[..., subprocess.Popen[bytes]]
TEXT = """
name: killed
set: {{epochs: 3, batch_size: 5000, layers: [{{kind: flatten}}, {{kind: dense, units: 10, activation: softmax}}]}}
space:
  optimizer.kind: [sgd, adam]
  optimizer.learning_rate: {{low: 0.0001, high: 1, log: true}}
  optimizer.momentum: {{low: 0, high: 0.9, when: {{optimizer.kind: sgd}}}}
pruner: median
budget: {trials}
parallelism: {parallelism}
"""


@dataclass(frozen=True)
class Scale:
    """How large the study is, and how many processes are killed."""

    n_workers: int
    n_trials: int
    n_kills: int
    seconds: float


LARGE = pytest.param(
    Scale(8, 200, 60, 1500), marks=[pytest.mark.slow, pytest.mark.timeout(1800)], id="large"
)


@pytest.mark.parametrize("scale", [pytest.param(Scale(2, 16, 8, 160), id="small"), LARGE])
def test_study_survives_kills(store: Store, start: Start, scale: Scale) -> None:
    """Exactly so many trials are told, none twice, none without a run, and the best is the one that the run table says."""
    study_id = begin(store, scale)
    starters: dict[str, tuple[str, ...]] = {
        f"worker {index}": ("mnist_dash", "worker", "--threads", "1")
        for index in range(scale.n_workers)
    }
    starters |= {"study runner": (MODULE,), "server": ("tests.faults.serving",)}
    living = {
        name: start(*command, stderr=subprocess.DEVNULL) for name, command in starters.items()
    }
    chance, n_kills, deadline = random.Random(7), 0, time.monotonic() + scale.seconds
    while not study_store.find(store, study_id).state.has_ended:
        assert time.monotonic() < deadline, (
            f"{study_store.counts(store, study_id)} after {n_kills} kills"
        )
        time.sleep(chance.uniform(1.0, 4.0))  # the next victim lives that long
        if n_kills >= scale.n_kills or not store.count(states=[RunState.FINISHED]):
            continue  # what is killed should have begun to work
        name = chance.choice(list(starters))
        kill_alone(living[name])
        n_kills += 1
        living[name] = start(*starters[name], stderr=subprocess.DEVNULL)
    assert n_kills >= scale.n_kills // 2
    assert study_store.find(store, study_id).state is StudyState.FINISHED
    assert_whole(store, study_id, scale.n_trials)


def begin(store: Store, scale: Scale) -> str:
    """Accept the study without starting anything."""
    with pytest.MonkeyPatch.context() as patch:
        # The test starts them, and kills them.
        patch.setattr(steering, "ensure_study_runner", lambda _settings: None)
        return steering.create(
            store, parse_study(TEXT.format(trials=scale.n_trials, parallelism=scale.n_workers))
        )


def kill_alone(process: subprocess.Popen[bytes]) -> None:
    """Kill one process as the kernel does when memory is short; its children are left to notice."""
    try:
        os.kill(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def assert_whole(store: Store, study_id: str, n_trials: int) -> None:
    """Assert that the study is what it would have been without a disturbance."""
    trials = study_store.trials(store, study_id)
    assert [trial.number for trial in trials] == list(range(n_trials))
    assert sorted(trial.told_order for trial in trials if trial.told_order is not None) == list(
        range(n_trials)
    )
    assert {trial.state for trial in trials} <= {
        TrialState.COMPLETE,
        TrialState.PRUNED,
        TrialState.DIVERGED,
    }
    runs = study_store.runs_of(store, study_id)
    assert {number: len(ids) for number, ids in runs.items()} == dict.fromkeys(range(n_trials), 1)
    table = {run.id: run for run in store.runs(limit=10 * n_trials)}
    assert {run_id for ids in runs.values() for run_id in ids} == set(table)
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    for trial in complete:
        run = table[runs[trial.number][0]]
        assert run.state is RunState.FINISHED
        assert trial.figures == (run.last_val_accuracy,)
    best = best_trial(trials, study_store.find(store, study_id).definition)
    assert best is not None
    assert best.figures == (
        max(table[runs[trial.number][0]].last_val_accuracy or 0 for trial in complete),
    )


def test_conductor_ends_with_its_server(store: Store, start: Start) -> None:
    """A server that is killed takes its study runner and its workers with it, and leaves none behind."""
    server = start("tests.faults.serving", stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(family := psutil.Process(server.pid).children(recursive=True)) < 3:
        assert time.monotonic() < deadline, (
            f"a supervisor, a worker and a study runner; got {family}"
        )
        time.sleep(0.1)  # until all have begun
    kill_alone(server)
    _, left = psutil.wait_procs(family, timeout=PATIENCE_SECONDS)
    assert left == []
