"""Real processes that are watched until something is so, and all of them ended with the test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from mnist_dash.runs.store import Store
from mnist_dash.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings below the test's folder, with a short lease, one thread and the data sets of the whole test run."""
    return Settings.from_environment(
        {"MNIST_DASH_HOME": str(tmp_path), "MNIST_DASH_LEASE_SECONDS": "3", "MNIST_DASH_THREADS": "1", "MNIST_DASH_MAX_ATTEMPTS": "20"}
    )


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    """What a child process needs to use the test's settings."""
    return os.environ | {
        "MNIST_DASH_HOME": str(settings.home),
        "MNIST_DASH_LEASE_SECONDS": str(settings.lease_seconds),
        "MNIST_DASH_THREADS": "1",
        "MNIST_DASH_MAX_ATTEMPTS": str(settings.max_attempts),
        "PYTHONPATH": str(REPOSITORY),
    }


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """An open, empty store."""
    opened = Store.open(settings)
    yield opened
    opened.close()


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start processes of this package; whatever they started is killed with them when the test ends."""
    started: list[subprocess.Popen[bytes]] = []

    def start_module(*arguments: str, **options: object) -> subprocess.Popen[bytes]:
        process: subprocess.Popen[bytes] = subprocess.Popen([sys.executable, "-m", *arguments], env=environment, cwd=REPOSITORY, **options)  # type: ignore[call-overload]
        started.append(process)
        return process

    yield start_module
    for process in started:
        kill_tree(process.pid)
        process.wait()


def kill_tree(pid: int) -> None:
    """Kill a process and all that it started."""
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in family:
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue


def wait_until(condition: Callable[[], bool], *, seconds: float, what: str) -> float:
    """Wait for something to be so and return the seconds that it took; fail with `what` when it takes too long."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > seconds:
            pytest.fail(f"waited {seconds} s in vain: {what}")
        time.sleep(0.02)  # between two looks, with a deadline
    return time.monotonic() - start
