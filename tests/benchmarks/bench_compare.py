"""How long comparing runs takes in a store of thousands: reading, grouping, counting, drawing, answers, verdicts.

python -m tests.benchmarks.bench_compare [--runs N] [--compared N] [--epochs N]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from mnist_dash.core.analysis.significance import compare_all, group_mean, holm
from mnist_dash.core.analysis.verdicts import TEST_ACCURACY
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.figures.compare.curves import OverlayOptions, RunLine, draw_overlay
from mnist_dash.figures.compare.look import looks
from mnist_dash.runs.query import comparison
from mnist_dash.runs.store.run_store import Store
from mnist_dash.settings import Settings
from tests.comparison_rows import add_runs, answer

T = TypeVar("T")
TIMES = 7
SEEDS = 5
WRONG = 200


def measure(n_runs: int, n_compared: int, n_epochs: int) -> None:
    """Print the times of a comparison within such a store."""
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(
            Settings.from_environment(
                {"MNIST_DASH_HOME": folder, "MNIST_DASH_DATA_DIR": str(Path(folder) / "data")}
            )
        )
        configs = [
            RunConfig(batch_size=1 + number // SEEDS, seed=number % SEEDS, epochs=n_epochs)
            for number in range(n_runs)
        ]
        ids = add_runs(
            store, configs, (0.97 + 0.01 * generator.random(n_runs)).tolist(), n_epochs=n_epochs
        )[:n_compared]
        for run_id in ids:
            answer(store, run_id, generator.choice(10_000, WRONG, replace=False).tolist())
        print(
            f"{n_compared} of {n_runs:,} runs of {n_epochs} epochs; first, then the median of {TIMES} more"
        )
        compared = _timed("read runs, histories and settings", lambda: comparison.load(store, ids))
        _timed("what has changed", lambda: comparison.revisions(store, ids))
        groups = _timed("group by all but the seed", lambda: comparison.group_runs(compared))
        _timed(
            "count what was ranked by test accuracy", lambda: comparison.rankings(store, compared)
        )
        _timed("draw all curves", lambda: _draw(compared))
        _timed(
            "means with intervals",
            lambda: [
                group_mean(comparison.seed_figures(compared, group, TEST_ACCURACY).by_seed)
                for group in groups
            ],
        )
        answers = _timed(
            "read all answers", lambda: [comparison.answers(store, run) for run in compared.runs]
        )
        right = [each.right for each in answers]
        _timed(
            "test all against the first",
            lambda: holm([each.p_value for each in compare_all(right[0], right[1:])]),
        )
        _timed("the runs that are offered", lambda: comparison.candidates(store))
        store.close()


def _draw(compared: comparison.Compared) -> str:
    look = looks([run.id for run in compared.runs])
    lines = []
    for run in compared.runs:
        rows = compared.history(run.id)
        lines.append(
            RunLine(
                run.id,
                run.id,
                look[run.id],
                rows["epoch"].to_numpy(float),
                rows["val_accuracy"].to_numpy(float),
            )
        )
    return str(draw_overlay(lines, "validation accuracy", OverlayOptions()).to_json())


def _timed(what: str, work: Callable[[], T]) -> T:
    seconds = []
    for _ in range(TIMES + 1):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    print(f"{what:40} {1e3 * seconds[0]:8.1f} ms {1e3 * statistics.median(seconds[1:]):8.1f} ms")
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--compared", type=int, default=50)
    parser.add_argument("--epochs", type=int, default=20)
    chosen = parser.parse_args()
    measure(chosen.runs, chosen.compared, chosen.epochs)
