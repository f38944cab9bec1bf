"""Finding runs by words: what fits, in which order, and that what is typed is never a pattern."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from mnist_dash.core.config.presets import PRESETS
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.query.lookup import FOUND_AT_ONCE, MOST_WORDS, lookup_runs, words_of
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.run_store import Store, update

SMALL = RunConfig.model_validate(
    {
        "layers": [
            {"kind": "flatten"},
            {"kind": "dense", "units": 77},
            {"kind": "dense", "units": 10, "activation": "softmax"},
        ],
        "epochs": 33,
        "optimizer": {"kind": "adam", "learning_rate": 0.0123},
    }
)


def found(store: Store, text: str) -> list[str]:
    """The ids that a text finds."""
    return [run.run_id for run in lookup_runs(store, text)]


@pytest.fixture
def ids(store: Store) -> dict[str, str]:
    """Three runs: a small one with a name and a tag, a usual one, and one of a preset; the last is the newest."""
    small, usual = run_actions.submit(store, SMALL), run_actions.submit(store, RunConfig())
    preset = run_actions.submit(store, PRESETS["cnn_32_64_5x5"].config, preset="cnn_32_64_5x5")
    with store.writing() as connection:
        update(connection, small, name="Näive 100% Baseline")
        connection.execute(schema.run_tags.insert().values(run_id=small, tag="Thesis"))
    return {"small": small, "usual": usual, "preset": preset}


def test_words_fit_ids_names_tags_presets_and_settings(store: Store, ids: dict[str, str]) -> None:
    """Every way in which a run can be remembered; all words must fit."""
    for text in (
        ids["small"][:5],
        "baseline",
        "BASE näive",
        "thesis",
        "dense 77",
        "0.0123",
        "adam 77 thesis",
    ):
        assert found(store, text) == [ids["small"]], text
    assert found(store, "conv 64") == found(store, "cnn_32") == [ids["preset"]]
    assert found(store, PRESETS["cnn_32_64_5x5"].title)[:1] == [ids["preset"]]
    assert ids["usual"] in found(store, "dense 512 256 relu")
    assert found(store, "dense 33") == []  # 33 epochs are not 33 units
    assert found(store, "thesis conv") == []


def test_without_words_the_newest_come_first(store: Store, ids: dict[str, str]) -> None:
    """Nothing typed, or nothing that is a word."""
    assert found(store, "  ") == [ids["preset"], ids["usual"], ids["small"]]
    assert found(store, "–!?") == []


def test_a_beginning_of_an_id_beats_newer_runs(store: Store, ids: dict[str, str]) -> None:
    """A run whose name has the same letters does not hide the run that is named by its id."""
    with store.writing() as connection:
        update(connection, ids["preset"], name=f"like {ids['small'][:4]}")
    assert found(store, ids["small"][:4]) == [ids["small"], ids["preset"]]


def test_deleted_runs_are_not_found(store: Store, ids: dict[str, str]) -> None:
    """The bin is no place to jump to."""
    store.mark_deleted([ids["small"]], deleted=True)
    assert found(store, "thesis") == []


@pytest.mark.parametrize(
    "text", ["%", "%%%", "' OR 1=1 --", '"', "\\", "dense_77", "na_ve", "100%25"]
)
def test_what_is_typed_is_no_pattern(store: Store, ids: dict[str, str], text: str) -> None:
    """Signs that mean something to a database mean nothing here."""
    assert found(store, text) == []


def test_a_very_long_text_is_cut() -> None:
    """Neither many words nor a long one make a long query."""
    assert len(words_of("a " * 1000)) == MOST_WORDS
    assert sum(map(len, words_of("x" * 100_000))) <= 120


def test_ten_thousand_runs_are_searched_while_one_types(store: Store, ids: dict[str, str]) -> None:
    """Any search gives a handful at most, whether it finds many runs or none; `bench_runs` times it."""
    with store.writing() as connection:
        row = dict(
            connection.execute(sa.select(schema.runs).where(schema.runs.c.id == ids["usual"]))
            .mappings()
            .one()
        )
        rows = [
            row | {"id": f"f{number:07x}", "submit_key": None, "created_at": float(number)}
            for number in range(10_000)
        ]
        connection.execute(schema.runs.insert(), rows)
    for text in ("adam dense 512", "nothing has this", "f000", "33", ""):
        assert len(lookup_runs(store, text)) <= FOUND_AT_ONCE
