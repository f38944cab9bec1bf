"""A worker whose database fails once: python -m tests.faults.failing statement|commit N.

``statement N`` raises an input/output error of the disk instead of the N-th statement that writes; ``commit N`` carries the N-th writing
transaction out and says that it failed, as a server does that dies before it answers.
"""

from __future__ import annotations

import itertools
import logging
import sqlite3
import sys
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Engine

from mnist_dash.runs.execution.worker import Worker
from mnist_dash.settings import Settings

FAILED = "A write fails now."
WRITES = ("INSERT", "UPDATE", "DELETE", "BEGIN IMMEDIATE")


def _error() -> sqlite3.OperationalError:
    print(FAILED, file=sys.stderr, flush=True)
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR
    return error


def fail_statement(n: int) -> None:
    """Have the N-th writing statement of this process fail, without being carried out."""
    counted = itertools.count(1)

    @event.listens_for(Engine, "before_cursor_execute")
    def _fail(_connection: sa.Connection, _cursor: Any, statement: str, *_rest: Any) -> None:  # noqa: ANN401 - SQLAlchemy's signature
        if statement.startswith(WRITES) and next(counted) == n:
            raise sa.exc.OperationalError(statement, None, _error())


def fail_commit(n: int) -> None:
    """Have the N-th writing transaction of this process be carried out and reported as failed."""
    counted = itertools.count(1)

    @event.listens_for(Engine, "commit")
    def _fail(connection: sa.Connection) -> None:
        if not connection.get_execution_options().get("reading", False) and next(counted) == n:
            driver = connection.connection.dbapi_connection
            assert driver is not None
            driver.commit()
            raise sa.exc.OperationalError("COMMIT", None, _error())


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    {"statement": fail_statement, "commit": fail_commit}[sys.argv[1]](int(sys.argv[2]))
    Worker(Settings.from_environment(), device="cpu", n_threads=1).run()
