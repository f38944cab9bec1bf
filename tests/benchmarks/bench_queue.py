"""What the queue costs: a run through it against the bare training loop, alternating, and how soon a queued run starts.

    python -m tests.benchmarks.bench_queue [--epochs N] [--rounds N] [--json]

Both sides train the same configuration in a fresh process forked from a server that has torch and the data in memory. The bare side drops
every report and checkpoint; the other records them in a real store. Compared are whole runs: from starting the trainer to its result, and
from the claim to the recorded result.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mnist_dash.core.config.run_config import RunConfig, canonical_json
from mnist_dash.core.training.reports import TrainingResult
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.execution.trainer import Broken, Task, Trainer
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.settings import Settings


def bare_seconds(trainer: Trainer, config: RunConfig, settings: Settings) -> float:
    """Train without a store and return the seconds from starting the trainer to its result."""
    started = time.perf_counter()
    trainer.start(Task(canonical_json(config), settings.data_dir, settings.n_threads, None))
    while True:
        message = trainer.receive(1.0)
        if isinstance(message, TrainingResult):
            seconds = time.perf_counter() - started
            trainer.done()
            return seconds
        if isinstance(message, Broken):
            raise SystemExit(message.reason)


def queued_seconds(store: Store, config: RunConfig) -> tuple[float, float]:
    """Train through the queue; return the seconds from the claim to the recorded result, and those from submitting to the claim."""
    submitted = time.perf_counter()
    run_id = run_actions.submit(store, config)
    while store.run(run_id).state is RunState.QUEUED:
        time.sleep(0.002)
    waited = time.perf_counter() - submitted
    while not store.run(run_id).state.is_terminal:
        time.sleep(0.25)
    run = store.run(run_id)
    if run.state is not RunState.FINISHED:
        raise SystemExit(run.reason)
    assert run.ended_at is not None
    assert run.started_at is not None
    return (run.ended_at - run.started_at).total_seconds(), waited


def main() -> None:
    """Measure, alternating, and print medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    config = RunConfig(epochs=arguments.epochs, batch_size=512)
    with tempfile.TemporaryDirectory() as home:
        settings = Settings.from_environment(os.environ | {"MNIST_DASH_HOME": home})
        store = Store.open(settings)
        trainer = Trainer()
        trainer.warm_up()
        worker = subprocess.Popen(
            [sys.executable, "-m", "mnist_dash", "worker"],
            env=os.environ | {"MNIST_DASH_HOME": home},
            stderr=subprocess.DEVNULL,
        )
        try:
            queued_seconds(store, RunConfig(epochs=1, batch_size=512))  # both sides are warm
            bare_seconds(trainer, RunConfig(epochs=1, batch_size=512), settings)
            bare, queued, waits = [], [], []
            for _ in range(arguments.rounds):
                bare.append(bare_seconds(trainer, config, settings))
                seconds, waited = queued_seconds(store, config)
                queued.append(seconds)
                waits.append(waited)
        finally:
            worker.terminate()
            worker.wait()
            store.close()
    report(bare, queued, waits, as_json=arguments.json, epochs=arguments.epochs)


def report(
    bare: list[float], queued: list[float], waits: list[float], *, as_json: bool, epochs: int
) -> None:
    """Print the medians, the ratio and the longest wait."""
    ratio = statistics.median(queued) / statistics.median(bare)
    if as_json:
        print(
            json.dumps(
                {
                    "epochs": epochs,
                    "bare_seconds": bare,
                    "queued_seconds": queued,
                    "ratio": ratio,
                    "start_seconds": waits,
                }
            )
        )
        return
    print(
        f"{epochs} epochs, bare {statistics.median(bare):.2f} s; through the queue {statistics.median(queued):.2f} s; ratio {ratio:.3f}"
    )
    print(
        f"from submitting to the claim: median {statistics.median(waits):.3f} s, longest {max(waits):.3f} s"
    )


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    main()
