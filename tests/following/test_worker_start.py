"""How many workers a command starts beside those that are alive."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from mnist_dash.following import worker_start
from mnist_dash.following.worker_start import WorkerStarter
from mnist_dash.runs.execution.supervisor import Slot
from mnist_dash.runs.store.run_store import Store
from mnist_dash.settings import Settings
from tests.runs.conftest import new_worker


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Slot | None]]:
    """The slots of the workers that were started; in their place sleeps a process that never signs on."""
    slots: list[Slot | None] = []
    processes: list[subprocess.Popen[bytes]] = []

    def start(
        _settings: Settings, *, idle_exit_seconds: float, slot: Slot | None
    ) -> subprocess.Popen[bytes]:
        assert idle_exit_seconds > 0
        slots.append(slot)
        processes.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]))
        return processes[-1]

    monkeypatch.setattr(worker_start, "start_worker", start)
    monkeypatch.setattr(worker_start, "gpu_names", list)
    monkeypatch.setattr(worker_start, "LOOK_SECONDS", 0.0)
    yield slots
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("n_alive", "n_threads", "n_workers", "expected"),
    [(0, 4, 2, 2), (1, 4, 2, 1), (1, 1, 2, 0), (2, 4, 2, 0), (1, 4, 1, 0)],
)
def test_missing_workers_are_started(
    started: list[Slot | None], n_alive: int, n_threads: int, n_workers: int, expected: int
) -> None:
    """As many as are wanted and no more, as far as those that are alive leave threads; looking again starts none twice."""
    store = Store.open(replace(Settings.from_environment(), n_threads=n_threads))
    for index in range(n_alive):
        new_worker(store, f"alive {index}", pid=os.getpid())
    starter = WorkerStarter(store, n_workers=n_workers)
    for _ in range(3):
        starter.ensure()
    store.close()
    assert len(started) == expected
