"""Tests and intervals: against scipy and statsmodels, against the literature, and how often the intervals cover the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestIndPower
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from mnist_dash.core.analysis.significance import (
    GroupMean,
    compare_paired,
    expected_best,
    group_mean,
    holm,
    mcnemar,
    paired_limits,
    seeds_needed,
    welch,
    welch_limits,
)

A, B = [0.9712, 0.9731, 0.9698, 0.9725], [0.9744, 0.9751, 0.9738]


def limits(only_a: int, only_b: int, n: int) -> tuple[float, float]:
    """Give Tango's interval of one table."""
    low, high = paired_limits(np.array([only_a]), np.array([only_b]), n)
    return float(low[0]), float(high[0])


@pytest.mark.parametrize(
    ("only_a", "only_b"), [(21, 37), (0, 5), (7, 7), (0, 1), (120, 80), (3, 1)]
)
def test_mcnemar_is_that_of_statsmodels_and_scipy(only_a: int, only_b: int) -> None:
    """The exact p-value, and the mid-p value by its definition."""
    exact, mid = mcnemar(only_a, only_b)
    assert exact == pytest.approx(
        their_mcnemar([[5, only_a], [only_b, 9]], exact=True).pvalue, rel=1e-12
    )
    least, n = min(only_a, only_b), only_a + only_b
    assert mid == pytest.approx(
        min(1.0, 2 * stats.binom.cdf(least, n, 0.5) - stats.binom.pmf(least, n, 0.5)), rel=1e-12
    )


def test_equal_predictions_have_a_p_value_of_one() -> None:
    """No image tells them apart; the interval is as wide as so many images leave it."""
    right = np.arange(500) % 10 != 0
    same = compare_paired(right, right)
    assert (same.n_only_a, same.n_only_b, same.p_value, same.mid_p, same.difference) == (
        0,
        0,
        1.0,
        1.0,
        0.0,
    )
    z2 = stats.norm.ppf(0.975) ** 2
    assert (same.low, same.high) == pytest.approx((-z2 / (500 + z2), z2 / (500 + z2)))


def test_paired_counts() -> None:
    """Each image falls into one of four cells."""
    found = compare_paired(
        np.array([True, True, True, False, False]), np.array([True, False, False, True, False])
    )
    assert (found.n, found.n_both, found.n_only_a, found.n_only_b, found.difference) == (
        5,
        1,
        2,
        1,
        -0.2,
    )


def test_paired_limits_are_those_of_the_literature() -> None:
    """The example of Fagerland, Lydersen and Laake (2014, Statistics in Medicine 33, 2850-2875)."""
    assert limits(1, 7, 21) == pytest.approx((0.026, 0.517), abs=6e-4)


@pytest.mark.parametrize(("only_a", "only_b", "n"), [(21, 37, 10_000), (0, 4, 200), (12, 2, 50)])
def test_paired_limits_end_where_the_score_test_begins_to_refuse(
    only_a: int, only_b: int, n: int
) -> None:
    """At each end the score statistic, with the likelihood maximised by scipy under that difference, is that of 95 %."""
    for end in limits(only_a, only_b, n):

        def loss(share: float, end: float = end) -> float:
            cells = np.array([share, share + end, 1 - 2 * share - end])
            counts = np.array([only_a, only_b, n - only_a - only_b])
            return -float(
                np.sum(counts[counts > 0] * np.log(np.maximum(cells[counts > 0], 1e-300)))
            )

        bounds = (max(0.0, -end), (1 - end) / 2)
        share = optimize.minimize_scalar(
            loss, bounds=bounds, method="bounded", options={"xatol": 1e-12}
        ).x
        score = (only_b - only_a - n * end) / math.sqrt(n * (2 * share + end - end**2))
        assert abs(score) == pytest.approx(stats.norm.ppf(0.975), rel=2e-3)


def test_group_means_are_those_of_statsmodels() -> None:
    """Mean, deviation and t interval."""
    found, theirs = group_mean(A), DescrStatsW(A)
    assert found.deviation == pytest.approx(np.std(A, ddof=1))
    assert (found.low, found.high) == pytest.approx(theirs.tconfint_mean(0.05))


def test_welch_is_that_of_scipy_and_statsmodels() -> None:
    """p-value, t, degrees of freedom, and the interval of the difference, with unequal sizes and spreads."""
    found = welch(group_mean(A), group_mean(B))
    theirs = stats.ttest_ind(B, A, equal_var=False)
    assert found is not None
    assert (found.t, found.degrees, found.p_value) == pytest.approx(
        (theirs.statistic, theirs.df, theirs.pvalue)
    )
    assert (found.low, found.high) == pytest.approx(
        CompareMeans(DescrStatsW(B), DescrStatsW(A)).tconfint_diff(usevar="unequal")
    )


def test_without_spread_there_is_no_test() -> None:
    """One seed, or the same value from every seed of both; one group without spread is enough to go on."""
    one, same, spread = group_mean([0.97]), group_mean([0.97, 0.97, 0.97]), group_mean(A)
    assert (one.deviation, one.low, same.deviation, same.low) == (None, None, 0.0, 0.97)
    assert welch(one, spread) is None
    assert welch(same, group_mean([0.98, 0.98])) is None
    assert seeds_needed(same, group_mean([0.98, 0.98])) is None
    found = welch(same, spread)
    assert found is not None
    assert found.degrees == pytest.approx(3)


@pytest.mark.parametrize(
    "values", [[0.01, 0.04, 0.03, 0.005], [0.5], [0.9, 0.8], [0.02, 0.02, 0.02]]
)
def test_holm_is_that_of_statsmodels(values: list[float]) -> None:
    """Adjusted, in the order given."""
    assert holm(values) == pytest.approx(multipletests(values, method="holm")[1])


@pytest.mark.parametrize("difference", [0.05, 0.5, 0.8, 1.0, 2.0, 5.0, 40.0])
def test_seeds_needed_are_those_of_statsmodels(difference: float) -> None:
    """The least whole number whose power is enough; more than a thousand are not named."""
    found = seeds_needed(
        GroupMean(5, 0.0, 1.0, None, None), GroupMean(5, difference, 1.0, None, None)
    )
    power = TTestIndPower()
    if difference == 0.05:
        assert found is None
        return
    assert found is not None
    assert power.power(difference, found, 0.05) >= 0.8
    assert found == 2 or power.power(difference, found - 1, 0.05) < 0.8


def test_expected_best_is_that_of_a_simulation() -> None:
    """The mean of the largest of 120 normal numbers."""
    drawn = np.random.default_rng(0).standard_normal((20_000, 120)).max(axis=1)
    assert expected_best(120) == pytest.approx(drawn.mean(), abs=0.02)
    assert expected_best(1) == 0


@pytest.mark.parametrize(
    ("only_a", "only_b", "n"),
    [(0.008, 0.012, 2000), (0.02, 0.02, 300), (0.0, 0.01, 500), (0.1, 0.25, 60)],
)
def test_the_paired_interval_covers_the_truth(only_a: float, only_b: float, n: int) -> None:
    """About 95 % of 20,000 simulated pairs of networks; with few discordant images it may be a little more."""
    cells = np.random.default_rng(1).multinomial(n, [only_a, only_b, 1 - only_a - only_b], 20_000)
    low, high = paired_limits(cells[:, 0], cells[:, 1], n)
    truth = only_b - only_a
    assert 0.94 < np.mean((low <= truth) & (truth <= high)) < 0.97


@pytest.mark.parametrize(("n_a", "n_b", "spread"), [(3, 3, 1.0), (5, 5, 2.0), (4, 10, 1.5)])
def test_intervals_over_seeds_cover_the_truth(n_a: int, n_b: int, spread: float) -> None:
    """About 95 % of 20,000 simulated groups, equal spreads or not, few seeds or more."""
    generator = np.random.default_rng(2)
    a, b = generator.normal(0, 1, (20_000, n_a)), generator.normal(0.7, spread, (20_000, n_b))
    low, high, *_ = welch_limits(
        (a.mean(axis=1), a.std(axis=1, ddof=1), n_a), (b.mean(axis=1), b.std(axis=1, ddof=1), n_b)
    )
    assert 0.94 < np.mean((low <= 0.7) & (high >= 0.7)) < 0.972
    means = [group_mean(row.tolist()) for row in a[:2000]]
    assert 0.935 < np.mean([(mean.low or 0) <= 0 <= (mean.high or 0) for mean in means]) < 0.965


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 2000))
def test_the_paired_interval_holds_the_observed_and_turns_with_its_names(
    only_a: int, only_b: int, others: int
) -> None:
    """Around the observed difference, within [-1, 1], and mirrored when A and B change places."""
    n = max(1, only_a + only_b + others)
    low, high = limits(only_a, only_b, n)
    assert -1 <= low <= (only_b - only_a) / n <= high <= 1
    assert limits(only_b, only_a, n) == pytest.approx((-high, -low), abs=1e-9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_never_lowers_and_keeps_the_order(values: list[float]) -> None:
    """Adjusted values are at least their own, at most 1, and in the same order."""
    adjusted = holm(values)
    assert all(value <= raised <= 1 for value, raised in zip(values, adjusted, strict=True))
    order = np.argsort(values, kind="stable")
    assert np.all(np.diff(np.array(adjusted)[order]) >= 0)
