"""A short soak in `make test-all`; ``python -m tests.faults.soak`` runs longer ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.databases import settings_with_database
from tests.faults import soak

SECONDS = 90


@pytest.mark.slow
def test_disturbed_runs_end_once_and_whole(tmp_path: Path) -> None:
    """Kills, freezes, pauses, changes, forks and stops in a seeded order leave one result a run, and a doctor who is content."""
    variables = {
        "MNIST_DASH_HOME": str(tmp_path),
        "MNIST_DASH_LEASE_SECONDS": soak.LEASE_SECONDS,
        "MNIST_DASH_THREADS": "1",
    }
    settings = settings_with_database(variables)
    summary = soak.soak(
        variables | {"MNIST_DASH_DATABASE_URL": settings.database_url}, seconds=SECONDS, seed=3
    )
    assert summary.endswith("no violation")
