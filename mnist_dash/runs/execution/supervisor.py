"""Keeps the local workers, and what serves beside them, running while a dashboard does.

Each server process starts one supervisor process. Of all the supervisors of a store on a machine one holds the lock and keeps the workers;
the others wait for it and take over when its server ends. A supervisor ends when the pipe to its server closes, however the server ended,
and its workers give their runs back to the queue.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import IO

from filelock import FileLock, Timeout

from mnist_dash import logs
from mnist_dash.core.hardware.devices import VISIBLE_GPUS, DeviceKind, gpu_names
from mnist_dash.errors import MnistDashError
from mnist_dash.settings import Settings

LOCK_FILE = "supervisor.lock"
TICK_SECONDS = 0.5
RESTART_SECONDS = 2.0
"""Pause before a process that died is started again."""
COMPANION_SECONDS = 3.0
"""For so long what serves beside the workers leaves the cores to their start, for which the first run may wait already."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Environment of a process that leaves the cores to the workers."""
GRACE_SECONDS = 8.0
log = logging.getLogger("mnist_dash.supervisor")
_asked_to_end = threading.Event()
_starting = threading.Lock()
_started: dict[str, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Slot:
    """What one worker has to itself."""

    device: DeviceKind
    n_threads: int
    gpu: str | None = None
    """The one that it may use, as `VISIBLE_GPUS` names it."""


def ensure_workers(settings: Settings, *, companions: Sequence[str] = ()) -> None:
    """See to it that this machine's workers run for as long as this process does; cheap when they do already.

    A read-only server starts none, and none of what serves beside them.

    Args:
        settings: how many, and of which store.
        companions: modules of this package that are kept running beside the workers, one process each.
    """
    with _starting:
        known = _started.get(settings.database_url)
        if not settings.keeps_workers or (known is not None and known.poll() is None):
            return
        command = [sys.executable, "-m", "mnist_dash.runs.execution.supervisor", *companions]
        _started[settings.database_url] = subprocess.Popen(  # noqa: S603 - this interpreter, this package
            command, stdin=subprocess.PIPE, env=child_environment(settings), start_new_session=True
        )


def end_workers() -> None:
    """End what `ensure_workers` has started, and wait until runs in hand are back in the queue: `GRACE_SECONDS` and a moment at most."""
    with _starting:
        started = list(_started.values())
        _started.clear()
    for supervisor in started:
        assert supervisor.stdin is not None
        supervisor.stdin.close()
    for supervisor in started:
        with contextlib.suppress(subprocess.TimeoutExpired):
            supervisor.wait(GRACE_SECONDS + 4 * TICK_SECONDS)


def start_worker(
    settings: Settings, *, idle_exit_seconds: float | None = None, slot: Slot | None = None
) -> subprocess.Popen[bytes]:
    """Start one worker process of its own session, which outlives this process; without a slot it looks for a device itself."""
    command = [sys.executable, "-m", "mnist_dash", "worker"]
    if idle_exit_seconds is not None:
        command += ["--exit-when-idle", str(idle_exit_seconds)]
    environment = child_environment(settings)
    if slot is not None:
        command += ["--device", slot.device, "--threads", str(slot.n_threads)]
        environment |= {} if slot.gpu is None else {VISIBLE_GPUS: slot.gpu}
    with _log_file(settings, "workers") as log_file:
        return subprocess.Popen(  # noqa: S603 - this interpreter, this package
            command,
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=log_file,
            env=environment,
            start_new_session=True,
        )


def _log_file(settings: Settings, name: str) -> IO[bytes]:
    folder = settings.home / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return (folder / f"{name}.log").open("ab")


def slots(settings: Settings, gpus: Sequence[str]) -> list[Slot]:
    """Say which workers this machine runs.

    One worker a GPU; without one, a single worker on all threads, or as many as were asked for, never more threads than there are. More
    workers than GPUs share them in turn.

    Args:
        settings: how many workers and threads were asked for.
        gpus: names of the GPUs, as `VISIBLE_GPUS` has them.
    """
    wanted = settings.n_workers if settings.n_workers >= 0 else max(1, len(gpus))
    n_workers = min(wanted, settings.n_threads)
    n_threads = settings.n_threads // max(1, n_workers)
    if gpus:
        return [Slot("cuda", n_threads, gpus[index % len(gpus)]) for index in range(n_workers)]
    return [Slot("cpu", n_threads)] * n_workers


def start_companion(settings: Settings, module: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a module of this package as a process of its own session, with one thread; its log is named after it."""
    environment = child_environment(settings) | ONE_THREAD
    with _log_file(settings, module.rpartition(".")[2]) as log_file:
        return subprocess.Popen(  # noqa: S603 - this interpreter, this package
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=log_file,
            env=environment,
            start_new_session=True,
        )


def supervise(settings: Settings, parent: IO[bytes], companions: Sequence[str] = ()) -> None:
    """Wait for the lock, keep the workers running, and end with `parent`'s end of file."""
    settings.home.mkdir(parents=True, exist_ok=True)
    lock = FileLock(settings.home / LOCK_FILE)
    while True:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if _ended(parent):
                return
            continue
        with lock:
            starters = [
                partial(start_worker, settings, slot=slot) for slot in slots(settings, gpu_names())
            ]
            later = [partial(start_companion, settings, module) for module in companions]
            _keep(
                [*starters, *later],
                parent,
                due=[0.0] * len(starters) + [time.monotonic() + COMPANION_SECONDS] * len(later),
            )
            return


def _keep(
    starters: Sequence[Callable[[], subprocess.Popen[bytes]]],
    parent: IO[bytes],
    *,
    due: list[float],
) -> None:
    """Keep one process of each starter running, from the moment at which each is due."""
    processes: list[subprocess.Popen[bytes] | None] = [None] * len(starters)
    while True:
        for index, start in enumerate(starters):
            process = processes[index]
            if process is not None and process.poll() is not None:
                log.warning(
                    "Process %d ended with code %s and is started again.",
                    process.pid,
                    process.returncode,
                )
                processes[index], due[index] = None, time.monotonic() + RESTART_SECONDS
            elif process is None and time.monotonic() >= due[index]:
                processes[index] = start()
        if _ended(parent):
            break
    _end([process for process in processes if process is not None])


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + GRACE_SECONDS
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _ended(parent: IO[bytes]) -> bool:
    """Wait a tick for the server's end of the pipe to close, or for somebody to end this process."""
    readable, _, _ = select.select([parent], [], [], TICK_SECONDS)
    return _asked_to_end.is_set() or (bool(readable) and not os.read(parent.fileno(), 1))


def child_environment(settings: Settings) -> dict[str, str]:
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
    for name in (signal.SIGINT, signal.SIGHUP):
        # A terminal's Ctrl+C ends the server, and the server's end ends this.
        signal.signal(name, signal.SIG_IGN)
    # Systemd sends it to every process of a unit: no worker is left behind.
    signal.signal(signal.SIGTERM, lambda *_: _asked_to_end.set())
    try:
        settings = Settings.from_environment()
        logs.set_up(settings)
        supervise(settings, sys.stdin.buffer, sys.argv[1:])
    except MnistDashError as error:
        log.error("%s", error)  # noqa: TRY400 - a sentence, not a traceback


if __name__ == "__main__":
    main()
