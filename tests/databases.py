"""Which database a test run works on: SQLite, or with ``MNIST_DASH_TEST_DATABASE=postgresql`` a PostgreSQL server.

The server is the one that ``MNIST_DASH_TEST_POSTGRES`` names by a URL, whose user may create databases, or else one of the test run's own.
"""

from __future__ import annotations

import atexit
import functools
import os
from collections.abc import Mapping

from mnist_dash.settings import Settings
from tests import postgresql

KIND = os.environ.get("MNIST_DASH_TEST_DATABASE", "sqlite")
"""Read once, as every test starts without any ``MNIST_DASH_`` variable."""
JOBS_SCHEMA = "dbos." if KIND == "postgresql" else ""
"""What stands before the name of a table of the queue."""


def settings_with_database(variables: Mapping[str, str]) -> Settings:
    """Read settings, with a new, empty database of this test run's kind."""
    if KIND != "postgresql":
        return Settings.from_environment(variables)
    return Settings.from_environment(
        {**variables, "MNIST_DASH_DATABASE_URL": _server().new_database()}
    )


@functools.cache
def _server() -> postgresql.Server:
    context = postgresql.server()
    started = context.__enter__()
    atexit.register(context.__exit__, None, None, None)
    return started
