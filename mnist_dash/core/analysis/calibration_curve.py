"""Is a network as often right as it is sure? Calibration curve and expected calibration error (Guo et al., 2017, sections 2 and 3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mnist_dash.core.analysis.evaluation import Labels, Probabilities

N_BINS = 15
"""As in the paper's experiments."""


@dataclass(frozen=True)
class CalibrationCurve:
    """Images by confidence, in bins of equal width; bin m of M holds confidences in ``((m - 1) / M, m / M]``."""

    edges: npt.NDArray[np.float64]
    """``(n_bins + 1,)``, ascending from 0 to 1."""
    counts: npt.NDArray[np.int64]
    """``(n_bins,)`` images."""
    confidence: npt.NDArray[np.float64]
    """``(n_bins,)`` mean probability of the predicted class; NaN where a bin is empty."""
    accuracy: npt.NDArray[np.float64]
    """``(n_bins,)`` share of right predictions; NaN where a bin is empty."""

    @property
    def expected_error(self) -> float:
        """Expected calibration error: mean distance of accuracy and confidence over the bins, weighted by their images."""
        return float(
            np.nansum(self.counts * np.abs(self.accuracy - self.confidence)) / self.counts.sum()
        )

    @property
    def mean_confidence(self) -> float:
        """Mean probability of the predicted class over all images."""
        return float(np.nansum(self.counts * self.confidence) / self.counts.sum())

    @property
    def overall_accuracy(self) -> float:
        """Share of right predictions over all images."""
        return float(np.nansum(self.counts * self.accuracy) / self.counts.sum())


def calibration_curve(
    labels: Labels, probabilities: Probabilities, n_bins: int = N_BINS
) -> CalibrationCurve:
    """Compare how sure a network was with how often it was right.

    Args:
        labels: ``(N,)``, at least one.
        probabilities: ``(N, 10)``; confidence is the largest of an image.
        n_bins: bins of equal width over (0, 1].
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0.0, 1.0, n_bins + 1)
    bins = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, n_bins - 1)
    counts = np.bincount(bins, minlength=n_bins)
    with np.errstate(invalid="ignore"):
        means = [
            np.bincount(bins, weights=values, minlength=n_bins) / counts
            for values in (confidence, right)
        ]
    return CalibrationCurve(edges, counts, means[0], means[1])
