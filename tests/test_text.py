"""Plurals and nearest names."""

from __future__ import annotations

import pytest

from mnist_dash.text import (
    did_you_mean,
    listed,
    nearest,
    parse_duration,
    parse_number,
    plural,
    verb,
)
from tests.source_tree import PACKAGE, ROOT


@pytest.mark.parametrize(
    ("n", "noun", "written"),
    [
        (0, "run", "0 runs"),
        (1, "run", "1 run"),
        (1000, "run", "1,000 runs"),
        (2, "batch", "2 batches"),
        (2, "epoch", "2 epochs"),
        (2, "study", "2 studies"),
        (2, "day", "2 days"),
        (2, "class", "2 classes"),
        (2, "analysis", "2 analyses"),
        (1.5, "minute", "1.5 minutes"),
        (3, "training image", "3 training images"),
    ],
)
def test_counts_agree_with_their_noun(n: float, noun: str, written: str) -> None:
    """One is singular, everything else plural, thousands have commas."""
    assert plural(n, noun) == written


def test_verbs_agree_with_a_count() -> None:
    """A single run waits, is and has; two wait, are and have."""
    assert [verb(1, form) for form in ("wait", "are", "have", "do", "match")] == [
        "waits",
        "is",
        "has",
        "does",
        "matches",
    ]
    assert [verb(2, form) for form in ("wait", "are", "have")] == ["wait", "are", "have"]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("ReLU", ["relu"]),
        ("leaky relu", ["leaky_relu"]),
        ("lerning_rate", ["optimizer.learning_rate"]),
        ("learning-rate", ["optimizer.learning_rate"]),
        ("zzz", []),
    ],
)
def test_nearest_names_are_found(typed: str, found: list[str]) -> None:
    """Case, hyphens, a missing letter and a missing first part are forgiven."""
    known = ("relu", "leaky_relu", "tanh", "optimizer.learning_rate", "optimizer.momentum")
    assert nearest(typed, known)[: len(found) or None] == found
    assert nearest("sed", ("split.seed", "seed"), n=1) == ["seed"]


def test_lists_end_in_a_conjunction() -> None:
    """The last of several words is joined by or, and one word stands alone."""
    assert [listed(["a"]), listed(["a", "b", "c"]), listed(["a", "b"], last="and")] == [
        "a",
        "a, b or c",
        "a and b",
    ]
    assert did_you_mean("adm", ["adam", "sgd"]) == "Did you mean adam?"


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("50,000", 50000),
        ("10_000", 10000),
        ("1e-4", 0.0001),
        (".5", 0.5),
        ("-3", -3),
        (" 7 ", 7),
        ("5.", 5.0),
        ("1,000.5", 1000.5),
    ],
)
def test_numbers_are_read_as_people_write_them(typed: str, value: float) -> None:
    """Thousands, powers of ten and missing zeros; whole ones stay whole."""
    assert parse_number(typed) == value
    assert type(parse_number(typed)) is type(value)


@pytest.mark.parametrize(
    "typed",
    ["", "many", "0,5", "1,00", "1_", "1__0", "--1", "1e", ".", "0x10", "١٢", "1:30", "9" * 500],
)
def test_what_is_no_number_is_none(typed: str) -> None:
    """A comma that is not between thousands is no decimal point."""
    assert parse_number(typed) is None


def test_no_message_states_a_rule_as_if_it_held() -> None:
    """Messages say what is wrong with the value first; the former template, a rule and then what was got, is gone."""
    former = "; " + "got"
    assert [
        f"{path}" for path in sorted((ROOT / PACKAGE).rglob("*.py")) if former in path.read_text()
    ] == []


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("55m", 3300),
        ("1h30m", 5400),
        ("1.5h", 5400),
        (" 2D ", 172_800),
        ("1d2h3m4s", 93_784),
    ],
)
def test_times_are_read_as_people_write_them(typed: str, seconds: float) -> None:
    """Days, hours, minutes and seconds in this order; a number alone is seconds."""
    assert parse_duration(typed) == seconds


@pytest.mark.parametrize(
    "typed", ["", " ", "soon", "m", "5 m", "30m1h", "-5m", "1:30", "1e3", "nan"]
)
def test_other_times_are_refused(typed: str) -> None:
    """What is no time is None."""
    assert parse_duration(typed) is None
