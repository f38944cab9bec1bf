"""Sees to it that somebody works while a command waits for its runs."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, replace

from mnist_dash.core.devices import gpu_names
from mnist_dash.errors import MnistDashError
from mnist_dash.runs.store import Store
from mnist_dash.runs.supervisor import Slot, slots, start_worker

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


class Staffing:
    """Starts workers when none is alive: none was there, or those that were have ended. Replaces one of its own that broke."""

    def __init__(self, store: Store, *, n_workers: int = 1) -> None:
        self._store = store
        self._n_workers = min(n_workers, store.settings.n_threads)
        self._own: list[_Own] = []
        self._n_failures = 0
        self._looked_at = float("-inf")

    def see_to(self) -> None:
        """Start workers if none is alive; looks once a second, however often it is called.

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
        if not self._own and all(worker.state == "gone" for worker in self._store.workers()):
            for slot in self._slots():
                self._start(slot)

    def _slots(self) -> list[Slot | None]:
        """Say what each worker has to itself; a single one looks for a device by itself and has all threads."""
        if self._n_workers == 1:
            return [None]
        return [*slots(replace(self._store.settings, n_workers=self._n_workers), gpu_names())]

    def _start(self, slot: Slot | None) -> None:
        process = start_worker(self._store.settings, idle_exit_seconds=IDLE_EXIT_SECONDS, slot=slot)
        self._own.append(_Own(slot, process, time.monotonic()))

    def _count(self, own: _Own) -> None:
        self._n_failures = self._n_failures + 1 if time.monotonic() - own.started_at < STEADY_SECONDS else 1
        if self._n_failures >= MAX_STARTS:
            raise NoWorker(
                f"A worker stays alive; got exit code {own.process.returncode}, {MAX_STARTS} times. "
                f"Read {self._store.settings.home / 'logs' / 'workers.log'} and run `python -m mnist_dash doctor`."
            )
