"""Turn what a database driver raises into the project's own exceptions, by SQLite's error code and PostgreSQL's `sqlstate`.

Sources: https://www.sqlite.org/rescode.html, and appendix A of PostgreSQL's manual, "PostgreSQL Error Codes".
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from mnist_dash.errors import MnistDashError, StorageFull, StoreError, StoreLocked, StoreUnavailable
from mnist_dash.redaction import redact
from mnist_dash.runs.store import schema


@dataclass(frozen=True)
class ErrorClass:
    """What errors of one class mean to whoever meets them."""

    exception: type[MnistDashError]
    what: str
    remedy: str


LOCKED = ErrorClass(
    StoreLocked,
    "The database was locked for more than {seconds} s by another process",
    "Close what else has it open (a backup, a database browser) and try again.",
)
CONFLICT = ErrorClass(
    StoreLocked,
    "Another process changed the same rows of the database at the same time",
    "Try again.",
)
FULL = ErrorClass(
    StorageFull,
    "The disk is full: the database cannot be written",
    "Free some space and try again.",
)
DISK = ErrorClass(
    StorageFull,
    "The disk reported an error: the database cannot be read or written",
    "Check the disk and its free space, then try again.",
)
READ_ONLY = ErrorClass(
    StoreError,
    "The database is read-only",
    "Let this user write the file and its folder, or set MNIST_DASH_HOME to a folder that can be written.",
)
NO_ACCESS = ErrorClass(
    StoreError,
    "The database cannot be opened",
    "Check that its folder exists and that this user may read and write it, or set MNIST_DASH_HOME to another.",
)
DAMAGED = ErrorClass(
    StoreError,
    "The database file is damaged, or is no database",
    "Restore it from a backup, or set MNIST_DASH_HOME to another folder; `python -m mnist_dash doctor` looks closer.",
)
UNREACHABLE = ErrorClass(
    StoreUnavailable,
    "The database server cannot be reached, or refuses the connection",
    "Check that it runs, and the host, user and database in MNIST_DASH_DATABASE_URL.",
)
REFUSED = ErrorClass(
    StoreError,
    "The database server refuses this user or has no such database",
    "Check the host, user and database in MNIST_DASH_DATABASE_URL.",
)
ENDED = ErrorClass(
    StoreUnavailable,
    "The database server ended the connection or is just starting",
    "Try again when it runs.",
)
LIMIT = ErrorClass(
    StoreUnavailable,
    "The database server has reached a limit of its own (connections, memory, temporary files)",
    "Raise the limit, or run fewer workers, and try again.",
)
OTHER = ErrorClass(
    StoreError, "The database reported an error", "Run `python -m mnist_dash doctor`."
)

SQLITE_CLASSES = {
    sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_LOCKED: LOCKED,
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_IOERR: DISK,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: NO_ACCESS,
    sqlite3.SQLITE_PERM: NO_ACCESS,
    sqlite3.SQLITE_AUTH: NO_ACCESS,
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
}
"""By primary result code, the lowest eight bits of an extended one."""
POSTGRESQL_CLASSES = {
    "08": UNREACHABLE,
    "25006": READ_ONLY,  # read_only_sql_transaction: a standby, or default_transaction_read_only
    "28": REFUSED,
    "3D000": REFUSED,  # invalid_catalog_name: there is no such database
    "40001": CONFLICT,  # serialization_failure
    "40P01": CONFLICT,  # deadlock_detected
    "53": LIMIT,
    "53100": FULL,  # disk_full
    "55P03": LOCKED,  # lock_not_available
    "57P": ENDED,  # admin_shutdown, crash_shutdown, cannot_connect_now and the like
    "58030": DISK,  # io_error
    "XX001": DAMAGED,  # data_corrupted
    "XX002": DAMAGED,  # index_corrupted
}
"""By `sqlstate`, or by what it begins with; the longest that fits counts."""

_failures: Counter[str] = Counter()


_NO_URL = (
    "MNIST_DASH_DATABASE_URL is no database URL. Write postgresql+psycopg://USER:PASSWORD@HOST/DATABASE, with signs other than letters "
    "and digits in the password percent-encoded."
)


@contextmanager
def classify_error(url: str) -> Iterator[None]:
    """Raise the project's own exception in place of a database driver's.

    Args:
        url: of the database, for the message, without its password.

    Raises:
        StoreLocked: another process holds the database, or was faster; trying again helps.
        StoreUnavailable: it does not answer now, for another reason; waiting helps.
        StorageFull: its disk is full or fails.
        StoreError: anything else.
    """
    try:
        yield
    except sa.exc.DBAPIError as error:
        found = class_of(error)
        what = found.what.format(seconds=schema.BUSY_TIMEOUT_SECONDS)
        _failures[found.exception.__name__] += 1
        raise found.exception(
            redact(f"{what} ({_first_line(error)}; {url}). {found.remedy}")
        ) from error


def check_url(url: str) -> None:
    """Check that a URL is one of a database that can be used.

    Raises:
        StoreError: it is none; the message has nothing of it, as any part may be the password.
    """
    try:
        sa.make_url(url).get_dialect().import_dbapi()
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ValueError, ImportError):
        raise StoreError(_NO_URL) from None


def failures() -> dict[str, int]:
    """Count what the database refused this process so far, by the name of the exception that was raised for it."""
    return dict(_failures)


def class_of(error: sa.exc.DBAPIError) -> ErrorClass:
    """Find the class of what a driver raised."""
    if isinstance(error.orig, sqlite3.Error):
        # Errors of the driver itself have none.
        code = getattr(error.orig, "sqlite_errorcode", None)
        return OTHER if code is None else SQLITE_CLASSES.get(code & 0xFF, OTHER)
    state = getattr(error.orig, "sqlstate", None)
    if state is None:  # the server said nothing: no connection came about, or it broke
        return UNREACHABLE if isinstance(error, sa.exc.OperationalError) else OTHER
    return next(
        (
            POSTGRESQL_CLASSES[state[:n]]
            for n in range(len(state), 1, -1)
            if state[:n] in POSTGRESQL_CLASSES
        ),
        OTHER,
    )


def _first_line(error: sa.exc.DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]
