"""Notices that SQLite's file was removed or replaced while it was open.

SQLite itself writes on into a file that has no name any more, and all of it is gone when the process ends
(https://www.sqlite.org/howtocorrupt.html, section 1.4).
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from mnist_dash.errors import StoreUnavailable


class DatabaseFile:
    """The file that a process has open, or nothing where the database is a server."""

    def __init__(self, url: str) -> None:
        made = sa.make_url(url)
        name = made.database if made.get_backend_name() == "sqlite" and not made.query else None
        self._path = Path(name) if name else None
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
            what = "is gone: it was removed or moved" if found is None else "was replaced by another file"
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
