"""Ranges that show what matters, and whole ticks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_dash.figures.base.axes import (
    MOST_TICKS,
    Line,
    counted_axis,
    edge_marks,
    value_range,
    whole_log_ticks,
    whole_step,
)


def line(*values: float, is_curve: bool = True, is_noisy: bool = False) -> Line:
    """A line over 1, 2, 3 ..."""
    return Line(
        np.arange(1.0, len(values) + 1), np.array(values), is_curve=is_curve, is_noisy=is_noisy
    )


@pytest.mark.parametrize("good", [(0.97, 0.975), (0.975, 0.971, 0.973, 0.976)])
def test_one_trial_at_ten_percent_does_not_flatten_the_others(good: tuple[float, ...]) -> None:
    """It is marked at the lower edge with its value."""
    trials = line(*good, 0.1, is_curve=False)
    shown = value_range([trials], better="high", is_share=True)
    assert shown is not None
    assert shown.clips
    assert 0.95 < shown.low < min(good)
    (mark,) = edge_marks([trials], shown, is_share=True)
    assert list(mark.y) == [shown.low]
    assert list(mark.text) == ["10.00 %"]


def test_an_ordinary_course_is_shown_whole() -> None:
    """First epochs that are only somewhat worse are no outliers."""
    shown = value_range(
        [line(0.9, 0.95, 0.96, 0.968, 0.971)], better="high", is_share=True, to_ceiling=True
    )
    assert shown is not None
    assert not shown.clips
    assert shown.low < 0.9
    assert 1 <= shown.high < 1.01


def test_the_last_value_of_a_course_is_always_in_sight() -> None:
    """A run that goes wrong at its end shows that it does."""
    shown = value_range([line(0.1, 0.09, 0.08, 0.09, 5.0)], better="low")
    assert shown is not None
    assert shown.high > 5


def test_nothing_finite_has_no_range() -> None:
    """The chart chooses for itself."""
    assert value_range([line(np.nan)], better="low") is None


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60))
def test_the_better_end_is_never_cut(values: list[float]) -> None:
    """Outliers are on the bad side alone, and what is beyond the range is said to be."""
    shown = value_range([line(*values)], better="low")
    assert shown is not None
    assert shown.low <= min(values)
    assert shown.clips == (max(values) > shown.high)


@given(st.integers(1, 10_000))
def test_ticks_are_whole_and_few(epochs: int) -> None:
    """At whole distances, each once, never crowded."""
    axis = counted_axis("epoch", 0, epochs, margin=0)
    assert isinstance(axis["dtick"], int)
    assert epochs / axis["dtick"] <= MOST_TICKS
    assert axis["dtick"] == whole_step(epochs)


@pytest.mark.parametrize(
    ("last", "ticks"),
    [(2, [1, 2]), (3, [1, 2, 3]), (7, [1, 2, 3, 4, 5, 6, 7]), (40, [1, 2, 5, 10, 20, 50])],
)
def test_logarithmic_ticks_are_whole_too(last: int, ticks: list[int]) -> None:
    """Few are named one by one."""
    assert whole_log_ticks(1, last)["tickvals"] == ticks
