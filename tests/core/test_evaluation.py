"""Metrics against scikit-learn, and the interval against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from mnist_dash.core.evaluation import accuracy, classification_report, confusion_matrix, wilson_interval

GENERATOR = np.random.default_rng(7)
LABELS = GENERATOR.integers(0, 10, 2_000)
PROBABILITIES = GENERATOR.dirichlet(np.ones(10), 2_000).astype(np.float32)
PROBABILITIES[np.arange(1_500), LABELS[:1_500]] += 1
PREDICTED = PROBABILITIES.argmax(axis=1)


def test_confusion_matrix_has_true_classes_in_rows() -> None:
    """The matrix is scikit-learn's: rows true, columns predicted, every image once."""
    found = confusion_matrix(LABELS, PROBABILITIES)
    assert np.array_equal(found, metrics.confusion_matrix(LABELS, PREDICTED))
    assert found.sum() == 2_000


def test_report_agrees_with_scikit_learn() -> None:
    """Precision, recall, F1 and support of each class are scikit-learn's."""
    expected = metrics.precision_recall_fscore_support(LABELS, PREDICTED)
    rows = classification_report(LABELS, PROBABILITIES)
    found = np.array([(row.precision, row.recall, row.f1, row.support) for row in rows]).T
    assert np.allclose(found, expected)
    assert accuracy(LABELS, PROBABILITIES) == metrics.accuracy_score(LABELS, PREDICTED)


def test_class_that_nobody_predicts_has_precision_zero() -> None:
    """A class without predictions or images gives zeros, not a warning."""
    certain = np.zeros((4, 10), dtype=np.float32)
    certain[:, 3] = 1
    rows = classification_report(np.array([3, 3, 5, 5]), certain)
    assert (rows[5].precision, rows[5].recall, rows[5].f1, rows[5].support) == (0.0, 0.0, 0.0, 2)
    assert (rows[9].support, rows[9].recall) == (0, 0.0)
    assert (rows[3].precision, rows[3].recall) == (0.5, 1.0)


def test_wilson_interval_has_the_published_values() -> None:
    """Newcombe's (1998) examples: 81 of 263 gives 0.2553 to 0.3662, 0 of 20 gives 0 to 0.1611."""
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson_interval(20, 20)[1] == 1.0
