"""Columns of a study: names of settings, the best trials, the best so far."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mnist_dash.figures.study.drawing import axes_meta, axis_layout, log_ticks, positions_on, spread
from mnist_dash.figures.study.trials import (
    Axis,
    Objective,
    best,
    ranking,
    running_best,
    select,
    titles,
)
from tests.figures.study.test_sample import AXES, OBJECTIVE, sample

LOSS = Objective("val_loss", "validation loss", maximize=False)


def test_names_are_as_short_as_they_can_be() -> None:
    """Settings with the same last part keep enough of their path to differ."""
    paths = (
        "optimizer.learning_rate",
        "layers.0.units",
        "layers.1.units",
        "optimizer.kind",
        "a.b.rate",
        "c.b.rate",
    )
    assert list(titles([Axis(path, "float") for path in paths]).values()) == [
        "learning rate",
        "layers 0 units",
        "layers 1 units",
        "optimizer kind",
        "a b rate",
        "c b rate",
    ]


def test_same_path_twice_has_one_name() -> None:
    """A setting against itself does not search for a difference for ever."""
    assert titles([Axis("a.b", "int"), Axis("a.b", "int")]) == {"a.b": "b"}


@pytest.mark.parametrize("maximize", [True, False])
def test_best_so_far_agrees_with_brute_force(maximize: bool) -> None:  # noqa: FBT001 - a case
    """The best of a prefix, trials without a value left out."""
    values = np.random.default_rng(0).normal(size=200)
    values[[0, 1, 50]] = np.nan
    values[60] = np.inf if maximize else -np.inf
    so_far = running_best(values, maximize=maximize)
    assert np.isnan(so_far[:2]).all()
    for end in range(3, 201):
        finite = values[:end][np.isfinite(values[:end])]
        assert so_far[end - 1] == (finite.max() if maximize else finite.min())


def test_best_are_complete_and_finite() -> None:
    """Neither a pruned trial nor one of infinite value is among the best; they stay ordered by number."""
    trials = sample(60)
    trials.values[np.flatnonzero(trials.states == "complete")[0], 0] = np.inf
    top = best(trials, OBJECTIVE, 5)
    ordered = np.sort(
        trials.values[(trials.states == "complete") & np.isfinite(trials.values[:, 0]), 0]
    )[::-1]
    assert sorted(top.values[:, 0], reverse=True) == ordered[:5].tolist()
    assert (np.diff(top.numbers) > 0).all()
    assert (ranking(trials, LOSS)[::-1] == ranking(trials, OBJECTIVE)).all()


def test_selecting_takes_whole_rows() -> None:
    """Every column is cut alike."""
    trials = sample(30)
    some = select(trials, np.array([7, 3]))
    assert some.numbers.tolist() == [3, 7]
    assert list(some.parameters["optimizer.kind"]) == [
        trials.parameters["optimizer.kind"][place] for place in (3, 7)
    ]
    assert list(some.hovers) == [trials.hovers[3], trials.hovers[7]]


def test_running_trial_has_the_end_of_its_curve() -> None:
    """What a running trial has now is the last finite value of its curve."""
    trials = sample(30)
    running = np.flatnonzero(trials.states == "running")
    assert trials.current()[running].tolist() == [
        trials.curves[place][-1] for place in running.tolist()
    ]


def test_logarithmic_axis_shows_the_explored_range() -> None:
    """The range is in exponents, a little wider than what is explored, with ticks in the setting's unit."""
    layout = axis_layout(AXES[0], sample(30), "learning rate")
    low, high = np.array(layout["range"])
    assert -4.3 < low < -4
    assert -1 < high < -0.7
    assert layout["ticktext"] == ["0.0001", "0.001", "0.01", "0.1"]
    assert np.allclose(layout["tickvals"], [1e-4, 1e-3, 1e-2, 1e-1])  # type: ignore[arg-type]


def test_ticks_of_a_short_logarithmic_axis() -> None:
    """Within a decade, numbers between are named."""
    exponents, texts = log_ticks(np.log10(20), np.log10(60))
    assert np.allclose(np.power(10, exponents), [20, 30, 40, 50, 60])
    assert texts == ["20", "30", "40", "50", "60"]


def test_choices_are_placed_by_index_and_spread_within_their_band() -> None:
    """A choice that was banned since still has a place; points of a choice never reach the next."""
    trials = sample(50)
    axis = Axis("optimizer.kind", "choice", choices=("rmsprop", "adam"))
    places = positions_on(axis, trials)
    expected = [
        ("rmsprop", "adam", "sgd").index(str(kind)) for kind in trials.parameters["optimizer.kind"]
    ]
    assert places.tolist() == expected
    moved = spread(axis, places, trials.numbers)
    assert (np.abs(moved - places) <= 0.25).all()
    assert len(set(moved - places)) == 50
    assert axes_meta({"x": axis}, trials)["choices"] == {
        "optimizer.kind": ["rmsprop", "adam", "sgd"]
    }


def test_meta_is_json() -> None:
    """What the page reads back survives the journey."""
    meta = axes_meta({"x": AXES[1], "y": AXES[3]}, sample(20))
    assert json.loads(json.dumps(meta)) == meta
    assert meta["integers"] == ["layers.0.units"]
