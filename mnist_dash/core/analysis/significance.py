"""Is a difference real: tests and intervals for two networks on the same images, and for groups of seeds.

Accuracies are fractions in [0, 1]; a difference is that of B less that of A. Intervals and tests are two-sided. scipy is loaded by the
functions that need it, so that a page which draws curves does not wait for it.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

CONFIDENCE = 0.95
ALPHA = 1 - CONFIDENCE
POWER = 0.8
"""How often the seeds that are asked for would show a difference of the observed size."""
MOST_SEEDS = 1000
"""More seeds than these nobody trains: a difference that needs them is said to need more than this."""
_HALVINGS = 60
Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Samples = tuple[Floats, Floats, int]


@dataclass(frozen=True)
class Paired:
    """Two networks on the same images."""

    n: int
    """Images."""
    n_both: int
    """Images that both get right."""
    n_only_a: int
    """Images that A gets right and B wrong."""
    n_only_b: int
    """Images that B gets right and A wrong."""
    p_value: float
    """Of McNemar's exact test."""
    mid_p: float
    """The same, counting only half of the probability of what was observed: nearer to its nominal level, a little bolder."""
    low: float
    """Lower end of the interval of the difference in accuracy, B less A."""
    high: float

    @property
    def difference(self) -> float:
        """Accuracy of B less that of A."""
        return (self.n_only_b - self.n_only_a) / self.n


@dataclass(frozen=True)
class GroupMean:
    """A figure over the seeds of one group."""

    n: int
    mean: float
    deviation: float | None
    """Standard deviation with n - 1; None for one seed, which has none."""
    low: float | None
    """Lower end of the t interval of the mean; None for one seed."""
    high: float | None


@dataclass(frozen=True)
class Welch:
    """The means of two groups compared by Welch's t-test (Welch, 1947), which does not take their spreads for equal."""

    difference: float
    """Mean of B less that of A."""
    low: float
    high: float
    t: float
    degrees: float
    """Degrees of freedom by Welch and Satterthwaite."""
    p_value: float


def compare_paired(right_a: npt.NDArray[np.bool_], right_b: npt.NDArray[np.bool_]) -> Paired:
    """Compare two networks by which images each gets right.

    Args:
        right_a: ``(N,)`` whether A is right, N at least 1.
        right_b: ``(N,)`` whether B is right, on the same images in the same order.
    """
    return compare_all(right_a, [right_b])[0]


def compare_all(
    right_a: npt.NDArray[np.bool_], others: Sequence[npt.NDArray[np.bool_]]
) -> tuple[Paired, ...]:
    """Compare network A with several others, each as `compare_paired` does; the p-values are not corrected for their number.

    Hits are ``(N,)`` bool, True where a network is right, in the order of the images.
    """
    n = len(right_a)
    counts = [(int((right_a & ~right).sum()), int((right & ~right_a).sum())) for right in others]
    lows, highs = paired_limits(
        np.array([only_a for only_a, _ in counts]), np.array([only_b for _, only_b in counts]), n
    )
    n_right = int(right_a.sum())
    return tuple(
        Paired(n, n_right - only_a, only_a, only_b, *mcnemar(only_a, only_b), low, high)
        for (only_a, only_b), low, high in zip(counts, lows.tolist(), highs.tolist(), strict=True)
    )


def mcnemar(n_only_a: int, n_only_b: int) -> tuple[float, float]:
    """Test whether two networks err equally often, from the images on which one is right and the other wrong (McNemar, 1947).

    The exact test: were they equal, each such image would fall to either side like a coin. Without such images both are 1.

    Returns:
        The exact two-sided p-value, and the mid-p value (Fagerland, Lydersen and Laake, 2013).
    """
    n, least = n_only_a + n_only_b, min(n_only_a, n_only_b)
    if n == 0:
        return 1.0, 1.0
    from scipy.special import bdtr

    tail = float(bdtr(least, n, 0.5))
    point = tail - (float(bdtr(least - 1, n, 0.5)) if least else 0.0)
    return min(1.0, 2 * tail), min(1.0, 2 * tail - point)


def paired_limits(
    n_only_a: Counts, n_only_b: Counts, n: int, confidence: float = CONFIDENCE
) -> tuple[Floats, Floats]:
    """Bound the difference of two accuracies on the same images by Tango's score interval.

    Tango, T. (1998): Equivalence test and confidence interval for the difference in proportions for the paired-sample design. Statistics
    in Medicine 17, 891-908. All differences that the score test does not refuse; it holds near 0 and 1, where most networks are, stays
    within [-1, 1], and is there with no discordant image too. Found by halving, 60 times.

    Args:
        n_only_a: any shape: images that A alone gets right.
        n_only_b: the same shape: images that B alone gets right.
        n: images in all.
        confidence: how often the interval covers the truth, in (0, 1).

    Returns:
        Lower and upper ends, B less A.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    observed = (n_only_b - n_only_a) / n

    def score(difference: Floats) -> Floats:
        a, b = n_only_a, n_only_b
        linear = (2 * n - b + a) * difference - a - b
        constant = -a * difference * (1 - difference)
        # Of only A, most likely under the difference.
        share_a = (np.sqrt(np.maximum(linear**2 - 8 * n * constant, 0)) - linear) / (4 * n)
        variance = n * np.maximum(2 * share_a + difference * (1 - difference), np.finfo(float).tiny)
        return np.asarray((b - a - n * difference) / np.sqrt(variance))

    def solve(start: Floats, end: Floats, wanted: float) -> Floats:
        for _ in range(_HALVINGS):
            middle = (start + end) / 2
            above = score(middle) > wanted
            start, end = np.where(above, middle, start), np.where(above, end, middle)
        return (start + end) / 2

    return solve(np.full_like(observed, -1.0), observed, z), solve(
        observed, np.full_like(observed, 1.0), -z
    )


def group_mean(values: Sequence[float], confidence: float = CONFIDENCE) -> GroupMean:
    """Take the mean of a figure over seeds, with Student's t interval.

    Args:
        values: one a seed, at least one; equal ones give an interval without width.
        confidence: how often the interval covers the truth, in (0, 1).
    """
    n, is_same = len(values), min(values) == max(values)
    # Rounding would give equal values a mean and a spread of their own.
    mean = float(values[0]) if is_same else float(np.mean(values))
    if n == 1:
        return GroupMean(1, mean, None, None, None)
    from scipy.special import stdtrit

    deviation = 0.0 if is_same else float(np.std(values, ddof=1))
    half = float(stdtrit(n - 1, (1 + confidence) / 2)) * deviation / math.sqrt(n)
    return GroupMean(n, mean, deviation, mean - half, mean + half)


def welch(a: GroupMean, b: GroupMean, confidence: float = CONFIDENCE) -> Welch | None:
    """Compare two groups; None where there is no spread to compare with: one seed in either, or the same value from all seeds of both."""
    if a.deviation is None or b.deviation is None or a.deviation == b.deviation == 0:
        return None
    figures = welch_limits(
        (np.array([a.mean]), np.array([a.deviation]), a.n),
        (np.array([b.mean]), np.array([b.deviation]), b.n),
        confidence,
    )
    low, high, t, degrees, p_value = (float(figure[0]) for figure in figures)
    return Welch(b.mean - a.mean, low, high, t, degrees, p_value)


def welch_limits(
    a: Samples, b: Samples, confidence: float = CONFIDENCE
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Do Welch's t-test for many pairs of groups at once; means and deviations of one shape, at least one deviation of a pair above 0.

    Args:
        a: means, deviations and the number of seeds of each group.
        b: those that they are compared with.
        confidence: how often the interval covers the truth, in (0, 1).

    Returns:
        Lower and upper ends of the difference of the means, B less A; t; degrees of freedom; two-sided p-values.
    """
    from scipy.special import stdtr, stdtrit

    (mean_a, deviation_a, n_a), (mean_b, deviation_b, n_b) = a, b
    part_a, part_b = deviation_a**2 / n_a, deviation_b**2 / n_b
    degrees = (part_a + part_b) ** 2 / (part_a**2 / (n_a - 1) + part_b**2 / (n_b - 1))
    error, difference = np.sqrt(part_a + part_b), mean_b - mean_a
    t = difference / error
    half = stdtrit(degrees, (1 + confidence) / 2) * error
    return (
        difference - half,
        difference + half,
        t,
        degrees,
        np.minimum(1.0, 2 * stdtr(degrees, -np.abs(t))),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for there being several (Holm, 1979): the chance that any of them misleads stays at the level.

    Returns:
        Adjusted p-values in the same order, each in [0, 1] and not below its own.
    """
    n, adjusted, least = len(p_values), [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(n), key=p_values.__getitem__)):
        least = max(least, min(1.0, (n - rank) * p_values[place]))
        adjusted[place] = least
    return adjusted


def seeds_needed(
    a: GroupMean, b: GroupMean, *, alpha: float = ALPHA, power: float = POWER
) -> int | None:
    """Say how many seeds each of two groups needs to show the observed difference, were it and the spreads the true ones.

    The power of Welch's test by the noncentral t distribution (Cohen, 1988) with groups of one size.

    Args:
        a: at least two seeds.
        b: at least two seeds.
        alpha: level of the test; divided by the number of comparisons where there are several.
        power: how often the test would show the difference.

    Returns:
        Seeds in each group, at least 2; None where more than `MOST_SEEDS` would be needed, or the spreads or the difference are not known
        or none.
    """
    difference = b.mean - a.mean
    if (
        a.deviation is None
        or b.deviation is None
        or difference == 0
        or a.deviation == b.deviation == 0
    ):
        return None
    from scipy.special import nctdtr, stdtrit

    variance_a, variance_b = a.deviation**2, b.deviation**2

    def is_enough(n: int) -> bool:
        degrees = (n - 1) * (variance_a + variance_b) ** 2 / (variance_a**2 + variance_b**2)
        away = abs(difference) / math.sqrt((variance_a + variance_b) / n)
        critical = float(stdtrit(degrees, 1 - alpha / 2))
        shown = 1 - float(nctdtr(degrees, away, critical)) + float(nctdtr(degrees, away, -critical))
        # Where the difference is many errors wide the distribution's tail underflows to nan: the test then never misses it.
        return away > critical if math.isnan(shown) else shown >= power

    found = bisect.bisect_left(range(2, MOST_SEEDS + 1), x=True, key=is_enough) + 2
    return found if found <= MOST_SEEDS else None


def expected_best(n: int) -> float:
    """Say how far above their mean the best of n equally good ones is expected, in standard deviations (Blom, 1958); 0 for one."""
    return 0.0 if n < 2 else NormalDist().inv_cdf((n - 0.375) / (n + 0.25))
