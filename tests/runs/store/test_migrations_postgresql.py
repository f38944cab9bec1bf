"""The same databases on PostgreSQL: their tables and rows as the former version would have had them there, brought up to date."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.settings import DATABASE_FILE, Settings
from tests import postgresql
from tests.fixtures.databases.make import RECIPES, unpack
from tests.runs.store.test_migrations import OPEN_AND_READ, WAIT, differences, start
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.sqlite

QUICK = RunConfig(epochs=1, batch_size=500, device="cpu")


@pytest.fixture
def settings(own_home: Path, server: postgresql.Server) -> Settings:
    """Settings of an installation with an empty database."""
    return Settings.from_environment(
        {"MNIST_DASH_HOME": str(own_home), "MNIST_DASH_DATABASE_URL": server.new_database()}
    )


def _move(name: str, settings: Settings) -> dict[str, int]:
    """Make a former database on PostgreSQL, the queue's own tables left out, and count the rows of each table of runs and studies."""
    unpack(name, settings.home)
    source, target = (
        sa.create_engine(f"sqlite:///{settings.home / DATABASE_FILE}"),
        sa.create_engine(settings.database_url),
    )
    tables = sa.MetaData()
    tables.reflect(source, only=lambda table, _: table in schema.metadata.tables)
    for table in tables.sorted_tables:
        for column in table.columns:
            column.type = column.type.as_generic()
    tables.create_all(target)
    counted = {}
    with source.connect() as reading, target.begin() as writing:
        for table in tables.sorted_tables:
            rows = [dict(row) for row in reading.execute(sa.select(table)).mappings()]
            counted[table.name] = len(rows)
            if rows:
                writing.execute(table.insert(), rows)
            if "id" in table.columns and isinstance(table.columns["id"].type, sa.Integer):
                writing.exec_driver_sql(f"SELECT setval('{table.name}_id_seq', {len(rows) + 1})")
    source.dispose()
    target.dispose()
    # Opening adds who the store is.
    return {table: n_rows for table, n_rows in counted.items() if table != "meta"}


@pytest.mark.parametrize("name", RECIPES)
def test_every_database_is_brought_up_to_date(name: str, settings: Settings) -> None:
    """Tables, keys and rows are there, and a second opening finds nothing to do."""
    counted = _move(name, settings)
    for _ in range(2):
        store = Store.open(settings)
        assert differences(store.engine) == []
        with store.reading() as connection:
            for table, n_rows in counted.items():
                assert (
                    connection.execute(
                        sa.select(sa.func.count()).select_from(schema.metadata.tables[table])
                    ).scalar_one()
                    == n_rows
                )
        assert len(store.runs()) == counted["runs"]
        store.close()


def test_new_database_is_that_of_the_code(settings: Settings) -> None:
    """An empty database gets today's tables."""
    store = Store.open(settings)
    assert differences(store.engine) == []
    store.close()


@pytest.mark.parametrize("name", [None, "version_1_one_artifact_of_a_kind"])
def test_processes_that_open_at_once_migrate_once(name: str | None, settings: Settings) -> None:
    """A dashboard, a worker and a study runner that start together: one creates or upgrades the tables, the others wait."""
    n_runs = 0 if name is None else _move(name, settings)["runs"]
    processes = [start(settings, WAIT + OPEN_AND_READ) for _ in range(3)]
    said = [process.communicate("go\n", timeout=PATIENCE_SECONDS) for process in processes]
    assert [out.strip() for out, _ in said] == [str(n_runs)] * 3, said
    assert sum("Running upgrade 0004 -> 0005" in error for _, error in said) == (
        0 if name is None else 1
    )


@pytest.mark.slow
def test_run_is_trained_in_an_upgraded_database(settings: Settings) -> None:
    """A worker of today's trains a run to its end in a database of the first version."""
    _move("version_1_one_artifact_of_a_kind", settings)
    store = Store.open(settings)
    run_id = run_actions.submit(store, QUICK)
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
    environment = {
        "MNIST_DASH_HOME": str(settings.home),
        "MNIST_DASH_DATABASE_URL": settings.database_url,
    }
    subprocess.run(
        command,
        check=True,
        env=os.environ | environment,
        capture_output=True,
        timeout=PATIENCE_SECONDS,
    )
    assert store.run(run_id).state is RunState.FINISHED
    store.close()
