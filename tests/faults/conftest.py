"""Real processes that are watched until something is so, and all of them ended with the test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from mnist_dash.runs.store.run_store import Store
from mnist_dash.settings import Settings
from tests.databases import settings_with_database
from tests.new_store import new_store
from tests.source_tree import ROOT


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings below the test's folder, with a short lease, one thread and the data sets of the whole test run."""
    return settings_with_database(
        {
            "MNIST_DASH_HOME": str(tmp_path),
            "MNIST_DASH_LEASE_SECONDS": "3",
            "MNIST_DASH_THREADS": "1",
            "MNIST_DASH_MAX_ATTEMPTS": "20",
        }
    )


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    """What a child process needs to use the test's settings."""
    return os.environ | {
        "MNIST_DASH_HOME": str(settings.home),
        "MNIST_DASH_LEASE_SECONDS": str(settings.lease_seconds),
        "MNIST_DASH_THREADS": "1",
        "MNIST_DASH_MAX_ATTEMPTS": str(settings.max_attempts),
        "MNIST_DASH_DATABASE_URL": settings.database_url,
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """An open, empty store."""
    opened = new_store(settings)
    yield opened
    opened.close()


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start processes of this package; whatever they started is killed with them when the test ends."""
    started: list[subprocess.Popen[bytes]] = []

    def start_module(*arguments: str, **options: object) -> subprocess.Popen[bytes]:
        process: subprocess.Popen[bytes] = subprocess.Popen(
            [sys.executable, "-m", *arguments], env=environment, cwd=ROOT, **options
        )  # type: ignore[call-overload]
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
