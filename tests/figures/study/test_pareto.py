"""Fronts and hypervolumes against brute force and against what was worked out by hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from mnist_dash.figures.study.pareto import draw_pareto, hypervolume_history, pareto_front
from tests.figures.study.test_sample import OBJECTIVE, SIZE, sample


def surpassed(values: npt.NDArray[np.float64], maximize: list[bool], row: int) -> bool:
    """Look at every other row."""
    signed = values * np.where(maximize, 1, -1)
    return any(
        (signed[other] >= signed[row]).all() and (signed[other] > signed[row]).any()
        for other in range(len(values))
    )


@pytest.mark.parametrize(
    "maximize",
    [[True], [True, False], [False, False], [True, True], [True, False, True], [False] * 4],
)
@pytest.mark.parametrize("n_levels", [4, 1000])
def test_front_agrees_with_brute_force(maximize: list[bool], n_levels: int) -> None:
    """With many equal values and with few."""
    values = np.random.default_rng(1).integers(0, n_levels, (120, len(maximize))).astype(np.float64)
    expected = [not surpassed(values, maximize, row) for row in range(len(values))]
    assert pareto_front(values, maximize).tolist() == expected


def test_unknown_values_are_on_no_front() -> None:
    """Neither nan nor infinity surpasses anything; no rows have no front."""
    values = np.array([[1, 1], [np.nan, 9], [np.inf, 0], [0, 2]], dtype=np.float64)
    assert pareto_front(values, [True, True]).tolist() == [True, False, False, True]
    assert pareto_front(np.zeros((0, 2)), [True, True]).tolist() == []


def test_hypervolume_by_hand() -> None:
    """Rectangles from (0, 0): 2x1; and 1x3 adds 2; a surpassed one nothing; 3x2 adds 3; unknown and beyond the reference nothing."""
    values = np.array([[2, 1], [1, 3], [1, 1], [3, 2], [np.nan, 9], [-1, 9]], dtype=np.float64)
    assert hypervolume_history(values, [True, True], [0, 0]).tolist() == [2, 4, 4, 7, 7, 7]


def test_hypervolume_of_mixed_directions() -> None:
    """The larger the first and the smaller the second the better: from (0, 10), (2, 4) covers 2 by 6."""
    assert hypervolume_history(
        np.array([[2.0, 4.0], [1.0, 3.0]]), [True, False], [0, 10]
    ).tolist() == [12, 13]


def test_hypervolume_agrees_with_counting() -> None:
    """On whole numbers the area is the number of unit squares that some point covers."""
    values = np.random.default_rng(2).integers(-1, 12, (80, 2)).astype(np.float64)
    covered = np.zeros((12, 12), dtype=bool)
    expected = []
    for x, y in values.astype(int):
        if x > 0 and y > 0:
            covered[:x, :y] = True
        expected.append(float(covered.sum()))
    assert hypervolume_history(values, [True, True], [0, 0]).tolist() == expected


def test_hypervolume_is_for_two_objectives() -> None:
    """Three are refused rather than computed wrongly."""
    with pytest.raises(ValueError, match="two objectives"):
        hypervolume_history(np.zeros((3, 3)), [True] * 3, [0] * 3)


def test_every_complete_trial_is_drawn_once() -> None:
    """On the front or surpassed, and the front's stair goes through all of the front."""
    trials = sample(60)
    figure = draw_pareto(trials, (SIZE, OBJECTIVE), columns=(1, 0))
    stair, others, front = figure.data
    drawn = sorted([*others.customdata.tolist(), *front.customdata.tolist()])
    assert drawn == np.flatnonzero(trials.complete(None)).tolist()
    assert sorted(stair.x) == sorted(front.x)
    assert (np.diff(stair.y) > 0).all()
