"""Which place the settings name."""

from __future__ import annotations

import functools
from pathlib import Path

from mnist_dash.runs.store.places.folder import Folder
from mnist_dash.runs.store.places.place import Place
from mnist_dash.settings import Settings


def place_of(settings: Settings) -> Place:
    """Give the place where the artifacts lie, one object a process."""
    return _folder(settings.artifact_dir)


@functools.cache
def _folder(folder: Path) -> Place:
    return Folder(folder)
