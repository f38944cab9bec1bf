"""A store in the test's own home, and one shared home with a living worker for tests that train."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mnist_dash.runs.store.run_store import Store
from mnist_dash.settings import Settings
from tests.new_store import new_store
from tests.source_tree import ROOT
from tests.waiting import PATIENCE_SECONDS, wait_until


@pytest.fixture
def store(own_home: Path) -> Iterator[Store]:
    """The store that commands of this test use, open."""
    opened = new_store(Settings.from_environment())
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def staffed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with a living worker, for the tests of one module."""
    home = tmp_path_factory.mktemp("staffed")
    environment = os.environ | {"MNIST_DASH_HOME": str(home)}
    process = subprocess.Popen(
        [sys.executable, "-m", "mnist_dash", "worker"],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    opened = Store.open(Settings.from_environment({"MNIST_DASH_HOME": str(home)}))
    try:
        wait_until(lambda: any(worker.state == "idle" for worker in opened.workers()))
        yield opened
    finally:
        process.terminate()
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
        opened.close()
    assert "Traceback" not in said


@contextmanager
def command(*arguments: str, home: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run ``python -m mnist_dash`` with a home of its own; whatever happens, it is gone after the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mnist_dash", *arguments],
        cwd=ROOT,
        env=os.environ | {"MNIST_DASH_HOME": str(home)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()
