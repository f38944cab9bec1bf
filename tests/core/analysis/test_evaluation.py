"""Metrics against scikit-learn, and the interval against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from mnist_dash.core.analysis.evaluation import (
    accuracy,
    class_accuracies,
    classification_report,
    confused_pairs,
    confusion_matrix,
    cross_entropy,
    error_margins,
    ranked_images,
    top_two_margins,
    wilson_interval,
)

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


def test_confused_pairs_are_the_largest_entries_beside_the_diagonal() -> None:
    """The most frequent first, with its share of the true class; never a right one."""
    confusion = confusion_matrix(LABELS, PROBABILITIES)
    pairs = confused_pairs(confusion, 90)
    wrong = [
        (int(count), true, predicted)
        for (true, predicted), count in np.ndenumerate(confusion - np.diag(np.diag(confusion)))
        if count
    ]
    assert [(pair.count, pair.true, pair.predicted) for pair in pairs] == sorted(
        wrong, key=lambda entry: -entry[0]
    )
    assert sum(pair.count for pair in pairs) == np.sum(LABELS != PREDICTED)
    assert pairs[0].share == pairs[0].count / np.sum(pairs[0].true == LABELS)
    assert confused_pairs(np.diag(np.full(10, 5)), 6) == ()


def test_errors_are_ranked_by_how_far_the_wrong_class_is_ahead() -> None:
    """Every error once, the largest p(predicted) - p(true) first."""
    ranked = ranked_images(LABELS, PROBABILITIES)
    by_hand = [PROBABILITIES[i, PREDICTED[i]] - PROBABILITIES[i, LABELS[i]] for i in ranked]
    assert by_hand == sorted(by_hand, reverse=True)
    assert sorted(ranked) == list(np.flatnonzero(PREDICTED != LABELS))
    assert np.array_equal(error_margins(LABELS, PROBABILITIES)[ranked], by_hand)


@pytest.mark.parametrize("cell", [(4, 9), (4, 4), (0, 1)])
def test_images_of_a_cell_are_as_many_as_it_counts(cell: tuple[int, int]) -> None:
    """The images of a cell of the matrix, right ones on its diagonal, the least sure of these first."""
    true, predicted = cell
    ranked = ranked_images(LABELS, PROBABILITIES, true=true, predicted=predicted)
    assert len(ranked) == confusion_matrix(LABELS, PROBABILITIES)[true, predicted]
    assert set(LABELS[ranked]) | {true} == {true}
    assert set(PREDICTED[ranked]) | {predicted} == {predicted}
    if true == predicted:
        assert np.all(np.diff(top_two_margins(PROBABILITIES)[ranked]) >= 0)


def test_margins_bound_the_ranking() -> None:
    """Only errors between the bounds are left."""
    margins = error_margins(LABELS, PROBABILITIES)[
        ranked_images(LABELS, PROBABILITIES, margins=(0.1, 0.3))
    ]
    assert len(margins)
    assert margins.min() >= 0.1
    assert margins.max() <= 0.3


def test_class_accuracy_is_the_recall() -> None:
    """It is scikit-learn's recall of each class."""
    assert np.allclose(
        class_accuracies(LABELS, PROBABILITIES),
        metrics.recall_score(LABELS, PREDICTED, average=None),
    )


def test_cross_entropy_is_scikit_learns_log_loss() -> None:
    """In nats; a probability of zero for the true class is bad but finite."""
    shares = PROBABILITIES / PROBABILITIES.sum(axis=1, keepdims=True)
    assert cross_entropy(LABELS, shares) == pytest.approx(
        metrics.log_loss(LABELS, shares), rel=1e-5
    )
    assert 80 < cross_entropy(np.array([1]), np.eye(10, dtype=np.float32)[[0]]) < 90
