"""A store that `mnist_dash` works on, with two trained runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mnist_dash.api.store import OpenStore
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.settings import Settings
from tests.new_store import new_store
from tests.trained import TINY, train_into


@pytest.fixture
def store(own_home: Path) -> Iterator[Store]:
    """The store of this test's environment."""
    opened = new_store(Settings.from_environment())
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OpenStore, Run, Run]]:
    """A store with two runs of one configuration and two seeds, for the tests of one module."""
    home = tmp_path_factory.mktemp("trained")
    opened = new_store(Settings.from_environment({"MNIST_DASH_HOME": str(home)}))
    yield (
        OpenStore(opened),
        train_into(opened),
        train_into(opened, TINY.model_copy(update={"seed": 1})),
    )
    opened.close()
