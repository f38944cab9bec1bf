"""Databases of every former schema version, kept as they were left, are brought up to date with all that they hold."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from mnist_dash.runs.store import artifacts, migrations, schema
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.places.identity import KEY
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.search.studies import study_store
from mnist_dash.settings import DATABASE_FILE, Settings
from tests.fixtures.databases.make import FOLDER, RECIPES, unpack
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.sqlite

Rows = dict[str, list[dict[str, Any]]]
TRAINED = ("version_4",)
"""The others train in `make test-all`."""
OPEN = """
import logging, os, signal, sys
import sqlalchemy as sa
from mnist_dash.runs.store.run_store import Store
from mnist_dash.settings import Settings
logging.basicConfig(level=logging.INFO)
"""
WAIT = "sys.stdin.readline()\n"
OPEN_AND_READ = (
    "store = Store.open(Settings.from_environment()); print(store.count()); store.close()\n"
)
DIE = """
n_left = int(os.environ["DIES_AFTER"])
@sa.event.listens_for(sa.Engine, "after_cursor_execute")
def die(connection, cursor, statement, *rest):
    global n_left
    n_left -= " alembic_version " in statement and "SELECT" not in statement
    if n_left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def settings(own_home: Path) -> Settings:
    """Settings of an installation that a former version has left."""
    return Settings.from_environment({"MNIST_DASH_HOME": str(own_home)})


def _rows(settings: Settings) -> Rows:
    """Read all rows of all tables as they lie in the file."""
    with contextlib.closing(sqlite3.connect(settings.home / DATABASE_FILE)) as connection:
        connection.row_factory = sqlite3.Row
        names = [
            row["name"]
            for row in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
            )
        ]
        return {
            name: [dict(row) for row in connection.execute(f'SELECT * FROM "{name}"')]  # noqa: S608 - from the file
            for name in names
        }


def differences(engine: sa.Engine) -> list[Any]:
    """Compare a database with the tables as the code has them; Alembic compares no keys, so they are compared here."""

    def is_ours(_object: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:  # noqa: ANN401, FBT001 - Alembic's
        return kind != "table" or name in schema.metadata.tables

    with engine.connect() as connection:
        options = {"include_object": is_ours, "compare_type": True, "compare_server_default": True}
        found = list(
            compare_metadata(MigrationContext.configure(connection, opts=options), schema.metadata)
        )
        inspector = sa.inspect(connection)
        for table in schema.metadata.sorted_tables:
            if table.name != "alembic_version":
                key = inspector.get_pk_constraint(table.name)["constrained_columns"]
                found += (
                    [] if set(key) == set(table.primary_key.columns.keys()) else [(table.name, key)]
                )
        return found


def start(settings: Settings, source: str, **environment: str) -> subprocess.Popen[str]:
    """Start a process that runs Python source after `OPEN`."""
    return subprocess.Popen(
        [sys.executable, "-c", OPEN + source],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ
        | {"MNIST_DASH_HOME": str(settings.home), "MNIST_DASH_DATABASE_URL": settings.database_url}
        | environment,
    )


def test_every_recipe_has_its_database() -> None:
    """No database is left out of these tests."""
    assert {path.name.removesuffix(".db.gz") for path in FOLDER.glob("*.db.gz")} == set(RECIPES)


def test_newest_step_is_todays_version(settings: Settings) -> None:
    """A version that is counted up has its step."""
    engine = schema.create_engine("sqlite://")
    with engine.connect() as connection:
        steps = ScriptDirectory.from_config(migrations.config_for(connection))
    assert [step.revision for step in steps.walk_revisions()] == [
        f"{n:04d}" for n in range(schema.SCHEMA_VERSION, 0, -1)
    ]


@pytest.mark.parametrize("name", RECIPES)
def test_every_row_is_kept(name: str, settings: Settings) -> None:
    """Each value of each former column of each table is what it was, beside what the versions count."""
    unpack(name, settings.home)
    before = _rows(settings)
    Store.open(settings).close()
    after = _rows(settings)
    for row in before["artifacts"]:
        if "part" in row:  # a column of its own before it was of the key
            row["part"] = row["part"] or ""
    for table in set(before) - {"meta", "dbos_migrations"}:
        assert [
            {column: row[column] for column in old}
            for old, row in zip(before[table], after[table], strict=True)
        ] == before[table]
    assert {row["key"]: row["value"] for row in after["meta"] if row["key"] != KEY} == {
        "schema_version": schema.SCHEMA_VERSION,
        "revision": next(row["value"] for row in before["meta"] if row["key"] == "revision"),
    }


@pytest.mark.parametrize("name", RECIPES)
def test_tables_are_todays(name: str, settings: Settings) -> None:
    """Whatever a database was born as, it has the tables, columns, indexes and keys that the code has."""
    unpack(name, settings.home)
    store = Store.open(settings)
    assert differences(store.engine) == []
    store.close()


def test_tables_of_a_new_database_are_those_of_the_steps(settings: Settings) -> None:
    """What is created at once today and what the steps make of nothing are the same."""
    store = Store.open(settings)
    assert differences(store.engine) == []
    store.close()
    engine = schema.create_engine("sqlite://")
    with engine.begin() as connection:
        command.upgrade(migrations.config_for(connection), "head")
    assert differences(engine) == []


@pytest.mark.parametrize("name", RECIPES)
def test_runs_and_studies_are_read(name: str, settings: Settings) -> None:
    """Runs, histories, artifacts and studies come back as the records that pages read."""
    unpack(name, settings.home)
    rows = _rows(settings)
    store = Store.open(settings)
    assert {run.id: run.state for run in store.runs()} == {
        row["id"]: row["state"] for row in rows["runs"]
    }
    for run in store.runs():
        history = store.history(run.id)
        assert list(history.epochs["epoch"]) == [
            row["epoch"] for row in rows["epochs"] if row["run_id"] == run.id
        ]
        points = b"".join(row["points"] for row in rows["step_chunks"] if row["run_id"] == run.id)
        assert history.steps.to_numpy("float64").tobytes() == points
    for row in rows["artifacts"]:
        assert artifacts.has(store, row["run_id"], ArtifactKind(row["kind"]), row.get("part") or "")
    found = study_store.all_studies(store)
    assert {study.id for study in found} == {row["id"] for row in rows.get("studies", [])}
    assert sum(len(study_store.trials(store, study.id)) for study in found) == len(
        rows.get("trials", [])
    )
    store.close()


@pytest.mark.parametrize("name", RECIPES)
def test_second_opening_changes_nothing(name: str, settings: Settings) -> None:
    """A database that is up to date is read and not written."""
    unpack(name, settings.home)
    Store.open(settings).close()
    once, file = _rows(settings), (settings.home / DATABASE_FILE).read_bytes()
    Store.open(settings).close()
    assert _rows(settings) == once
    assert (settings.home / DATABASE_FILE).read_bytes() == file


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in TRAINED else pytest.mark.slow) for name in RECIPES],
)
def test_queued_run_trains_to_its_end(name: str, settings: Settings) -> None:
    """What waited when the former version ended is trained by a real worker of today's, with all that it leaves."""
    unpack(name, settings.home)
    waiting = [row["id"] for row in _rows(settings)["runs"] if row["state"] == "queued"]
    command = [
        sys.executable,
        "-m",
        "mnist_dash",
        "worker",
        "--device",
        "cpu",
        "--threads",
        "1",
        "--exit-when-idle",
        "1",
    ]
    subprocess.run(
        command,
        check=True,
        env=os.environ | {"MNIST_DASH_HOME": str(settings.home)},
        capture_output=True,
        timeout=PATIENCE_SECONDS,
    )
    store = Store.open(settings)
    assert waiting
    for run_id in waiting:
        run = store.run(run_id)
        assert (run.state, run.epoch, run.reason) == (
            RunState.FINISHED,
            run.config.epochs,
            "All 2 epochs are done.",
        )
        assert len(store.history(run_id).epochs) == run.config.epochs
        assert artifacts.read(store, run_id, ArtifactKind.WEIGHTS)
    store.close()


@pytest.mark.parametrize("name", ["version_1_one_artifact_of_a_kind", "version_4_born_in_1"])
def test_processes_that_open_at_once_migrate_once(name: str, settings: Settings) -> None:
    """One goes through the steps, the others wait for it and find them done."""
    unpack(name, settings.home)
    n_runs = len(_rows(settings)["runs"])
    processes = [start(settings, WAIT + OPEN_AND_READ) for _ in range(2)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=PATIENCE_SECONDS) for process in processes]
    assert [out.strip() for out, _ in said] == [str(n_runs)] * 2, said
    assert sum("Running upgrade 0004 -> 0005" in error for _, error in said) == 1


@pytest.mark.parametrize("n_writes", [1, 3, 5])
def test_killed_migration_is_done_by_the_next_opening(n_writes: int, settings: Settings) -> None:
    """Killed after any step, a database is what it was before, and the next process takes all steps."""
    unpack("version_1_one_artifact_of_a_kind", settings.home)
    before = _rows(settings)
    process = start(settings, DIE + OPEN_AND_READ, DIES_AFTER=str(n_writes))
    assert process.wait(PATIENCE_SECONDS) == -signal.SIGKILL, process.communicate()
    process.communicate()
    assert _rows(settings) == before
    store = Store.open(settings)
    assert differences(store.engine) == []
    assert store.count() == len(before["runs"])
    store.close()


def test_todays_database_is_opened_without_alembic(settings: Settings) -> None:
    """Neither the first nor a later start of today's version waits for the import."""
    for _ in range(2):
        process = start(settings, OPEN_AND_READ + "print('alembic' in sys.modules)")
        assert process.communicate(timeout=PATIENCE_SECONDS)[0].split() == ["0", "False"]
