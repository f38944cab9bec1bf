"""How many runs a second the queue carries: runs that compute nothing, through several worker processes, on either database.

    python -m tests.benchmarks.bench_throughput [--runs N] [--workers N] [--database sqlite|postgresql|both] [--json]

Every run is accepted, queued, claimed, reported and concluded as a real one; only its training is left out. The time goes from the first
run's claim to the last one's end. None may be lost and none executed twice.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.settings import Settings
from tests import postgresql
from tests.source_tree import ROOT

DATABASES = ("sqlite", "postgresql")


def runs_per_second(variables: dict[str, str], n_runs: int, n_workers: int) -> float:
    """Send runs through workers and return how many a second were finished.

    Raises:
        SystemExit: a run was lost, or was executed twice.
    """
    store = Store.open(Settings.from_environment(variables))
    ids = {run_actions.submit(store, RunConfig(epochs=1)) for _ in range(n_runs)}
    environment = os.environ | variables | {"PYTHONPATH": str(ROOT)}
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.faults"],
            env=environment,
            cwd=ROOT,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(n_workers)
    ]
    try:
        while store.count(states=[RunState.FINISHED]) < n_runs:
            time.sleep(0.1)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    runs = store.runs(limit=n_runs + 1)
    store.close()
    if {run.id for run in runs} != ids or any(run.attempt != 1 for run in runs):
        raise SystemExit("A run was lost, or executed twice.")
    claims = [run.started_at for run in runs if run.started_at is not None]
    ends = [run.ended_at for run in runs if run.ended_at is not None]
    return n_runs / (max(ends) - min(claims)).total_seconds()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--database", choices=(*DATABASES, "both"), default="both")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures: dict[str, float] = {}
    for name in DATABASES if arguments.database == "both" else (arguments.database,):
        with ExitStack() as opened:
            home = Path(opened.enter_context(tempfile.TemporaryDirectory()))
            variables = {"MNIST_DASH_HOME": str(home), "MNIST_DASH_THREADS": "1"}
            if name == "postgresql":
                variables["MNIST_DASH_DATABASE_URL"] = opened.enter_context(
                    postgresql.server()
                ).new_database()
            figures[name] = runs_per_second(variables, arguments.runs, arguments.workers)
    if arguments.json:
        print(
            json.dumps(
                {"runs": arguments.runs, "workers": arguments.workers, "runs_per_second": figures}
            )
        )
        return
    for name, rate in figures.items():
        print(
            f"{name:12} {arguments.runs} runs, {arguments.workers} workers: {rate:.0f} runs a second"
        )


if __name__ == "__main__":
    main()
