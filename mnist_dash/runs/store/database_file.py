"""SQLite's file: where it lies, a copy of it, and whether it was removed or replaced while it was open.

SQLite itself writes on into a file that has no name any more, and all of it is gone when the process ends
(https://www.sqlite.org/howtocorrupt.html, section 1.4).
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from mnist_dash.errors import StoreError, StoreUnavailable


def sqlite_file(url: str) -> Path | None:
    """Say where a SQLite database lies; None where the database is a server, or is opened in a way of its own."""
    made = sa.make_url(url)
    is_file = made.get_backend_name() == "sqlite" and made.database and not made.query
    return Path(made.database) if is_file and made.database else None


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy a SQLite database as it is at one moment, also while others write it.

    Raises:
        StoreError: it cannot be read, or the copy cannot be written.
    """
    try:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=30)) as reading,
            closing(sqlite3.connect(target)) as writing,
        ):
            reading.backup(writing)
            writing.execute("PRAGMA journal_mode=DELETE")  # one file, with nothing beside it
    except sqlite3.Error as error:
        raise StoreError(
            f"The database {source} cannot be copied: {error}. `mnist-dash doctor` looks closer."
        ) from error


class DatabaseFile:
    """The file that a process has open, or nothing where the database is a server."""

    def __init__(self, url: str) -> None:
        self._path = sqlite_file(url)
        self._identity = self._look()

    def check(self) -> None:
        """Check that the name still means the file that is open.

        Raises:
            StoreUnavailable: it does not. Putting the file back helps, and nothing has been written elsewhere.
        """
        if self._path is None:
            return
        found = self._look()
        if found != self._identity:
            what = (
                "is gone: it was removed or moved"
                if found is None
                else "was replaced by another file"
            )
            raise StoreUnavailable(
                f"The database file {self._path} {what} while it was in use. Put it back, or restore a backup and start everything anew; "
                "what is in training goes on meanwhile."
            )

    def _look(self) -> tuple[int, int] | None:
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino
