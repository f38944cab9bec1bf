"""Calibration against scikit-learn and against the definition, worked out image by image."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve as sklearn_curve

from mnist_dash.core.analysis.calibration_curve import calibration_curve

GENERATOR = np.random.default_rng(11)
LABELS = GENERATOR.integers(0, 10, 4_000)
PROBABILITIES = GENERATOR.dirichlet(np.full(10, 0.15), 4_000).astype(np.float32)
PROBABILITIES[:2_000] = (
    0.7 * PROBABILITIES[:2_000] + 0.3 * np.eye(10, dtype=np.float32)[LABELS[:2_000]]
)


def test_curve_agrees_with_scikit_learn() -> None:
    """Mean confidence and accuracy of each bin that holds images."""
    right = PROBABILITIES.argmax(axis=1) == LABELS
    accuracy, confidence = sklearn_curve(
        right, PROBABILITIES.max(axis=1).astype(np.float64), n_bins=15
    )
    found = calibration_curve(LABELS, PROBABILITIES)
    filled = found.counts > 0
    assert np.allclose(found.accuracy[filled], accuracy)
    assert np.allclose(found.confidence[filled], confidence)
    assert found.counts.sum() == 4_000


def test_expected_error_is_that_of_the_definition() -> None:
    """Equations 2 and 3 of the paper, image by image."""
    confidence, right = (
        PROBABILITIES.max(axis=1).astype(float),
        PROBABILITIES.argmax(axis=1) == LABELS,
    )
    error = 0.0
    for m in range(1, 16):
        members = [i for i in range(4_000) if (m - 1) / 15 < confidence[i] <= m / 15]
        if members:
            error += (
                len(members) / 4_000 * abs(np.mean(right[members]) - np.mean(confidence[members]))
            )
    found = calibration_curve(LABELS, PROBABILITIES)
    assert found.expected_error == pytest.approx(error)
    assert found.overall_accuracy == pytest.approx(right.mean())
    assert found.mean_confidence == pytest.approx(confidence.mean())


def test_a_sure_and_right_network_has_no_error() -> None:
    """All images in the last bin, on the diagonal; the empty bins count nothing."""
    found = calibration_curve(LABELS, np.eye(10, dtype=np.float32)[LABELS])
    assert found.expected_error == 0.0
    assert found.counts[-1] == 4_000
    assert np.isnan(found.accuracy[:-1]).all()
