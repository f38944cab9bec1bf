"""How long a step of a study takes by its number of trials: taken over by a new process, then step by step; and reading it for a page.

python -m tests.benchmarks.bench_study [--trials N ...]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from mnist_dash.runs.store import schema
from mnist_dash.runs.store.run_store import Store
from mnist_dash.search.engine.advance import Advancer
from mnist_dash.search.studies import study_store
from mnist_dash.settings import Settings
from tests.search_rows import fill

STEPS = 7


def measure(n_trials: int) -> None:
    """Print the times of a study with so many ended trials."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(
            Settings.from_environment(
                {"MNIST_DASH_HOME": folder, "MNIST_DASH_DATA_DIR": str(Path(folder) / "data")}
            )
        )
        study_id = fill(store, n_trials)
        with store.writing() as connection:
            connection.execute(schema.studies.update().values(held_by="bench"))
        start = time.perf_counter()
        read = study_store.trials(store, study_id)
        reading = time.perf_counter() - start
        assert len(read) == n_trials
        advancer = Advancer(store, study_id, "bench")
        start = time.perf_counter()
        advancer.step()
        first = time.perf_counter() - start
        steps = []
        for parallelism in range(2, STEPS + 2):
            _one_more(store, study_id, parallelism)
            start = time.perf_counter()
            advancer.step()
            steps.append(time.perf_counter() - start)
        start = time.perf_counter()
        advancer.step()
        idle = time.perf_counter() - start
        store.close()
    print(
        f"{n_trials:>7,} trials: read {1e3 * reading:7.1f} ms, first step of a process {1e3 * first:8.1f} ms, a step that begins a trial "
        f"{1e3 * statistics.median(steps):7.1f} ms, one with nothing to do {1e3 * idle:6.1f} ms"
    )


def _one_more(store: Store, study_id: str, parallelism: int) -> None:
    """Let one more trial be in flight, without a new edition: the memory stays."""
    study = study_store.find(store, study_id)
    tree = study.definition.model_copy(update={"parallelism": parallelism})
    with store.writing() as connection:
        connection.execute(schema.studies.update().values(definition=tree.model_dump_json()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, nargs="*", default=[100, 1_000, 10_000])
    for n in parser.parse_args().trials:
        measure(n)
