"""Keeps the local workers running while a dashboard does.

Each server process starts one supervisor process. Of all the supervisors of a store on a machine one holds the lock and keeps the workers;
the others wait for it and take over when its server ends. A supervisor ends when the pipe to its server closes, however the server ended,
and its workers give their runs back to the queue.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from typing import IO

from filelock import FileLock, Timeout

from mnist_dash.core.devices import n_cuda_devices
from mnist_dash.errors import MnistDashError
from mnist_dash.settings import Settings

LOCK_FILE = "supervisor.lock"
TICK_SECONDS = 0.5
RESTART_SECONDS = 2.0
"""Pause before a worker that died is started again."""
GRACE_SECONDS = 8.0
log = logging.getLogger("mnist_dash.supervisor")
_starting = threading.Lock()
_started: dict[str, subprocess.Popen[bytes]] = {}


def ensure_workers(settings: Settings) -> None:
    """See to it that this machine's workers run for as long as this process does; cheap when they do already."""
    with _starting:
        known = _started.get(settings.database_url)
        if settings.n_workers == 0 or (known is not None and known.poll() is None):
            return
        command = [sys.executable, "-m", "mnist_dash.runs.supervisor"]
        _started[settings.database_url] = subprocess.Popen(  # noqa: S603 - this interpreter, this package
            command, stdin=subprocess.PIPE, env=_environment(settings), start_new_session=True
        )


def start_worker(
    settings: Settings, *, idle_exit_seconds: float | None = None, device: str | None = None, n_threads: int | None = None
) -> subprocess.Popen[bytes]:
    """Start one worker process of its own session, which outlives this process."""
    command = [sys.executable, "-m", "mnist_dash", "worker"]
    for option, value in (("--exit-when-idle", idle_exit_seconds), ("--device", device), ("--threads", n_threads)):
        command += [] if value is None else [option, str(value)]
    logs = settings.home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / "workers.log").open("ab") as log_file:
        return subprocess.Popen(  # noqa: S603 - this interpreter, this package
            command, stdin=subprocess.DEVNULL, stdout=log_file, stderr=log_file, env=_environment(settings), start_new_session=True
        )


def slots(settings: Settings) -> list[tuple[str, int]]:
    """Say which workers this machine runs: a device and a number of CPU threads each.

    One worker a GPU; without one, a single worker on all threads, or as many as were asked for, never more threads than there are.
    """
    n_cuda = n_cuda_devices()
    device = "cuda" if n_cuda else "cpu"
    wanted = settings.n_workers if settings.n_workers >= 0 else max(1, n_cuda)
    n_workers = min(wanted, settings.n_threads)
    return [(device, max(1, settings.n_threads // n_workers))] * n_workers if n_workers else []


def supervise(settings: Settings, parent: IO[bytes]) -> None:
    """Wait for the lock, keep the workers running, and end with `parent`'s end of file."""
    settings.home.mkdir(parents=True, exist_ok=True)
    lock = FileLock(settings.home / LOCK_FILE)
    while not _ended(parent):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        with lock:
            _keep(settings, parent)
            return


def _keep(settings: Settings, parent: IO[bytes]) -> None:
    wanted = slots(settings)
    workers: list[subprocess.Popen[bytes] | None] = [None] * len(wanted)
    due = [0.0] * len(wanted)
    while not _ended(parent):
        for index, (device, n_threads) in enumerate(wanted):
            worker = workers[index]
            if worker is not None and worker.poll() is not None:
                log.warning("Worker %d ended with code %s and is started again.", worker.pid, worker.returncode)
                workers[index], due[index] = None, time.monotonic() + RESTART_SECONDS
            elif worker is None and time.monotonic() >= due[index]:
                workers[index] = start_worker(settings, device=device, n_threads=n_threads)
    _end([worker for worker in workers if worker is not None])


def _end(workers: list[subprocess.Popen[bytes]]) -> None:
    for worker in workers:
        worker.terminate()
    deadline = time.monotonic() + GRACE_SECONDS
    for worker in workers:
        try:
            worker.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


def _ended(parent: IO[bytes]) -> bool:
    """Wait a tick for the server's end of the pipe to close."""
    readable, _, _ = select.select([parent], [], [], TICK_SECONDS)
    return bool(readable) and not os.read(parent.fileno(), 1)


def _environment(settings: Settings) -> dict[str, str]:
    """Give a child process the settings of this one, wherever they came from."""
    return (
        os.environ
        | {
            "MNIST_DASH_HOME": str(settings.home),
            "MNIST_DASH_DATA_DIR": str(settings.data_dir),
            "MNIST_DASH_ARTIFACT_DIR": str(settings.artifact_dir),
            "MNIST_DASH_DATABASE_URL": settings.database_url,
            "MNIST_DASH_THREADS": str(settings.n_threads),
            "MNIST_DASH_LEASE_SECONDS": str(settings.lease_seconds),
            "MNIST_DASH_MAX_ATTEMPTS": str(settings.max_attempts),
        }
        | ({} if settings.n_workers < 0 else {"MNIST_DASH_WORKERS": str(settings.n_workers)})
    )


def main() -> None:
    """Be the supervisor process of the server at the other end of standard input."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    for name in (signal.SIGINT, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)  # a terminal's Ctrl+C ends the server, and the server's end ends this
    try:
        supervise(Settings.from_environment(), sys.stdin.buffer)
    except MnistDashError as error:
        log.error("%s", error)  # noqa: TRY400 - a sentence, not a traceback


if __name__ == "__main__":
    main()
