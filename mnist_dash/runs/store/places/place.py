"""What a place for artifacts can do; paths in it are relative, with slashes, as the database has them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

MARKER = ".mnist-dash-store"
"""File that says which store a place belongs to; see `mnist_dash.runs.store.places.identity`."""


class PlaceAway(OSError):
    """The place itself is not there now: not mounted, or not reached. Nothing is known of its files."""


@dataclass(frozen=True)
class PlacedFile:
    """A file that lies there, whether or not a row names it."""

    path: str
    n_bytes: int
    age_seconds: float
    """Since it was written."""


class Place(ABC):
    """Files by their paths. One object a process and place, safe to use from several threads.

    Attributes:
        name: how messages and pages call it.
        is_marked: whether this process has seen the store's mark in it, so that a missing one says that the place is gone.
    """

    name: str
    is_marked = False

    @abstractmethod
    def prepare(self) -> None:
        """Make it ready to be written.

        Raises:
            OSError: it cannot be.
        """

    @abstractmethod
    def write(self, path: str, content: bytes) -> None:
        """Put a file there, whole or not at all.

        Raises:
            OSError: it was not written.
        """

    @abstractmethod
    def read(self, path: str) -> bytes:
        """Read a file.

        Raises:
            FileNotFoundError: there is none.
            PlaceAway: the place is not there now.
            OSError: it cannot be read.
        """

    @abstractmethod
    def has(self, path: str) -> bool:
        """Say whether a file is there.

        Raises:
            OSError: it cannot be told now.
        """

    @abstractmethod
    def remove(self, path: str) -> None:
        """Remove a file; one that is not there stays so.

        Raises:
            OSError: it may be there still.
        """

    @abstractmethod
    def files(self) -> Iterator[PlacedFile]:
        """List all files but the mark, in no order, those of a broken write included.

        Raises:
            OSError: they cannot be listed now.
        """

    @abstractmethod
    def free_bytes(self) -> int | None:
        """Say how much room is left; None where there is no limit that could be asked for."""

    def location(self, path: str) -> str:
        """Say where a file lies, for messages."""
        return f"{self.name}/{path}"
