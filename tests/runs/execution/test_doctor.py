"""The doctor finds what was really broken, says what to do, and changes nothing."""

from __future__ import annotations

import os
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.data.archives import MNIST_ARCHIVES, mnist_folder
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.execution import doctor
from mnist_dash.runs.execution.doctor import ORPHAN_SECONDS, Check, Verdict, examine_store
from mnist_dash.runs.execution.repair import repair
from mnist_dash.runs.store import artifacts, schema
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.engine import Job
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.settings import DATABASE_FILE, Settings
from tests.runs.conftest import new_worker
from tests.trained import train_into


def _of(checks: tuple[Check, ...], subject: str) -> list[Check]:
    return [check for check in checks if check.subject == subject]


def _only(checks: tuple[Check, ...], subject: str) -> Check:
    (check,) = _of(checks, subject)
    return check


def _store_file(store: Store, content: bytes) -> Path:
    """Leave a file as a run would, and return where it lies."""
    run_id = run_actions.submit(store, RunConfig())
    file = artifacts.write(store.settings, run_id, ArtifactKind.WEIGHTS, content)
    with store.writing() as connection:
        artifacts.record(connection, run_id, ArtifactKind.WEIGHTS, file, epoch=1)
    return store.settings.artifact_dir / file.path


def test_new_installation_is_well(settings: Settings) -> None:
    """Nothing is there yet, nothing is wrong, and nothing is made by looking."""
    fresh = replace(
        settings,
        home=settings.home / "fresh",
        database_url=f"sqlite:///{settings.home / 'fresh' / DATABASE_FILE}",
    )
    (check,) = examine_store(fresh)
    assert (check.subject, check.verdict) == ("database", Verdict.OK)
    assert not fresh.home.exists()


def test_used_store_is_well(store: Store) -> None:
    """A store with files, a waiting run and a living worker has nothing but good verdicts."""
    _store_file(store, b"weights")
    new_worker(store, "worker-1", pid=os.getpid())
    checks = examine_store(store.settings)
    assert {check.subject for check in checks} == {"database", "artifacts", "queue", "workers"}
    assert [check for check in checks if check.verdict is not Verdict.OK] == []
    assert "1 file " in _only(checks, "artifacts").finding
    assert "worker-1" in _only(checks, "workers").finding


def test_flipped_bit_is_found(store: Store) -> None:
    """One bit of one file is enough; the file is named."""
    path = _store_file(store, b"weights")
    path.write_bytes(b"weighus")
    check = _only(examine_store(store.settings), "artifacts")
    assert check.verdict is Verdict.PROBLEM
    assert str(path) in check.finding
    assert check.remedy


def test_missing_file_is_found(store: Store) -> None:
    """A file that its row names and the disk has not is a problem."""
    _store_file(store, b"weights").unlink()
    assert _only(examine_store(store.settings), "artifacts").verdict is Verdict.PROBLEM


def test_many_damaged_files_are_counted(store: Store) -> None:
    """Some are named, all are counted."""
    for number in range(doctor.N_NAMED + 2):
        _store_file(store, b"%d" % number).unlink()
    assert "And 2 more." in _only(examine_store(store.settings), "artifacts").finding


def test_file_of_no_run_is_found_when_old(store: Store) -> None:
    """A leftover is a warning once it is too old to be just written."""
    leftover = store.settings.artifact_dir / "ab" / "weights.tmp"
    leftover.parent.mkdir()
    leftover.write_bytes(b"half")
    assert [check.verdict for check in _of(examine_store(store.settings), "artifacts")] == [
        Verdict.OK
    ]
    old = time.time() - doctor.ORPHAN_SECONDS - 60
    os.utime(leftover, (old, old))
    assert [check.verdict for check in _of(examine_store(store.settings), "artifacts")] == [
        Verdict.OK,
        Verdict.WARNING,
    ]
    assert leftover.exists()


@pytest.mark.sqlite
def test_damaged_database_is_found(store: Store) -> None:
    """A page of the file overwritten with nonsense is a problem, not a traceback."""
    for _ in range(60):
        run_actions.submit(store, RunConfig())
    store.close()
    file = store.settings.home / DATABASE_FILE
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    size = file.stat().st_size
    with file.open("r+b") as damaged:
        damaged.seek(size // 2)
        damaged.write(b"\xaa" * (size // 4))
    checks = examine_store(store.settings)
    assert _only(checks, "database").verdict is Verdict.PROBLEM
    assert _only(checks, "database").remedy


@pytest.mark.sqlite
def test_file_that_is_no_database_is_found(settings: Settings) -> None:
    """Something else under the database's name is a problem, and stays as it is."""
    file = settings.home / DATABASE_FILE
    file.write_bytes(b"a diary, not a database" * 100)
    (check,) = examine_store(settings)
    assert check.verdict is Verdict.PROBLEM
    assert str(file) in check.finding
    assert file.read_bytes().startswith(b"a diary")


def test_newer_database_is_found(store: Store) -> None:
    """A database of a later version is refused with what to do."""
    with store.writing() as connection:
        connection.execute(
            schema.meta.update().where(schema.meta.c.key == "schema_version").values(value=99)
        )
    (check,) = examine_store(store.settings)
    assert check.verdict is Verdict.PROBLEM
    assert "99" in check.finding


def test_waiting_run_without_worker_is_a_warning(store: Store) -> None:
    """Somebody has to start a worker, and is told how."""
    run_actions.submit(store, RunConfig())
    check = _only(examine_store(store.settings), "queue")
    assert check.verdict is Verdict.WARNING
    assert "python -m mnist_dash worker" in check.remedy


def test_run_without_job_is_a_problem(store: Store) -> None:
    """A queued run that no job stands for would wait for ever; repairing gives it one."""
    run_id = run_actions.submit(store, RunConfig())
    store.queue_client.cancel(Job(run_id, 1))
    check = next(
        check
        for check in _of(examine_store(store.settings), "queue")
        if check.verdict is Verdict.PROBLEM
    )
    assert run_id in check.finding
    assert "doctor --repair" in check.remedy
    assert repair(store) == ["Gave 1 queued run a new job."]
    assert [
        check
        for check in _of(examine_store(store.settings), "queue")
        if check.verdict is Verdict.PROBLEM
    ] == []
    assert repair(store) == []


def test_files_of_no_run_are_repaired_away(store: Store) -> None:
    """What a crash left in the artifact folder is removed, unless it was written just now; files of runs stay."""
    run = train_into(store)
    folder = store.settings.artifact_dir / "ab" / "abandoned"
    folder.mkdir(parents=True)
    old, new = folder / "old.safetensors", folder / "new.safetensors"
    for path in (old, new):
        path.write_bytes(b"nobody's")
    os.utime(old, (time.time() - 2 * ORPHAN_SECONDS,) * 2)
    assert repair(store) == ["Removed 1 file of no run, 8 bytes."]
    assert (old.exists(), new.exists()) == (False, True)
    assert artifacts.read(store, run.id, ArtifactKind.WEIGHTS)


def test_run_of_a_dead_worker_is_found(store: Store) -> None:
    """A lease that has run out is reported with the run."""
    run_id = run_actions.submit(store, RunConfig())
    assert new_worker(store, "worker-1", pid=os.getpid()).claim(Job(run_id, 1)) is not None
    with store.writing() as connection:
        connection.execute(
            sa.update(schema.runs)
            .where(schema.runs.c.id == run_id)
            .values(lease_until=schema.now() - 1)
        )
    check = next(
        check for check in _of(examine_store(store.settings), "queue") if run_id in check.finding
    )
    assert check.verdict is Verdict.WARNING
    assert store.run(run_id).state is RunState.RUNNING


def test_too_many_threads_are_a_warning(store: Store) -> None:
    """Workers of this machine that together have more threads than allowed are named."""
    settings = replace(store.settings, n_threads=1)
    for name in ("one", "two"):
        new_worker(store, name, pid=os.getpid())
    with store.writing() as connection:
        connection.execute(sa.update(schema.workers).values(host=os.uname().nodename))
    assert _only(examine_store(settings), "workers").verdict is Verdict.WARNING


def test_damaged_archive_is_found(settings: Settings) -> None:
    """An archive in the data folder that is not what it should be is a problem, with both hashes."""
    folder = mnist_folder(settings.data_dir)
    folder.mkdir(parents=True)
    (folder / f"{MNIST_ARCHIVES[2].name}.gz").write_bytes(b"gone")
    check = doctor._data(settings)
    assert check.verdict is Verdict.PROBLEM
    assert MNIST_ARCHIVES[2].md5_packed in check.finding


@pytest.mark.parametrize(
    ("factor", "verdict"), [(2.0, Verdict.PROBLEM), (0.5, Verdict.WARNING), (0.0, Verdict.OK)]
)
def test_full_disk_is_found(settings: Settings, factor: float, verdict: Verdict) -> None:
    """Too little room is a problem, little room a warning."""
    free = os.statvfs(settings.home).f_bavail * os.statvfs(settings.home).f_frsize
    check = doctor._disk(replace(settings, min_free_bytes=int(free * factor)))
    assert check.verdict is verdict
    assert bool(check.remedy) == (verdict is not Verdict.OK)


def test_machine_is_described(settings: Settings) -> None:
    """Processor, threads, torch and devices stand in the report, and this machine can train."""
    checks = doctor.examine_machine(settings)
    assert [check.subject for check in checks] == ["data", "disk", "processor", "torch"]
    assert "torchvision" in _only(checks, "torch").finding
    assert all(check.verdict is not Verdict.PROBLEM for check in checks)


def test_more_threads_than_cores_is_a_warning(settings: Settings) -> None:
    """Threads beyond the cores make training slower; the setting is named."""
    check = doctor._processor(replace(settings, n_threads=1024))
    assert check.verdict is Verdict.WARNING
    assert "MNIST_DASH_THREADS" in check.remedy
