"""How busy a study keeps its slots: real runs of about two seconds on real workers, the share of the time in which each trains.

    python -m tests.benchmarks.bench_slots [--trials N] [--workers N] [--epochs N]

A slot is busy from the claim of a run to its recorded end. Counted is the time from the first claim to the last one, while there is always
a next trial to be had.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable

from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.search.actions import steering
from mnist_dash.search.definition.study_files import parse_study
from mnist_dash.search.studies import study_store
from mnist_dash.settings import Settings

TEXT = """
name: slots
set:
  epochs: {epochs}
  batch_size: 1000
  layers: [{{kind: flatten}}, {{kind: dense, units: 64}}, {{kind: dense, units: 10, activation: softmax}}]
space:
  optimizer.learning_rate: {{low: 0.0001, high: 0.1, log: true}}
  label_smoothing: {{low: 0, high: 0.3}}
budget: {trials}
parallelism: {workers}
keep: none
"""


def busy_share(runs: Iterable[Run]) -> tuple[float, float, int]:
    """Give the share of the time in which the slots trained, the mean seconds of a run, and the number of slots.

    Args:
        runs: ended ones of one study.
    """
    ordered = sorted(
        (run.started_at.timestamp(), run.ended_at.timestamp(), run.worker)
        for run in runs
        if run.started_at and run.ended_at
    )
    slots = {worker for _, _, worker in ordered}
    first, last = ordered[0][0], max(start for start, _, _ in ordered)
    spent = sum(min(end, last) - start for start, end, _ in ordered)
    return (
        spent / (len(slots) * (last - first)),
        sum(end - start for start, end, _ in ordered) / len(ordered),
        len(slots),
    )


def measure(*, n_trials: int, n_workers: int, epochs: int) -> None:
    """Run a study and print how busy its slots were."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.from_environment({"MNIST_DASH_HOME": folder})
        store = Store.open(settings)
        environment = os.environ | {"MNIST_DASH_HOME": folder}
        command = [sys.executable, "-m", "mnist_dash", "worker", "--threads", "1"]
        workers = [
            subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
            for _ in range(n_workers)
        ]
        try:
            while sum(worker.state == "idle" for worker in store.workers()) < n_workers:
                time.sleep(0.2)
            study_id = steering.create(
                store, parse_study(TEXT.format(epochs=epochs, trials=n_trials, workers=n_workers))
            )
            while not study_store.find(store, study_id).state.has_ended:
                time.sleep(0.5)
            share, seconds, n_slots = busy_share(store.runs(limit=n_trials))
        finally:
            for worker in workers:
                worker.terminate()
                worker.wait()
            store.close()
    print(f"{n_trials} runs of {seconds:.2f} s on {n_slots} slots: busy {share:.1%} of the time")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=6)
    arguments = parser.parse_args()
    measure(n_trials=arguments.trials, n_workers=arguments.workers, epochs=arguments.epochs)
