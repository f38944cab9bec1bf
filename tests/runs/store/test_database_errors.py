"""What drivers raise, raised for real, becomes the project's own exception with a sentence that says what to do."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.errors import MnistDashError, StorageFull, StoreError, StoreLocked
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.database_errors import (
    CONFLICT,
    DAMAGED,
    DISK,
    ENDED,
    FULL,
    LIMIT,
    LOCKED,
    NO_ACCESS,
    OTHER,
    READ_ONLY,
    UNREACHABLE,
    ErrorClass,
    class_of,
    classify_error,
)
from mnist_dash.runs.store.run_store import Store
from mnist_dash.settings import DATABASE_FILE, Settings
from tests import postgresql
from tests.waiting import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.sqlite

FIRST_ROW = "INSERT INTO drawings (label, pixels, strokes, created_at) VALUES (1, x'00', '', 0)"
LARGE_ROW = (
    "INSERT INTO drawings (label, pixels, strokes, created_at) VALUES (1, zeroblob(1000000), '', 0)"
)
WRITE_BEYOND_A_LIMIT = f"""
import resource, signal
from mnist_dash.errors import MnistDashError
from mnist_dash.runs.store.run_store import Store
from mnist_dash.settings import Settings
store = Store.open(Settings.from_environment())
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
try:
    with store.writing() as connection:
        connection.exec_driver_sql("{LARGE_ROW}")
except MnistDashError as error:
    print(type(error).__name__, error)
"""


def _locked(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "BUSY_TIMEOUT_SECONDS", 0.1)
    impatient = Store.open(store.settings)
    holder = sqlite3.connect(store.settings.home / DATABASE_FILE, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        run_actions.submit(impatient, RunConfig())
    finally:
        holder.close()
        impatient.close()


def _locked_when_opened(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "BUSY_TIMEOUT_SECONDS", 0.1)
    with contextlib.closing(
        sqlite3.connect(store.settings.home / DATABASE_FILE, isolation_level=None)
    ) as holder:
        holder.execute("BEGIN IMMEDIATE")
        Store.open(store.settings)


def _full(store: Store, _monkeypatch: pytest.MonkeyPatch) -> None:
    with store.writing() as connection:
        # SQLite takes the pages that there are.
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
        connection.exec_driver_sql(LARGE_ROW)


def _read_only(store: Store, _monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///file:{store.settings.home / DATABASE_FILE}?mode=ro&uri=true"
    opened = Store(
        replace(store.settings, database_url=url), schema.create_engine(url), store.queue_client
    )
    try:
        with opened.writing() as connection:
            connection.exec_driver_sql(FIRST_ROW)
    finally:
        opened.engine.dispose()


def _no_folder(store: Store, _monkeypatch: pytest.MonkeyPatch) -> None:
    Store.open(
        replace(
            store.settings,
            database_url=f"sqlite:///{store.settings.home / 'nowhere' / DATABASE_FILE}",
        )
    )


def _a_folder(store: Store, _monkeypatch: pytest.MonkeyPatch) -> None:
    Store.open(replace(store.settings, database_url=f"sqlite:///{store.settings.home}"))


def _no_database(store: Store, _monkeypatch: pytest.MonkeyPatch) -> None:
    file = store.settings.home / "letter.db"
    file.write_text("Dear sir or madam, " * 1000)
    Store.open(replace(store.settings, database_url=f"sqlite:///{file}"))


def _damaged(store: Store, _monkeypatch: pytest.MonkeyPatch) -> None:
    with store.writing() as connection:
        connection.exec_driver_sql(LARGE_ROW)
    with store.engine.connect() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    store.engine.dispose()
    file = store.settings.home / DATABASE_FILE
    with file.open("r+b") as damaged:
        damaged.seek(4096)
        damaged.write(b"\xaa" * 200_000)
    with store.reading() as connection:
        for table in schema.metadata.sorted_tables:
            connection.execute(sa.select(table)).all()


def _wrong_statement(store: Store, _monkeypatch: pytest.MonkeyPatch) -> None:
    with store.reading() as connection:
        connection.exec_driver_sql("SELECT nothing FROM nowhere")


def _wrong_arguments(store: Store, _monkeypatch: pytest.MonkeyPatch) -> None:
    with store.reading() as connection:
        connection.exec_driver_sql("SELECT ?", (1, 2))


@pytest.mark.parametrize(
    ("cause", "expected", "exception"),
    [
        (_locked, LOCKED, StoreLocked),
        (_locked_when_opened, LOCKED, StoreLocked),
        (_full, FULL, StorageFull),
        (_read_only, READ_ONLY, StoreError),
        (_no_folder, NO_ACCESS, StoreError),
        (_a_folder, NO_ACCESS, StoreError),
        (_no_database, DAMAGED, StoreError),
        (_damaged, DAMAGED, StoreError),
        (_wrong_statement, OTHER, StoreError),
        (_wrong_arguments, OTHER, StoreError),
    ],
)
def test_error_of_sqlite_is_classified(
    cause: Callable[[Store, pytest.MonkeyPatch], None],
    expected: ErrorClass,
    exception: type[MnistDashError],
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each class is met as a person would meet it, and the message names the database and the remedy."""
    with pytest.raises(MnistDashError) as caught:
        cause(store, monkeypatch)
    assert type(caught.value) is exception
    message = str(caught.value)
    assert message.startswith(expected.what.partition("{")[0])
    assert message.endswith(expected.remedy)
    assert str(store.settings.home) in message
    assert isinstance(caught.value.__cause__, sa.exc.DBAPIError)


def test_disk_that_refuses_a_write_is_classified(settings: Settings) -> None:
    """The system refuses to let the file grow, which SQLite calls a disk I/O error."""
    environment = os.environ | {"MNIST_DASH_HOME": str(settings.home)}
    said = subprocess.run(
        [sys.executable, "-c", WRITE_BEYOND_A_LIMIT],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.startswith(f"StorageFull {DISK.what} (disk I/O error; sqlite:///")


@pytest.fixture
def engine(server: postgresql.Server) -> Iterator[sa.Engine]:
    """A database with two rows."""
    opened = sa.create_engine(server.new_database())
    with opened.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE pair (id integer PRIMARY KEY, value integer)")
        connection.exec_driver_sql("INSERT INTO pair VALUES (1, 0), (2, 0)")
    yield opened
    opened.dispose()


def _classified(cause: Callable[[], object]) -> tuple[str | None, ErrorClass]:
    """Give the `sqlstate` of what a cause raises, and its class."""
    with pytest.raises(sa.exc.DBAPIError) as caught:
        cause()
    return getattr(caught.value.orig, "sqlstate", None), class_of(caught.value)


def _deadlock(engine: sa.Engine) -> sa.exc.DBAPIError:
    """Let two transactions take two rows in opposite orders; the server ends one of them."""
    both_have_one, raised = threading.Barrier(2), list[sa.exc.DBAPIError]()
    change = sa.text("UPDATE pair SET value = 1 WHERE id = :id")

    def take(first: int, second: int) -> None:
        try:
            with engine.begin() as connection:
                connection.execute(change, {"id": first})
                both_have_one.wait(PATIENCE_SECONDS)
                connection.execute(change, {"id": second})
        except sa.exc.DBAPIError as error:
            raised.append(error)

    threads = [threading.Thread(target=take, args=order) for order in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (error,) = raised
    return error


def test_deadlock_is_a_conflict(engine: sa.Engine) -> None:
    """Whoever was ended may try again."""
    error = _deadlock(engine)
    assert getattr(error.orig, "sqlstate", None) == "40P01"
    assert class_of(error) is CONFLICT


def test_serialisation_failure_is_a_conflict(engine: sa.Engine) -> None:
    """Of two serialisable transactions that change what the other has read, the second fails."""
    serialisable = engine.execution_options(isolation_level="SERIALIZABLE")
    with serialisable.connect() as first, serialisable.connect() as second:
        first.exec_driver_sql("SELECT sum(value) FROM pair")
        second.exec_driver_sql("SELECT sum(value) FROM pair")
        first.exec_driver_sql("UPDATE pair SET value = 1 WHERE id = 1")
        first.commit()
        found = _classified(
            lambda: second.exec_driver_sql("UPDATE pair SET value = 2 WHERE id = 1")
        )
    assert found == ("40001", CONFLICT)


def test_row_that_another_holds_is_locked(engine: sa.Engine) -> None:
    """A lock that is not waited for."""
    with engine.begin() as holder, engine.connect() as other:
        holder.exec_driver_sql("UPDATE pair SET value = 1")
        found = _classified(lambda: other.exec_driver_sql("SELECT * FROM pair FOR UPDATE NOWAIT"))
    assert found == ("55P03", LOCKED)


def test_read_only_server_is_read_only(engine: sa.Engine) -> None:
    """A transaction in which the server lets nobody write."""
    with engine.connect() as connection:
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        assert _classified(lambda: connection.exec_driver_sql("UPDATE pair SET value = 1")) == (
            "25006",
            READ_ONLY,
        )


def test_connection_that_an_administrator_ends_has_ended(engine: sa.Engine) -> None:
    """As on a restart of the server."""
    with engine.connect() as connection, engine.connect() as administrator:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        administrator.exec_driver_sql(f"SELECT pg_terminate_backend({pid}, 10000)")
        assert _classified(lambda: connection.exec_driver_sql("SELECT 1")) == ("57P01", ENDED)


def test_limit_of_the_server_is_one(engine: sa.Engine) -> None:
    """A sort that needs more room than the server grants."""
    with engine.connect() as connection:
        connection.exec_driver_sql("SET temp_file_limit = '64kB'")
        connection.exec_driver_sql("SET work_mem = '64kB'")
        found = _classified(
            lambda: connection.exec_driver_sql(
                "SELECT g FROM generate_series(1, 100000) g ORDER BY -g"
            ).all()
        )
    assert found == ("53400", LIMIT)


def test_server_that_is_not_there_is_unreachable(server: postgresql.Server, tmp_path: Path) -> None:
    """No socket, nobody at the port, no such database: no connection comes about."""
    nobody = "postgresql+psycopg://nobody:secret@127.0.0.1:1/none"
    for url in (f"postgresql+psycopg://nobody@/none?host={tmp_path}", nobody, server.url("nosuch")):
        assert _classified(sa.create_engine(url).connect)[1] is UNREACHABLE
    with pytest.raises(StoreError, match=UNREACHABLE.what) as caught, classify_error(nobody):
        sa.create_engine(nobody).connect()
    assert "secret" not in str(caught.value)


def test_killed_server_is_unreachable(server: postgresql.Server) -> None:
    """A connection that breaks without a word; the server starts again by itself."""
    opened = sa.create_engine(server.new_database())
    with opened.connect() as connection:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        os.kill(pid, signal.SIGKILL)
        assert _classified(lambda: connection.exec_driver_sql("SELECT 1")) == (None, UNREACHABLE)

    def answers() -> bool:
        with contextlib.suppress(sa.exc.OperationalError), opened.connect():
            return True
        return False

    wait_until(answers, "the server has started again")
    opened.dispose()
