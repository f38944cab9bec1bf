"""New stores in a tenth of the time: the tables are made once a process, and copied."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from mnist_dash.runs.store.run_store import Store
from mnist_dash.settings import DATABASE_FILE, Settings


def new_store(settings: Settings) -> Store:
    """Open a store in a home that has none: with the database of a store that was really made, and holds nothing yet."""
    database = settings.home / DATABASE_FILE
    if settings.database_url != f"sqlite:///{database}" or database.exists():
        return Store.open(settings)
    settings.home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_empty_database(), database)
    return Store.open(settings)


@functools.cache
def _empty_database() -> Path:
    """Make a store as everybody does; its one file holds everything once it is closed."""
    home = tempfile.mkdtemp(prefix="mnist-dash-empty-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    Store.open(Settings.from_environment({"MNIST_DASH_HOME": home})).close()
    assert not list(Path(home).glob("*-wal"))
    return Path(home) / DATABASE_FILE
