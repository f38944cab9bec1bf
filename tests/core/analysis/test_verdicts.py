"""What a comparison says: every case has its sentence, and no number is a nan."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_dash.core.analysis.significance import compare_paired, group_mean, welch
from mnist_dash.core.analysis.verdicts import (
    MEASURES,
    TEST_ACCURACY,
    Verdict,
    judge_groups,
    judge_pair,
    judge_selection,
    write_p,
)

NOISY_A, NOISY_B = [0.9700, 0.9720, 0.9710], [0.9715, 0.9735, 0.9721]


def judged(
    a: list[float], b: list[float], measure: str = "test_accuracy", n_compared: int = 1
) -> Verdict:
    """Judge two groups as the page does."""
    sides = ("A", group_mean(a)), ("B", group_mean(b))
    return judge_groups(
        MEASURES[measure], *sides, welch(sides[0][1], sides[1][1]), n_compared=n_compared
    )


def paired(n_only_a: int, n_only_b: int, n: int = 10_000) -> str:
    """Judge two networks that differ on so many images."""
    a = np.ones(n, dtype=np.bool_)
    b = a.copy()
    b[:n_only_a], a[n_only_a : n_only_a + n_only_b] = False, False
    return judge_pair(compare_paired(a, b), "A", "B")


def test_two_networks() -> None:
    """Counts, interval, p and what follows; the noise is named as such."""
    text = paired(15, 45)
    assert text.startswith(
        "B predicts 45 images correctly that A does not, and A 15 that B does not: +0.30 points of accuracy (95 % interval +0.1"
    )
    assert text.endswith("p < 0.001). B is the better of these two trained networks.")
    assert paired(21, 30).endswith(
        "p = 0.26). The difference is within the noise of 10,000 images."
    )
    assert paired(45, 15).endswith("A is the better of these two trained networks.")
    assert paired(0, 0) == (
        "A and B predict the same 10,000 of 10,000 images correctly, so there is no difference between them."
    )


def test_a_real_difference_between_groups() -> None:
    """Which is better depends on the figure: a lower loss is."""
    verdict = judged([0.970, 0.971, 0.972], [0.980, 0.981, 0.982])
    assert verdict.is_real
    assert verdict.sentence.startswith(
        "B is better than A: its mean test accuracy is 1.00 points higher (95 % interval +0.77 to +1.23; "
    )
    assert (
        "B is worse than A: its mean test loss is 0.0101 higher"
        in judged([0.070, 0.071], [0.080, 0.0811], "test_loss").sentence
    )


def test_noise_asks_for_the_seeds_that_are_missing() -> None:
    """As many as are needed in each group, less those that are there; corrected comparisons need more."""
    verdict, corrected = judged(NOISY_A, NOISY_B), judged(NOISY_A, NOISY_B, n_compared=10)
    assert not verdict.is_real
    assert f": add {verdict.add_a} seeds of each to find out" in verdict.sentence
    assert 0 < verdict.add_a < corrected.add_a
    uneven = judged([*NOISY_A, 0.9705, 0.9714, 0.9711], NOISY_B)
    assert uneven.add_b == uneven.add_a + 3


@pytest.mark.parametrize(
    ("a", "b", "sentence", "added"),
    [
        (
            [0.97],
            [0.98, 0.981],
            "One seed of A does not show how much seeds vary. Add 2 seeds of A and 1 seed of B",
            (2, 1),
        ),
        ([0.97], [0.98], "One seed of A and one of B does not show how much", (2, 2)),
        ([0.97, 0.97], [0.97, 0.97], "there is no difference", (0, 0)),
        ([0.97, 0.97], [0.98, 0.98], "The seeds do not vary, so no test is possible", (0, 0)),
        ([0.97, 0.98], [0.98, 0.97], "their means are equal", (0, 0)),
        ([0.970, 0.980, 0.975], [0.9701, 0.9801, 0.9751], "more than 1,000 seeds of each", (0, 0)),
        (
            [0.970, 0.980, 0.975],
            [0.971, 0.981, 0.976],
            "it would take 394 seeds of each to see one so small",
            (0, 0),
        ),
    ],
)
def test_where_there_is_no_test_there_is_a_sentence(
    a: list[float], b: list[float], sentence: str, added: tuple[int, int]
) -> None:
    """One seed, no spread, equal means, a difference too small to be worth it."""
    verdict = judged(a, b)
    assert sentence in verdict.sentence
    assert "nan" not in verdict.sentence
    assert (verdict.add_a, verdict.add_b) == added


def test_a_choice_by_test_accuracy_is_counted() -> None:
    """The best of many, one of many, and all there are."""
    assert "highest test accuracy of 120 runs" in judge_selection(120, 2, 1, 0.98, 10_000)
    assert "up to 0.36 points" in judge_selection(120, 2, 1, 0.98, 10_000)
    assert "the best one here has rank 7" in judge_selection(120, 2, 7, 0.98, 10_000)
    assert "none was selected by it" in judge_selection(2, 2, 1, 0.98, 10_000)


def test_figures_are_written_short() -> None:
    """p-values, shares and points."""
    assert [write_p(p) for p in (0.0004, 0.0481, 0.31, 1.0)] == [
        "p < 0.001",
        "p = 0.048",
        "p = 0.31",
        "p = 1",
    ]
    assert (TEST_ACCURACY.write(0.97853), TEST_ACCURACY.write_difference(-0.0021, signed=True)) == (
        "97.85 %",
        "-0.21 points",
    )
