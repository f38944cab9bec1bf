"""What a data set is like: classes, means, deviations, grey values. Numpy alone, a block of images at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mnist_dash.core.config.run_config import N_CLASSES

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
_BLOCK = 2000
"""Images that are widened to larger numbers at once."""


@dataclass(frozen=True)
class ClassImages:
    """Mean and standard deviation of every pixel within each class; of a class without images, zeros."""

    means: npt.NDArray[np.float64]
    """``(10, 28, 28)`` grey values, 0 to 255."""
    deviations: npt.NDArray[np.float64]
    """``(10, 28, 28)`` grey values, dividing by the number of images."""
    counts: npt.NDArray[np.int64]
    """``(10,)`` images."""


def count_classes(labels: Labels) -> npt.NDArray[np.int64]:
    """Count the images of each class, ``(10,)``."""
    return np.bincount(labels, minlength=N_CLASSES)


def class_images(images: Images, labels: Labels) -> ClassImages:
    """Compute the mean and the deviation image of each class.

    Sums of whole numbers, so nothing is rounded before the last division.

    Args:
        images: ``(N, 28, 28)`` uint8.
        labels: ``(N,)``, 0 to 9.
    """
    shape = images.shape[1:]
    sums, squares = np.zeros((2, N_CLASSES, *shape), np.int64)
    counts = count_classes(labels)
    for digit in range(N_CLASSES):
        indices = np.flatnonzero(labels == digit)
        for block in _blocks(len(indices)):
            part = images[indices[block]].astype(np.uint32)
            sums[digit] += part.sum(0, dtype=np.int64)
            squares[digit] += (part * part).sum(0, dtype=np.int64)
    n = np.maximum(counts, 1)[:, None, None]
    means = sums / n
    return ClassImages(means, np.sqrt(np.maximum(squares / n - means**2, 0)), counts)


def count_grey_values(images: Images) -> npt.NDArray[np.int64]:
    """Count how often each grey value occurs among all pixels, ``(256,)``."""
    counts = np.zeros(256, np.int64)
    for block in _blocks(len(images)):
        counts += np.bincount(images[block].ravel(), minlength=256)
    return counts


def _blocks(n: int) -> Iterator[slice]:
    for start in range(0, n, _BLOCK):
        yield slice(start, start + _BLOCK)
