"""One class against the rest: how its probability is spread, and what a threshold on it calls.

Labels are ``(N,)`` int64, probabilities ``(N, 10)`` float32. An image is called the class when its probability is at least the threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mnist_dash.core.analysis.evaluation import Labels, Probabilities

N_BINS = 50
USUAL_THRESHOLD = 0.5


@dataclass(frozen=True)
class Histogram:
    """Counts in bins of equal width over [0, 1]; each bin holds its left edge, the last one also its right."""

    edges: npt.NDArray[np.float64]
    """``(n_bins + 1,)``, ascending."""
    counts: npt.NDArray[np.int64]
    """``(n_bins,)``; they sum to the number of values."""


@dataclass(frozen=True)
class ThresholdFigures:
    """What a threshold gets right and wrong, in images."""

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @property
    def precision(self) -> float | None:
        """Share of the class among the images called so; None where none is."""
        called = self.true_positives + self.false_positives
        return self.true_positives / called if called else None

    @property
    def recall(self) -> float | None:
        """Share of the class that is called so; None where there is no image of it."""
        support = self.true_positives + self.false_negatives
        return self.true_positives / support if support else None


@dataclass(frozen=True)
class ThresholdImages:
    """Indices of images, ascending."""

    flipped: npt.NDArray[np.int64]
    """Called differently than at the usual threshold of one half."""
    false_positives: npt.NDArray[np.int64]
    false_negatives: npt.NDArray[np.int64]


def histogram(values: npt.NDArray[np.floating], n_bins: int = N_BINS) -> Histogram:
    """Count values in [0, 1] in bins of equal width; what rounding put outside counts in the outermost bins.

    Values ``(N,)`` float -> counts ``(n_bins,)``.
    """
    counts, edges = np.histogram(np.clip(values, 0.0, 1.0), bins=n_bins, range=(0.0, 1.0))
    return Histogram(edges, counts.astype(np.int64))


def threshold_figures(
    labels: Labels, probabilities: Probabilities, digit: int, threshold: float
) -> ThresholdFigures:
    """Count what calling an image `digit` from a probability of `threshold` on gets right and wrong."""
    called, of_digit = probabilities[:, digit] >= threshold, labels == digit
    return ThresholdFigures(
        true_positives=int(np.sum(called & of_digit)),
        false_positives=int(np.sum(called & ~of_digit)),
        false_negatives=int(np.sum(~called & of_digit)),
        true_negatives=int(np.sum(~called & ~of_digit)),
    )


def threshold_images(
    labels: Labels, probabilities: Probabilities, digit: int, threshold: float
) -> ThresholdImages:
    """Find the images that a threshold on the probability of `digit` calls wrongly, and those called otherwise than one half does."""
    called, of_digit = probabilities[:, digit] >= threshold, labels == digit
    usual = probabilities[:, digit] >= USUAL_THRESHOLD
    return ThresholdImages(
        *(
            np.flatnonzero(chosen)
            for chosen in (called != usual, called & ~of_digit, ~called & of_digit)
        )
    )
