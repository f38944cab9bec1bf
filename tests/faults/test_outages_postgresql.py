"""A PostgreSQL server that stops, and processes that start at once on an empty one."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.layers import Dense, Flatten
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.run_store import Store, bump_revision, transition, update
from mnist_dash.runs.store.states import RunState
from mnist_dash.search.actions import steering
from mnist_dash.search.definition.study_files import parse_study
from mnist_dash.search.engine.study_runner import MODULE
from mnist_dash.search.studies import study_store
from mnist_dash.search.studies.records import StudyState
from mnist_dash.settings import Settings
from tests import postgresql
from tests.faults.outcomes import assert_whole, wait_for_end
from tests.source_tree import ROOT
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
Start = Callable[..., subprocess.Popen[bytes]]
LONG = RunConfig(
    layers=(Flatten(), Dense(units=128), Dense(units=10, activation="softmax")),
    batch_size=64,
    epochs=12,
)
STUDY = """
name: rates
base: mlp_quick
set: {epochs: 2, split.fraction: 0.9, batch_size: 256, early_stopping: none}
space: {optimizer.learning_rate: [0.001, 0.003, 0.01, 0.03]}
sampler: grid
parallelism: 2
"""


@pytest.fixture(scope="module")
def server() -> Iterator[postgresql.Server]:
    """A server that these tests may stop."""
    with postgresql.server() as started:
        if started.given is not None:
            pytest.skip("the given server cannot be stopped")
        yield started


@pytest.fixture
def settings(server: postgresql.Server, tmp_path: Path) -> Settings:
    """Settings of a new database on it."""
    url = server.new_database()
    return Settings.from_environment(
        {
            "MNIST_DASH_HOME": str(tmp_path),
            "MNIST_DASH_DATABASE_URL": url,
            "MNIST_DASH_LEASE_SECONDS": "3",
            "MNIST_DASH_THREADS": "1",
        }
    )


def logged(start: Start, log: Path, *module: str) -> subprocess.Popen[bytes]:
    """Start a process that writes its log to a file."""
    with log.open("wb") as file:
        return start(*module, stderr=file, stdout=file)


@pytest.mark.parametrize("seconds", [5, 40])
def test_stopped_server_costs_nothing(
    server: postgresql.Server, store: Store, start: Start, tmp_path: Path, seconds: float
) -> None:
    """Two workers and a study runner outlive a server that crashes and comes back; no attempt is lost, and no process ends."""
    logs = [tmp_path / f"log{index}" for index in range(3)]
    worker = ("mnist_dash", "worker", "--threads", "1")
    processes = [
        logged(start, log, *module)
        for log, module in zip(logs, (worker, worker, (MODULE,)), strict=True)
    ]
    study = steering.create(store, parse_study(STUDY))
    ids = [run_actions.submit(store, LONG.model_copy(update={"seed": seed})) for seed in (1, 2)]
    wait_until(lambda: len(store.runs(states=[RunState.RUNNING])) == 2, "both train")
    server.stop()
    time.sleep(seconds)  # the length of the outage is what is tested
    server.start()
    for run_id in ids:
        assert_whole(store, wait_for_end(store, run_id))
    wait_until(
        lambda: study_store.find(store, study).state is StudyState.FINISHED, "the study ends"
    )
    assert len(study_store.trials(store, study)) == 4
    assert all(run.attempt == 1 for run in store.runs())
    assert [process.poll() for process in processes] == [None, None, None]
    assert "Traceback" not in "".join(log.read_text() for log in logs)


def test_worker_waits_for_a_server_that_is_not_there_yet(
    server: postgresql.Server, settings: Settings, start: Start, tmp_path: Path
) -> None:
    """A worker that starts before its database says so once, and takes runs when it is there."""
    server.stop()
    log = tmp_path / "log"
    process = logged(start, log, "mnist_dash", "worker", "--threads", "1")
    wait_until(lambda: "cannot be reached" in log.read_text(), "it says what it waits for")
    server.start()
    store = Store.open(settings)
    try:
        wait_until(lambda: len(store.workers()) == 1, "it signs on")
        assert process.poll() is None
        assert log.read_text().count("cannot be reached") == 1
    finally:
        store.close()


OPEN = """
from mnist_dash.runs.store.run_store import Store
from mnist_dash.settings import Settings
Store.open(Settings.from_environment()).close()
"""


def test_processes_that_start_at_once_share_an_empty_database(
    settings: Settings, environment: dict[str, str]
) -> None:
    """One of them makes the tables, the others wait for it."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN],
            env=environment,
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    answers = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [0] * 4, answers


def test_study_and_worker_never_wait_for_each_other(store: Store) -> None:
    """A study that ends a run beside the worker that reports it: whichever order they write in, neither is a deadlock's victim."""
    run_id = run_actions.submit(store, LONG)
    with store.writing() as connection:
        transition(connection, run_id, RunState.RUNNING, attempt=1)
    failures: list[BaseException] = []

    def write(*, first: str) -> None:
        try:
            for _ in range(150):
                with store.writing() as connection:
                    if first == "revision":
                        bump_revision(connection)
                        update(connection, run_id, stop_requested=False)
                    else:
                        update(connection, run_id, held_by=1, step=1)
                        connection.execute(schema.workers.update().values(seen_at=0))
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            failures.append(error)

    threads = [
        threading.Thread(target=write, kwargs={"first": first})
        for first in ("revision", "run", "revision", "run")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
