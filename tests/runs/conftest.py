"""A real store in a folder of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mnist_dash.core.hardware.devices import DeviceKind
from mnist_dash.runs.execution.processes import machine_id
from mnist_dash.runs.execution.worker_records import WorkerIdentity, WorkerRecords
from mnist_dash.runs.store.run_store import Store
from mnist_dash.settings import Settings
from tests.databases import settings_with_database
from tests.new_store import new_store


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings that keep everything below the test's folder, with a lease of two seconds."""
    return settings_with_database(
        {"MNIST_DASH_HOME": str(tmp_path), "MNIST_DASH_LEASE_SECONDS": "2"}
    )


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """An open, empty store."""
    opened = new_store(settings)
    yield opened
    opened.close()


def new_worker(
    store: Store, name: str, *, pid: int, device: DeviceKind = "cpu", machine: str | None = None
) -> WorkerRecords:
    """Sign a worker on that claims by hand instead of taking jobs."""
    identity = WorkerIdentity(
        id=name, host="here", machine=machine or machine_id(), pid=pid, device=device, n_threads=1
    )
    records = WorkerRecords(store, identity)
    records.sign_on()
    return records
