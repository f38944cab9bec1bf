"""Histograms of oriented gradients (Dalal and Triggs, 2005), as scikit-image's `hog` computes them with one cell a block.

8 orientations in 7 x 7 cells of 4 x 4 pixels: 392 features an image. Grey values are whole numbers, so are their differences: orientation
and length of every possible gradient stand in tables, and no rounding can put a gradient into another orientation than scikit-image does.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

N_ORIENTATIONS = 8
CELL_PIXELS = 4
N_CELLS = 28 // CELL_PIXELS
N_FEATURES = N_ORIENTATIONS * N_CELLS**2
HOG_VERSION = "8x4x1-l2hys"
"""Names these parameters in the caches."""
EPSILON = 1e-5
CLIP = 0.2
_AT_ONCE = 1000
MAX_GRADIENT = 255


def hog(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Compute the features of images.

    Each cell's histogram is normalised by its own length, clipped at 0.2 and normalised again (L2-Hys, Lowe, 2004).

    Args:
        images: ``(N, 28, 28)`` grey values.

    Returns:
        ``(N, 392)``, by row of cells, column of cells, orientation.
    """
    features = np.empty((len(images), N_FEATURES), np.float32)
    for start in range(0, len(images), _AT_ONCE):
        features[start : start + _AT_ONCE] = _hog(images[start : start + _AT_ONCE])
    return features


def _hog(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    orientations, lengths = gradient_tables()
    values = images.astype(np.int32)
    down, right = np.zeros_like(values), np.zeros_like(values)
    down[:, 1:-1] = values[:, 2:] - values[:, :-2]
    right[:, :, 1:-1] = values[:, :, 2:] - values[:, :, :-2]
    gradient = (down + MAX_GRADIENT) * (2 * MAX_GRADIENT + 1) + right + MAX_GRADIENT
    n = len(images)
    places = (np.arange(n)[:, None, None] * N_CELLS**2 + _cells()) * N_ORIENTATIONS + orientations[
        gradient
    ]
    sums = np.bincount(places.ravel(), weights=lengths[gradient].ravel(), minlength=n * N_FEATURES)
    cells = sums.reshape(n, N_CELLS**2, N_ORIENTATIONS) / CELL_PIXELS**2
    clipped = np.minimum(_normalised(cells), CLIP)
    return _normalised(clipped).reshape(n, N_FEATURES)


def _normalised(cells: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    normalised: npt.NDArray[np.float64] = cells / np.sqrt(
        np.sum(cells**2, axis=-1, keepdims=True) + EPSILON**2
    )
    return normalised


@functools.cache
def gradient_tables() -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Orientation (0 to 7) and length of every gradient, by ``(down + 255) * 511 + right + 255``.

    Both ``(511 * 511,)``; lengths are in grey values a pixel.
    """
    steps = np.arange(-MAX_GRADIENT, MAX_GRADIENT + 1, dtype=np.float64)
    down, right = np.meshgrid(steps, steps, indexing="ij")
    degrees = np.rad2deg(np.arctan2(down, right)) % 180
    orientations = np.minimum(degrees // (180 / N_ORIENTATIONS), N_ORIENTATIONS - 1)
    return orientations.astype(np.intp).ravel(), np.hypot(down, right).ravel()


@functools.cache
def _cells() -> npt.NDArray[np.intp]:
    """Number of the cell that each pixel lies in, ``(28, 28)``."""
    cell = np.arange(28) // CELL_PIXELS
    return cell[:, None] * N_CELLS + cell[None, :]
