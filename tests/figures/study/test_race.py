"""The charts of a race: colours in the values' order, ends of those that were dropped, the outcome and its marks."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mnist_dash.figures.base.alt_text import describe
from mnist_dash.figures.study.race import Contestant, SeedCurves, draw_outcome, draw_race, leader
from mnist_dash.figures.study.trials import Objective

ACCURACY = Objective("val_accuracy", "validation accuracy", maximize=True)


def contestant(
    number: int, value: object, *epochs: float, state: str = "running", seeds: int = 1
) -> Contestant:
    """A value whose runs have so many epochs, ten steps each, each seed a point better than the one before."""
    steps = np.column_stack((np.arange(1, 11) / 10, np.linspace(0.1, 0.5, 10)))
    runs = tuple(SeedCurves(steps, np.array(epochs) + 0.01 * seed) for seed in range(seeds))
    return Contestant(number, value, str(value), state, runs)


RATES = (
    contestant(0, 0.0001, 0.5, 0.6),
    contestant(1, 0.01, 0.9, 0.8),
    contestant(2, 1.0, 0.2, state="pruned"),
)


def test_lines_are_coloured_by_the_order_of_values() -> None:
    """The least value has the first shade, the greatest the last, and each has a line by step and one by epoch."""
    figure = draw_race(RATES, "accuracy", n_epochs=2)
    shades = {trace.name: trace.meta["shade"] for trace in figure.data if trace.mode == "lines"}
    assert shades == {"0.0001": 0.0, "0.01": 0.5, "1.0": 1.0}
    by_epoch = {trace.name: list(trace.y) for trace in figure.data if trace.mode == "lines+markers"}
    assert by_epoch["0.01"] == [0.9, 0.8]


def test_who_ended_early_has_a_cross_at_its_end() -> None:
    """Dropped after its first epoch, at its last value."""
    (cross,) = [
        trace for trace in draw_race(RATES, "accuracy", n_epochs=2).data if trace.mode == "markers"
    ]
    assert (cross.name, list(cross.x), list(cross.y)) == ("1.0, pruned", [1.0], [0.2])


def test_seeds_are_averaged_when_all_have_an_epoch() -> None:
    """The strong line is the mean; a seed that lags behind holds it up."""
    both = contestant(0, 1, 0.5, 0.6, seeds=2)
    late = Contestant(
        1, 2, "2", "running", (both.runs[0], SeedCurves(both.runs[0].steps, np.zeros(0)))
    )
    by_epoch = {
        trace.name: list(trace.y)
        for trace in draw_race((both, late), "accuracy", n_epochs=2).data
        if trace.mode == "lines+markers"
    }
    assert by_epoch == {"1": pytest.approx([0.505, 0.605])}


def test_nothing_yet_is_said_in_words() -> None:
    """Before the first step, and before the first epoch."""
    silent = (Contestant(0, 0.1, "0.1", "waiting", ()),)
    for contestants in ((), silent):
        for figure in (
            draw_race(contestants, "loss", n_epochs=2),
            draw_outcome(contestants, ACCURACY, "best", title="rate"),
        ):
            assert len(figure.data) == 0
            assert len(figure.layout.annotations) == 1


def test_outcome_marks_the_best_and_the_network_s_own() -> None:
    """Rates stand on a logarithmic axis at their values; best and final differ where a curve falls."""
    best, final = (
        draw_outcome(RATES, ACCURACY, which, title="rate", own=0.0001, own_label="published")
        for which in ("best", "final")
    )
    assert best.layout.xaxis.type == "log"
    assert list(best.layout.xaxis.tickvals) == [0.0001, 0.01, 1.0]
    assert best.layout.shapes[0].x0 == 0.0001
    assert best.layout.annotations[0].text == "published"
    star = next(trace for trace in best.data if trace.name == "best")
    assert (star.x[0], star.text[0]) == (0.01, "0.01: 90.00 %")
    assert next(trace for trace in final.data if trace.name == "best").y[0] == 0.8
    assert "0.01" in describe(json.dumps(json.loads(best.to_json())))


def test_outcome_of_seeds_has_a_band() -> None:
    """One standard deviation about the mean; none with one seed."""
    seeds = (contestant(0, "sgd", 0.5, seeds=3), contestant(1, "adam", 0.7, seeds=3))
    figure = draw_outcome(seeds, ACCURACY, "best", title="optimizer")
    below, above = (
        next(trace for trace in figure.data if trace.name.endswith(end))
        for end in ("below", "above")
    )
    assert list(below.y) == pytest.approx([0.5, 0.7])
    assert list(above.y) == pytest.approx([0.52, 0.72])
    assert list(figure.layout.xaxis.ticktext) == ["sgd", "adam"]
    assert not [
        trace
        for trace in draw_outcome(RATES, ACCURACY, "best", title="rate").data
        if "deviation" in trace.name
    ]


def test_leader_has_the_best_mean() -> None:
    """By accuracy the highest, by loss the lowest, nobody before an epoch."""
    assert leader(RATES, "best", maximize=True) is RATES[1]
    assert leader(RATES, "final", maximize=False) is RATES[2]
    assert leader((Contestant(0, 1, "1", "running", ()),), "best", maximize=True) is None
