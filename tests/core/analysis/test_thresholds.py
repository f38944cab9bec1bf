"""One class against the rest: bins that lose no image, and figures against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from mnist_dash.core.analysis.thresholds import histogram, threshold_figures, threshold_images

GENERATOR = np.random.default_rng(3)
LABELS = GENERATOR.integers(0, 10, 3_000)
PROBABILITIES = GENERATOR.dirichlet(np.full(10, 0.1), 3_000).astype(np.float32)
PROBABILITIES[:5] = np.eye(10, dtype=np.float32)[LABELS[:5]]


@pytest.mark.parametrize("digit", range(10))
def test_bins_sum_to_the_class_counts(digit: int) -> None:
    """The images of the digit and the rest are each counted once, those at 0 and at 1 included."""
    of_digit = histogram(PROBABILITIES[digit == LABELS, digit])
    rest = histogram(PROBABILITIES[digit != LABELS, digit])
    assert of_digit.counts.sum() == np.sum(digit == LABELS)
    assert rest.counts.sum() == np.sum(digit != LABELS)
    assert (len(of_digit.edges), of_digit.edges[0], of_digit.edges[-1]) == (51, 0.0, 1.0)


def test_rounding_above_one_loses_no_image() -> None:
    """A softmax in float32 may come out as a hair more than 1."""
    assert histogram(np.array([1.0000001, -1e-9, 0.5])).counts.sum() == 3


@pytest.mark.parametrize("threshold", [0.0, 0.01, 0.5, 0.99, 1.0])
@pytest.mark.parametrize("digit", [0, 7])
def test_figures_agree_with_scikit_learn(digit: int, threshold: float) -> None:
    """Counts, precision and recall of the class against the rest."""
    called, of_digit = PROBABILITIES[:, digit] >= threshold, digit == LABELS
    found = threshold_figures(LABELS, PROBABILITIES, digit, threshold)
    ((true_negatives, false_positives), (false_negatives, true_positives)) = (
        metrics.confusion_matrix(of_digit, called, labels=[False, True])
    )
    assert (found.true_negatives, found.false_positives) == (true_negatives, false_positives)
    assert (found.false_negatives, found.true_positives) == (false_negatives, true_positives)
    if called.any():
        assert found.precision == pytest.approx(metrics.precision_score(of_digit, called))
    assert found.recall == pytest.approx(metrics.recall_score(of_digit, called))


def test_nothing_called_has_no_precision() -> None:
    """A share of nothing is no number."""
    found = threshold_figures(np.array([1, 2]), np.full((2, 10), 0.1, dtype=np.float32), 0, 0.5)
    assert (found.precision, found.recall) == (None, None)


@pytest.mark.parametrize("threshold", [0.05, 0.5, 0.9])
def test_images_are_those_that_the_figures_count(threshold: float) -> None:
    """As many wrong ones as are counted; those between the threshold and one half flip."""
    figures = threshold_figures(LABELS, PROBABILITIES, 3, threshold)
    images = threshold_images(LABELS, PROBABILITIES, 3, threshold)
    assert (len(images.false_positives), len(images.false_negatives)) == (
        figures.false_positives,
        figures.false_negatives,
    )
    low, high = sorted((threshold, 0.5))
    assert np.array_equal(
        images.flipped, np.flatnonzero((PROBABILITIES[:, 3] >= low) & (PROBABILITIES[:, 3] < high))
    )
