"""A PostgreSQL server for the tests that need one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import postgresql


@pytest.fixture(scope="session")
def server() -> Iterator[postgresql.Server]:
    """A server for all tests of this folder; they are skipped, with the reason, where PostgreSQL is not installed."""
    with postgresql.server() as started:
        yield started
