"""What every test gets: a home of its own, so that none ever touches a person's runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from mnist_dash.runs.execution import analyses
from mnist_dash.runs.store.run_store import Store
from tests.databases import KIND

os.environ.setdefault(
    "OMP_WAIT_POLICY", "PASSIVE"
)  # before torch is loaded: threads that spin in barriers collapse beside other work

# A loaded machine makes any example slow now and then; pytest's own timeout catches what hangs.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what works on SQLite's file, where the test run works on PostgreSQL."""
    if KIND == "postgresql":
        for item in items:
            if item.get_closest_marker("sqlite") is not None:
                item.add_marker(pytest.mark.skip(reason="works on SQLite's file itself"))


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point MNIST_DASH_HOME at a folder of this test's own and unset every other setting."""
    for name in [name for name in os.environ if name.startswith("MNIST_DASH_")]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    monkeypatch.setenv("MNIST_DASH_HOME", str(home))
    return home


@pytest.fixture
def no_analyst_is_left(store: Store) -> Iterator[None]:
    """End the analyst that the test, or a page in it, has started."""
    yield
    started = analyses._started.pop(store.settings.database_url, None)
    if started is not None:
        started.kill()
        started.wait()
