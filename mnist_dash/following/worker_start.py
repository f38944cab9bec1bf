"""Sees to it that somebody works while a command waits for its runs."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mnist_dash.core.hardware.devices import gpu_names
from mnist_dash.errors import MnistDashError
from mnist_dash.runs.execution.supervisor import Slot, slots, start_worker
from mnist_dash.runs.store.records import Worker
from mnist_dash.runs.store.run_store import Store

LOOK_SECONDS = 1.0
"""How often the workers are looked at."""
IDLE_EXIT_SECONDS = 5.0
"""How long a worker of a command's own waits for another run before it ends; a script that trains one run after another finds it warm."""
MAX_STARTS = 3
STEADY_SECONDS = 60.0
"""A worker that lived for so long did not fail for want of being able to start."""


class NoWorker(MnistDashError):
    """Workers end as soon as they are started."""


@dataclass(frozen=True)
class _Own:
    slot: Slot | None
    process: subprocess.Popen[bytes]
    started_at: float


class WorkerStarter:
    """Starts workers when none is alive, or fewer than are wanted and threads are left. Replaces one of its own that broke."""

    def __init__(self, store: Store, *, n_workers: int = 1) -> None:
        self._store = store
        self._n_workers = min(n_workers, store.settings.n_threads)
        self._own: list[_Own] = []
        self._n_failures = 0
        self._looked_at = float("-inf")

    def ensure(self) -> None:
        """Start the workers that are missing; looks once a second, however often it is called.

        Raises:
            NoWorker: several workers in a row ended with an error.
        """
        if time.monotonic() - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = time.monotonic()
        ended = [own for own in self._own if own.process.poll() is not None]
        self._own = [own for own in self._own if own not in ended]
        for own in ended:
            if own.process.returncode:
                self._count(own)
                self._start(own.slot)
        alive = [worker for worker in self._store.workers() if worker.state != "gone"]
        if not self._own and not alive:
            for slot in self._slots():
                self._start(slot)
        elif self._n_workers > 1:
            self._fill_up(alive)

    def _fill_up(self, alive: Sequence[Worker]) -> None:
        """Start what is missing beside the workers that are alive, as far as they leave threads; GPUs are shared by those who have them."""
        signed_on = {worker.pid for worker in alive}
        starting = [
            own.slot
            for own in self._own
            if own.process.pid not in signed_on and own.slot is not None
        ]
        n_free = (
            self._store.settings.n_threads
            - sum(worker.n_threads for worker in alive)
            - sum(slot.n_threads for slot in starting)
        )
        for slot in self._slots()[len(alive) + len(starting) :]:
            if slot is not None and slot.device == "cpu" and slot.n_threads <= n_free:
                self._start(slot)
                n_free -= slot.n_threads

    def _slots(self) -> list[Slot | None]:
        """Say what each worker has to itself; a single one looks for a device by itself and has all threads."""
        if self._n_workers == 1:
            return [None]
        return [*slots(replace(self._store.settings, n_workers=self._n_workers), gpu_names())]

    def _start(self, slot: Slot | None) -> None:
        process = start_worker(self._store.settings, idle_exit_seconds=IDLE_EXIT_SECONDS, slot=slot)
        self._own.append(_Own(slot, process, time.monotonic()))

    def _count(self, own: _Own) -> None:
        self._n_failures = (
            self._n_failures + 1 if time.monotonic() - own.started_at < STEADY_SECONDS else 1
        )
        if self._n_failures >= MAX_STARTS:
            raise NoWorker(
                f"The worker ended {MAX_STARTS} times with exit code {own.process.returncode}. "
                f"Read {self._store.settings.home / 'logs' / 'workers.log'} and run `python -m mnist_dash doctor`."
            )
