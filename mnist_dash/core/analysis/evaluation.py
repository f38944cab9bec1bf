"""Probabilities and labels -> the figures that say how good a network is. numpy only, so that pages draw them without loading torch.

Labels are ``(N,)`` int64, probabilities ``(N, 10)`` float32; a prediction is the class of the largest probability, the first of equals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from mnist_dash.core.config.run_config import N_CLASSES

Labels = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ClassRow:
    """How well one class is found."""

    label: int
    precision: float
    """Share of the images called this class that are of it; 0 where none was called so."""
    recall: float
    """Share of the images of this class that were called so; 0 where there are none."""
    f1: float
    """Harmonic mean of precision and recall."""
    support: int
    """Images of this class."""


@dataclass(frozen=True)
class ConfusedPair:
    """Images of one class that were taken for another."""

    true: int
    predicted: int
    count: int
    share: float
    """Of the images of the true class, in (0, 1]."""


def confusion_matrix(labels: Labels, probabilities: Probabilities) -> npt.NDArray[np.int64]:
    """Count images by true class (rows) and predicted class (columns), ``(10, 10)``; the entries sum to N."""
    cells = labels * N_CLASSES + probabilities.argmax(axis=1)
    return np.bincount(cells, minlength=N_CLASSES**2).reshape(N_CLASSES, N_CLASSES)


def accuracy(labels: Labels, probabilities: Probabilities) -> float:
    """Share of the images whose predicted class is the true one, in [0, 1]."""
    return float(np.mean(probabilities.argmax(axis=1) == labels))


def cross_entropy(labels: Labels, probabilities: Probabilities) -> float:
    """Compute the mean of ``-log p(true)`` in nats; what float32 rounded to 0 counts as its smallest number."""
    true = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.mean(np.log(np.maximum(true, np.finfo(np.float32).tiny))))


def classification_report(labels: Labels, probabilities: Probabilities) -> tuple[ClassRow, ...]:
    """Compute precision, recall, F1 and support of every class, from 0 to 9."""
    confusion = confusion_matrix(labels, probabilities)
    right, called, support = np.diag(confusion), confusion.sum(axis=0), confusion.sum(axis=1)
    precision, recall = _share(right, called), _share(right, support)
    f1 = _share(2 * precision * recall, precision + recall)
    return tuple(
        ClassRow(
            label,
            float(precision[label]),
            float(recall[label]),
            float(f1[label]),
            int(support[label]),
        )
        for label in range(N_CLASSES)
    )


def confused_pairs(confusion: npt.NDArray[np.int64], n: int) -> tuple[ConfusedPair, ...]:
    """List the n most frequent confusions, the most frequent first, equals in the order of the classes; none that never happened.

    Args:
        confusion: ``(10, 10)``, from `confusion_matrix`.
        n: how many at most.
    """
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    support = confusion.sum(axis=1)
    order = np.argsort(-wrong, axis=None, kind="stable")[:n]
    pairs = [(*divmod(int(cell), N_CLASSES), int(wrong.flat[cell])) for cell in order]
    return tuple(
        ConfusedPair(true, predicted, count, count / int(support[true]))
        for true, predicted, count in pairs
        if count
    )


def error_margins(labels: Labels, probabilities: Probabilities) -> npt.NDArray[np.float32]:
    """Compute ``p(predicted) - p(true)``, ``(N,)`` in [0, 1]; 0 where the prediction is right."""
    margins: npt.NDArray[np.float32] = (
        probabilities.max(axis=1) - probabilities[np.arange(len(labels)), labels]
    )
    return margins


def top_two_margins(probabilities: Probabilities) -> npt.NDArray[np.float32]:
    """Compute how far the most probable class is ahead of the second, ``(N,)`` in [0, 1]."""
    two = np.partition(probabilities, -2, axis=1)
    margins: npt.NDArray[np.float32] = two[:, -1] - two[:, -2]
    return margins


def ranked_images(
    labels: Labels,
    probabilities: Probabilities,
    *,
    true: int | None = None,
    predicted: int | None = None,
    margins: tuple[float, float] = (0.0, 1.0),
) -> npt.NDArray[np.int64]:
    """Rank images: errors by `error_margins`, the worst first; the right ones of one class by `top_two_margins`, the least sure first.

    Probabilities are ``(N, 10)`` in [0, 1], labels and the indices returned ``(N,)``.

    Args:
        labels: true classes.
        probabilities: of the same images.
        true: only images of this class.
        predicted: only images that were taken for this class. The right ones are meant where it is `true`, the errors otherwise.
        margins: bounds, both included, of the margin that ranks.

    Returns:
        Indices of the images; equals in the order of the images.
    """
    guesses = probabilities.argmax(axis=1)
    right = true is not None and true == predicted
    chosen = (guesses == labels) if right else (guesses != labels)
    if true is not None:
        chosen &= labels == true
    if predicted is not None:
        chosen &= guesses == predicted
    ranking = top_two_margins(probabilities) if right else error_margins(labels, probabilities)
    if margins != (0.0, 1.0):
        chosen &= (ranking >= margins[0]) & (ranking <= margins[1])
    indices = np.flatnonzero(chosen)
    return indices[np.argsort(ranking[indices] if right else -ranking[indices], kind="stable")]


def class_accuracies(labels: Labels, probabilities: Probabilities) -> npt.NDArray[np.float64]:
    """Compute the share of each class that was called rightly (its recall), ``(10,)``; 0 where there are none."""
    confusion = confusion_matrix(labels, probabilities)
    return _share(np.diag(confusion), confusion.sum(axis=1))


def wilson_interval(n_right: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Bound an accuracy by Wilson's score interval (Wilson, 1927), which stays in [0, 1] and holds near 1, where the usual one fails.

    Args:
        n_right: images classified rightly.
        n: images in all, at least 1.
        confidence: how often the interval covers the truth, in (0, 1).
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = n_right / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def _share(
    part: npt.NDArray[np.generic], whole: npt.NDArray[np.generic]
) -> npt.NDArray[np.float64]:
    """Divide; nothing of nothing is 0.

    Counts and result have the same shape, ``(10,)``.
    """
    shares = np.zeros(len(part))
    np.divide(part, whole, out=shares, where=whole != 0)
    return shares
