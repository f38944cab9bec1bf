"""A folder of this machine, or one that several machines mount."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from mnist_dash.runs.store.places.place import MARKER, Place, PlaceAway, PlacedFile


class Folder(Place):
    """Files below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = str(folder)

    def prepare(self) -> None:
        """Make the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def write(self, path: str, content: bytes) -> None:
        """Write a file beside its name first; it gets its name when it is complete and on the disk."""
        self._check_is_there()
        final = self.folder / path
        temporary = final.with_suffix(".tmp")
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(final)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise

    def read(self, path: str) -> bytes:
        """Read a file."""
        try:
            return (self.folder / path).read_bytes()
        except FileNotFoundError:
            self._check_is_there()
            raise

    def has(self, path: str) -> bool:
        """Say whether a file is there."""
        return (self.folder / path).is_file()

    def remove(self, path: str) -> None:
        """Remove a file."""
        (self.folder / path).unlink(missing_ok=True)

    def files(self) -> Iterator[PlacedFile]:
        """List all files."""
        for path in self.folder.rglob("*"):
            with contextlib.suppress(FileNotFoundError):  # others write and remove meanwhile
                if path.is_file() and path.name != MARKER:
                    found = path.stat()
                    yield PlacedFile(
                        path.relative_to(self.folder).as_posix(),
                        found.st_size,
                        time.time() - found.st_mtime,
                    )

    def free_bytes(self) -> int | None:
        """Say how much room the disk has."""
        return shutil.disk_usage(self.folder).free

    def _check_is_there(self) -> None:
        """Check that the folder is the one that was opened, and not the empty one in which a share was mounted."""
        if self.is_marked and not (self.folder / MARKER).exists():
            raise PlaceAway(
                errno.ESTALE, f"its file {MARKER} is gone, as when it is not mounted", self.name
            )
