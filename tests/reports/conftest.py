"""Runs and studies as the pages' tests have them: what is written as a file is what a page shows."""

from tests.ui.conftest import records, store, train  # noqa: F401 - fixtures
