"""Databases and disks that do not answer for a while: training goes on, and nothing is lost."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.layers import Dense, Flatten
from mnist_dash.errors import StoreUnavailable
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.execution.doctor import Verdict, examine_store
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.events import EventKind, events_of
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.settings import DATABASE_FILE
from tests.faults.failing import FAILED
from tests.faults.outcomes import assert_whole, wait_for_end
from tests.waiting import wait_until

Start = Callable[..., subprocess.Popen[bytes]]
SHORT = RunConfig(
    layers=(Flatten(), Dense(units=10, activation="softmax")), batch_size=1000, epochs=2
)
LONG = RunConfig(
    layers=(Flatten(), Dense(units=128), Dense(units=10, activation="softmax")),
    batch_size=64,
    epochs=12,
)


def worker(start: Start, log: Path, *module: str) -> subprocess.Popen[bytes]:
    """Start a worker of one thread that writes its log to a file."""
    with log.open("ab") as file:
        return start(
            *(module or ("mnist_dash", "worker", "--threads", "1")), stderr=file, stdout=file
        )


def assert_undisturbed(store: Store, run_id: str, *, attempt: int | None = 1) -> Run:
    """Wait for a run's end, and assert that it is whole after so many attempts, and that the doctor finds no fault."""
    run = wait_for_end(store, run_id)
    assert_whole(store, run)
    assert attempt is None or run.attempt == attempt, run.reason
    assert [
        str(check) for check in examine_store(store.settings) if check.verdict is Verdict.PROBLEM
    ] == []
    return run


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Hold a SQLite database for writing, as a backup or a database browser does."""
    connection = sqlite3.connect(database, isolation_level=None, timeout=30)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


@pytest.mark.slow
@pytest.mark.sqlite
@pytest.mark.parametrize("seconds", [13, 25])
@pytest.mark.parametrize("after_epoch", [0, 2])
def test_locked_database_costs_no_attempt(
    store: Store, start: Start, tmp_path: Path, *, seconds: float, after_epoch: int
) -> None:
    """Training goes on behind a lock that outlasts the busy timeout and the lease; one sentence in the log says so."""
    worker(start, tmp_path / "log")
    run_id = run_actions.submit(store, LONG)
    wait_until(
        lambda: (
            store.run(run_id).epoch >= after_epoch and store.run(run_id).state is RunState.RUNNING
        ),
        "it trains",
    )
    with locked(store.settings.home / DATABASE_FILE):
        time.sleep(seconds)  # the length of the outage is what is tested
    epoch = store.run(run_id).epoch
    run = assert_undisturbed(store, run_id)
    assert epoch <= run.epoch
    log = (tmp_path / "log").read_text()
    assert "The database was locked" in log
    assert log.count("The database was locked") <= 4, "once an outage and thread, not once a try"
    assert "It works again" in log


MOST_WRITES = 40
"""Beyond what a short run writes; on a machine that is busy, a worker's heartbeats add to it without end."""


@pytest.mark.slow
@pytest.mark.sqlite
@pytest.mark.parametrize("kind", ["statement", "commit"])
def test_failing_write_anywhere_costs_nothing(
    store: Store, start: Start, tmp_path: Path, kind: str
) -> None:
    """The N-th write of a worker fails once, or is carried out and reported as failed, for every N of a two-epoch run."""
    hits = 0
    for n in range(1, MOST_WRITES + 1):
        log = tmp_path / f"log{n}"
        process = worker(start, log, "tests.faults.failing", kind, str(n))
        run_id = run_actions.submit(store, SHORT)
        run = assert_undisturbed(store, run_id, attempt=None)
        assert run.attempt == 1, f"write {n}: {log.read_text()}"
        process.terminate()
        process.wait(20)
        if FAILED not in log.read_text():
            break  # this run had fewer writes
        hits += 1
    assert hits >= (20 if kind == "statement" else 5)


@pytest.mark.slow
def test_artifact_folder_that_refuses_is_waited_for(
    store: Store, start: Start, tmp_path: Path
) -> None:
    """A run whose files cannot be written trains on, its page says what it waits for, and it goes on by itself."""
    log = tmp_path / "log"
    worker(start, log)
    run_id = run_actions.submit(store, LONG)
    folder = store.settings.artifact_dir / run_id[:2]
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("a file where the folder belongs")
    wait_until(
        lambda: "refuses a file" in store.run(run_id).reason, "the run says what it waits for"
    )
    run = store.run(run_id)
    assert run.state is RunState.RUNNING
    time.sleep(store.settings.lease_seconds + 1)  # the lease must have been renewed
    folder.unlink()
    assert_undisturbed(store, run_id)
    assert store.run(run_id).reason == "All 12 epochs are done."


@pytest.mark.slow
def test_damaged_checkpoint_costs_its_epochs_alone(
    store: Store, start: Start, tmp_path: Path
) -> None:
    """A run whose checkpoint was damaged goes back to the one before, and ends with the figures of an undisturbed run."""
    log = tmp_path / "log"
    first = worker(start, log)
    undisturbed = assert_undisturbed(store, run_actions.submit(store, LONG))
    run_id = run_actions.submit(store, LONG)
    wait_until(lambda: store.run(run_id).epoch >= 3, "three epochs")
    first.terminate()
    first.wait(20)
    epoch = store.run(run_id).epoch
    table = schema.artifacts
    newest = sa.select(table.c.path).where(
        table.c.run_id == run_id, table.c.kind == ArtifactKind.CHECKPOINT
    )
    with store.reading() as connection:
        path = store.settings.artifact_dir / connection.execute(newest).scalar_one()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    worker(start, log)
    run = assert_undisturbed(store, run_id, attempt=None)
    assert [
        event.epoch for event in events_of(store, run_id) if event.kind is EventKind.REWOUND
    ] == [epoch - 1]
    assert (run.test_loss, run.test_accuracy) == (undisturbed.test_loss, undisturbed.test_accuracy)


@pytest.mark.slow
def test_frozen_workers_never_use_a_progressing_run_up(
    store: Store, start: Start, environment: dict[str, str], tmp_path: Path
) -> None:
    """Deaths are counted since the last finished epoch: a run that makes progress each time is never given up."""
    environment["MNIST_DASH_MAX_ATTEMPTS"] = "2"
    config = LONG.model_copy(update={"epochs": 40})
    run_id = run_actions.submit(store, config)
    for _ in range(5):
        process = worker(start, tmp_path / "log")
        epoch = store.run(run_id).epoch
        wait_until(lambda epoch=epoch: store.run(run_id).epoch > epoch, "another epoch")  # type: ignore[misc]
        for one in [
            psutil.Process(process.pid),
            *psutil.Process(process.pid).children(recursive=True),
        ]:
            one.send_signal(signal.SIGSTOP)
    worker(start, tmp_path / "log")
    assert_undisturbed(store, run_id, attempt=None)


def test_fork_server_ends_with_its_worker(store: Store, start: Start, tmp_path: Path) -> None:
    """A worker that is killed leaves no process behind, whether or not it trains."""
    process = worker(start, tmp_path / "log")
    wait_until(lambda: len(store.workers()) == 1, "the worker")
    family = psutil.Process(process.pid).children(recursive=True)
    assert family
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_until(
        lambda: (
            not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in family)
        ),
        "they are gone",
        seconds=20,
    )


@pytest.mark.sqlite
def test_watchers_are_not_blocked_by_a_lock(store: Store, tmp_path: Path) -> None:
    """Readers go on while a writer holds the database: pages stay as they are."""
    with locked(store.settings.home / DATABASE_FILE):
        reader = threading.Thread(target=store.runs)
        reader.start()
        reader.join(30)
        assert not reader.is_alive()


@pytest.mark.slow
@pytest.mark.sqlite
def test_removed_database_is_noticed_and_waited_for(
    store: Store, start: Start, tmp_path: Path
) -> None:
    """A run goes on while the file is away; new work is refused with a sentence; and all is recorded when the file is back."""
    log = tmp_path / "log"
    worker(start, log)
    run_id = run_actions.submit(store, LONG)
    wait_until(lambda: store.run(run_id).epoch >= 1, "an epoch")
    database, away = store.settings.home / DATABASE_FILE, store.settings.home / "away.db"
    database.rename(away)
    wait_until(lambda: "is gone: it was removed or moved" in log.read_text(), "the worker notices")
    with pytest.raises(StoreUnavailable, match="Put it back"):
        run_actions.submit(store, SHORT)
    assert not database.exists(), "nobody makes an empty one in its place"
    time.sleep(store.settings.lease_seconds)  # the lease runs out meanwhile
    away.rename(database)
    assert_undisturbed(store, run_id)
