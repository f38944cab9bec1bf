"""Finding studies by their name or the beginning of their id."""

from __future__ import annotations

from mnist_dash.runs.store.run_store import Store
from mnist_dash.search.actions import steering
from mnist_dash.search.studies.lookup import lookup_studies
from tests.search.conftest import define


def test_all_words_must_fit(store: Store) -> None:
    """Words of the name in any order, or the beginning of an id; signs of a pattern are none."""
    ids = {
        name: steering.create(store, define(name=name)) for name in ("batch-size", "rate-and-batch")
    }

    def found(text: str) -> set[str]:
        return {study.study_id for study in lookup_studies(store, text)}

    assert found("batch RATE") == {ids["rate-and-batch"]}
    assert found("batch") == found("") == set(ids.values())
    assert found(ids["batch-size"][:6]) == {ids["batch-size"]}
    assert found("%") == found("batch nothing") == set()
