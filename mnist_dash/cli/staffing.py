"""Sees to it that somebody works while a command waits for its run."""

from __future__ import annotations

import subprocess
import time

from mnist_dash.errors import MnistDashError
from mnist_dash.runs.store import Store
from mnist_dash.runs.supervisor import start_worker

LOOK_SECONDS = 1.0
"""How often the workers are looked at."""
IDLE_EXIT_SECONDS = 5.0
"""How long a worker of a command's own waits for another run before it ends; a script that trains one run after another finds it warm."""
MAX_STARTS = 3


class NoWorker(MnistDashError):
    """Workers end as soon as they are started."""


class Staffing:
    """Starts a worker when none is alive: none was there, or the one that was has ended."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._own: subprocess.Popen[bytes] | None = None
        self._n_failures = 0
        self._looked_at = float("-inf")

    def see_to(self) -> None:
        """Start a worker if none is alive; looks once a second, however often it is called.

        Raises:
            NoWorker: several workers in a row ended with an error.
        """
        if time.monotonic() - self._looked_at < LOOK_SECONDS or (self._own is not None and self._own.poll() is None):
            return
        self._looked_at = time.monotonic()
        if self._own is not None and self._own.returncode != 0:
            self._n_failures += 1
            self._refuse_to_go_on()
        self._own = None
        if all(worker.state == "gone" for worker in self._store.workers()):
            self._own = start_worker(self._store.settings, idle_exit_seconds=IDLE_EXIT_SECONDS)

    def _refuse_to_go_on(self) -> None:
        if self._own is not None and self._n_failures >= MAX_STARTS:
            raise NoWorker(
                f"A worker stays alive; got exit code {self._own.returncode}, {MAX_STARTS} times. "
                f"Read {self._store.settings.home / 'logs' / 'workers.log'} and run `python -m mnist_dash doctor`."
            )
