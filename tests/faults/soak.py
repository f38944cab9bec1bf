"""A soak: real workers train while a seeded schedule kills, freezes, pauses, changes, forks and stops what runs.

    python -m tests.faults.soak [--seconds N] [--seed N] [--postgresql]

At its end the schedule stops, everything that can finish does, and every run's history is checked: one result, each epoch once and
in order, and every end explained by an event or by the training itself.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.layers import Dense, Flatten
from mnist_dash.errors import MnistDashError
from mnist_dash.runs.actions import run_actions, steering
from mnist_dash.runs.execution.doctor import Verdict, examine_store
from mnist_dash.runs.store.events import EventKind, events_of
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.settings import Settings
from tests import postgresql
from tests.faults.conftest import kill_tree
from tests.faults.outcomes import assert_whole
from tests.source_tree import ROOT
from tests.waiting import PATIENCE_SECONDS

N_WORKERS = 3
N_OPEN = 4
"""How many runs wait or train at a time."""
LEASE_SECONDS = "3"
CONFIG = RunConfig(
    layers=(Flatten(), Dense(units=32), Dense(units=10, activation="softmax")),
    batch_size=128,
    epochs=6,
)


class Soak:
    """A store, its workers, and what is done to them."""

    def __init__(self, variables: dict[str, str], seed: int) -> None:
        self._random = random.Random(seed)
        self._environment = os.environ | variables | {"PYTHONPATH": str(ROOT)}
        self._settings = Settings.from_environment(variables)
        self.store = Store.open(self._settings)
        self._workers: list[subprocess.Popen[bytes]] = []
        self._n_submitted = 0
        self.done: Counter[str] = Counter()
        """How often each disturbance was carried out."""

    def run(self, seconds: float) -> tuple[Run, ...]:
        """Disturb for a while, then let everything end; returns all runs."""
        disturbances: tuple[Callable[[], None], ...] = (
            self._kill,
            self._freeze,
            self._pause,
            self._resume,
            self._change,
            self._fork,
            self._stop,
        )
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._keep_busy()
            disturbance = self._random.choice(disturbances)
            # A run that has just ended refuses.
            with contextlib.suppress(MnistDashError, psutil.NoSuchProcess):
                disturbance()
                self.done[disturbance.__name__.strip("_")] += 1
            time.sleep(self._random.uniform(0.2, 1.5))  # the schedule's own pace
        self._let_all_end()
        return self.store.runs(limit=self._n_submitted * 10)

    def close(self) -> None:
        """End every process."""
        for worker in self._workers:
            kill_tree(worker.pid)
            worker.wait()
        self.store.close()

    def _keep_busy(self) -> None:
        self._workers = [worker for worker in self._workers if worker.poll() is None]
        while len(self._workers) < N_WORKERS:
            command = [sys.executable, "-m", "mnist_dash", "worker", "--threads", "1"]
            self._workers.append(
                subprocess.Popen(
                    command, env=self._environment, cwd=ROOT, stderr=subprocess.DEVNULL
                )
            )
        while self.store.count(states=[RunState.QUEUED, RunState.RUNNING]) < N_OPEN:
            self._n_submitted += 1
            run_actions.submit(self.store, CONFIG.model_copy(update={"seed": self._n_submitted}))

    def _let_all_end(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while unended := [
            run
            for run in self.store.runs(limit=self._n_submitted * 10)
            if not run.state.is_terminal
        ]:
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"Run {unended[0].id} is still {unended[0].state} after {PATIENCE_SECONDS} s."
                )
            for run in unended:
                if run.state is RunState.PAUSED:
                    with contextlib.suppress(MnistDashError):
                        steering.resume(self.store, run.id)
            self._workers = [worker for worker in self._workers if worker.poll() is None]
            if not self._workers:
                self._keep_busy()
            time.sleep(0.2)  # between two looks

    def _training(self) -> str:
        runs = self.store.runs(states=[RunState.RUNNING])
        if not runs:
            raise psutil.NoSuchProcess(0)
        return self._random.choice(runs).id

    def _kill(self) -> None:
        os.kill(self._random.choice(self._workers).pid, signal.SIGKILL)

    def _freeze(self) -> None:
        """Stop a worker and its trainer for longer than a lease, then let them go on."""
        worker = psutil.Process(self._random.choice(self._workers).pid)
        family = [worker, *worker.children(recursive=True)]
        for process in family:
            process.suspend()
        time.sleep(float(LEASE_SECONDS) + 2)  # longer than its lease
        for process in family:
            process.resume()

    def _pause(self) -> None:
        steering.pause(self.store, self._training())

    def _resume(self) -> None:
        paused = self.store.runs(states=[RunState.PAUSED])
        if paused:
            steering.resume(self.store, paused[0].id)

    def _change(self) -> None:
        steering.change(
            self.store,
            self._training(),
            {"learning_rate": self._random.choice([0.0005, 0.001, 0.002])},
        )

    def _fork(self) -> None:
        ended = self.store.runs(states=[RunState.FINISHED])
        if ended:
            steering.fork(self.store, ended[0].id, 2, {"learning_rate": 0.003})

    def _stop(self) -> None:
        run_actions.stop(self.store, self._training())


def check(store: Store, run: Run) -> None:
    """Check what became of a run, from its rows alone."""
    if run.state is RunState.FINISHED:
        assert_whole(store, run)
        return
    assert run.state is RunState.STOPPED, f"Run {run.id} is {run.state}: {run.reason}"
    assert EventKind.STOPPED in {event.kind for event in events_of(store, run.id)}, (
        f"nobody stopped run {run.id}"
    )
    epochs = store.history(run.id).epochs["epoch"].tolist()
    assert epochs == list(range(1, len(epochs) + 1))


def soak(variables: dict[str, str], *, seconds: float, seed: int) -> str:
    """Run a soak, check it, and say in a line what was done.

    Raises:
        AssertionError: a run was lost, has two results or a gap, or the doctor found a problem.
    """
    soaked = Soak(variables, seed)
    try:
        runs = soaked.run(seconds)
        for run in runs:
            check(soaked.store, run)
        problems = [
            found
            for found in examine_store(soaked.store.settings)
            if found.verdict is Verdict.PROBLEM
        ]
        assert problems == []
    finally:
        soaked.close()
    ends = Counter(run.state.value for run in runs)
    return f"{len(runs)} runs ({dict(ends)}), {sum(soaked.done.values())} disturbances ({dict(soaked.done)}): no violation"


def main() -> None:
    """Soak and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--postgresql", action="store_true")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as opened:
        home = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        variables = {
            "MNIST_DASH_HOME": str(home),
            "MNIST_DASH_LEASE_SECONDS": LEASE_SECONDS,
            "MNIST_DASH_THREADS": "1",
        }
        if arguments.postgresql:
            variables["MNIST_DASH_DATABASE_URL"] = opened.enter_context(
                postgresql.server()
            ).new_database()
        print(soak(variables, seconds=arguments.seconds, seed=arguments.seed))


if __name__ == "__main__":
    main()
