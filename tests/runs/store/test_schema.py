"""How a database is opened."""

from __future__ import annotations

import sqlalchemy as sa

from mnist_dash.runs.store.schema import with_timeouts


def test_server_that_is_cut_off_is_noticed() -> None:
    """PostgreSQL's URL gets limits for silence, keeps those that it has and its password, and SQLite's stays as it is."""
    url = sa.make_url(
        with_timeouts("postgresql+psycopg://ann:p%40ss@host/runs?tcp_user_timeout=60000")
    )
    assert (url.password, url.database) == ("p@ss", "runs")
    assert url.query["tcp_user_timeout"] == "60000"
    assert url.query["keepalives_idle"] == "3"
    assert with_timeouts("sqlite:///runs.db") == "sqlite:///runs.db"
