"""Many worker processes, one queue: nothing lost, nothing twice."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

N_RUNS = 500
N_WORKERS = 8


def test_eight_workers_share_five_hundred_runs(
    store: Store, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    """Every run is claimed exactly once and finished, whichever of eight processes gets it; two of them are killed on the way."""
    ids = {run_actions.submit(store, RunConfig(epochs=1)) for _ in range(N_RUNS)}
    workers = [start("tests.faults") for _ in range(N_WORKERS)]
    wait_until(
        lambda: store.count(states=[RunState.FINISHED]) > N_RUNS // 5,
        what="a fifth of the runs is finished",
    )
    for worker in workers[:2]:
        worker.kill()
    wait_until(
        lambda: store.count(states=[RunState.FINISHED]) == N_RUNS, what="all runs are finished"
    )
    runs = store.runs(limit=N_RUNS + 1)
    assert {run.id for run in runs} == ids
    killed = sum(run.attempt - 1 for run in runs)
    assert killed <= 2, "only a run in the hands of a killed worker is attempted again"
    assert len({run.worker for run in runs}) >= N_WORKERS - 2
