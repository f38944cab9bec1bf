"""The store that a command works on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mnist_dash.settings import Settings

if TYPE_CHECKING:
    from mnist_dash.runs.store.run_store import Store


@contextmanager
def opened() -> Iterator[Store]:
    """Open the store of this environment for a block.

    Raises:
        StoreError: it cannot be opened.
    """
    from mnist_dash.runs.store.run_store import Store

    store = Store.open(Settings.from_environment())
    try:
        yield store
    finally:
        store.close()
