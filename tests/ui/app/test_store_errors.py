"""A store that cannot be used is a sentence on every page."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from mnist_dash.runs.store import schema
from mnist_dash.runs.store.run_store import Store
from mnist_dash.settings import Settings
from mnist_dash.ui.server.options import SCRIPT
from tests.waiting import PATIENCE_SECONDS


def test_newer_database_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that a newer version wrote is named, and left alone."""
    monkeypatch.setenv("MNIST_DASH_HOME", str(tmp_path))
    monkeypatch.setenv("MNIST_DASH_WORKERS", "0")
    store = Store.open(Settings.from_environment())
    with store.writing() as connection:
        connection.execute(
            schema.meta.update().where(schema.meta.c.key == "schema_version").values(value=99)
        )
    store.close()
    app = AppTest.from_file(str(SCRIPT), default_timeout=PATIENCE_SECONDS).run()
    assert not app.exception
    assert "newer" in app.error[0].value
