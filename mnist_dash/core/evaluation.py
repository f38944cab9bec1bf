"""Probabilities and labels -> the figures that say how good a network is. numpy only, so that pages draw them without loading torch.

Labels are ``(N,)`` int64, probabilities ``(N, 10)`` float32; a prediction is the class of the largest probability, the first of equals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from mnist_dash.core.config import N_CLASSES

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


def confusion_matrix(labels: Labels, probabilities: Probabilities) -> npt.NDArray[np.int64]:
    """Count images by true class (rows) and predicted class (columns), ``(10, 10)``; the entries sum to N."""
    cells = labels * N_CLASSES + probabilities.argmax(axis=1)
    return np.bincount(cells, minlength=N_CLASSES**2).reshape(N_CLASSES, N_CLASSES)


def accuracy(labels: Labels, probabilities: Probabilities) -> float:
    """Share of the images whose predicted class is the true one, in [0, 1]."""
    return float(np.mean(probabilities.argmax(axis=1) == labels))


def classification_report(labels: Labels, probabilities: Probabilities) -> tuple[ClassRow, ...]:
    """Compute precision, recall, F1 and support of every class, from 0 to 9."""
    confusion = confusion_matrix(labels, probabilities)
    right, called, support = np.diag(confusion), confusion.sum(axis=0), confusion.sum(axis=1)
    precision, recall = _share(right, called), _share(right, support)
    f1 = _share(2 * precision * recall, precision + recall)
    return tuple(
        ClassRow(label, float(precision[label]), float(recall[label]), float(f1[label]), int(support[label])) for label in range(N_CLASSES)
    )


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


def _share(part: npt.NDArray[np.generic], whole: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    """Divide; nothing of nothing is 0."""
    shares = np.zeros(len(part))
    np.divide(part, whole, out=shares, where=whole != 0)
    return shares
