"""The images of a set that are most like a given one, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Distance = Literal["cosine", "euclidean"]
_BLOCK = 500
"""Images widened to float32 at once: they stay in the processor's cache, so the set needs no float32 copy of its own."""


@dataclass(frozen=True)
class Gallery:
    """A set of images made ready for comparing."""

    images: npt.NDArray[np.uint8]
    """``(N, 784)``, a view where the images allow it."""
    norms: npt.NDArray[np.float32]
    """``(N,)`` Euclidean lengths, in grey values."""


def hang(images: npt.NDArray[np.uint8]) -> Gallery:
    """Make images ``(N, 28, 28)`` uint8 ready for `nearest`."""
    flat = images.reshape(len(images), -1)
    starts = range(0, len(flat), _BLOCK)
    norms = [
        np.linalg.norm(flat[start : start + _BLOCK].astype(np.float32), axis=1) for start in starts
    ]
    return Gallery(flat, np.concatenate(norms).astype(np.float32))


def nearest(
    gallery: Gallery, image: npt.NDArray[np.uint8], *, n: int, distance: Distance
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Find the images most like one.

    Args:
        gallery: the images to look through.
        image: ``(28, 28)`` uint8, not all zero.
        n: how many to find.
        distance: ``cosine`` is 1 - cosine of the angle, in [0, 1] for images; ``euclidean`` is in units of the full grey value 255.

    Returns:
        Their indices and distances, nearest first, ``(n,)`` each.
    """
    query = image.ravel().astype(np.float32)
    starts = range(0, len(gallery.images), _BLOCK)
    products = np.concatenate(
        [gallery.images[start : start + _BLOCK].astype(np.float32) @ query for start in starts]
    )
    norm = np.float32(np.linalg.norm(query))
    if distance == "cosine":
        distances = 1 - products / np.maximum(gallery.norms * norm, 1)
    else:
        distances = np.sqrt(np.maximum(gallery.norms**2 - 2 * products + norm**2, 0)) / np.float32(
            255
        )
    found = (
        np.argpartition(distances, n - 1)[:n] if n < len(distances) else np.arange(len(distances))
    )
    found = found[np.lexsort((found, distances[found]))]
    return found, distances[found]


def nearest_rows(
    values: npt.NDArray[np.float32], row: npt.NDArray[np.float32], *, n: int
) -> npt.NDArray[np.int64]:
    """Find the rows of ``(N, d)`` nearest to one of ``(d,)`` by Euclidean distance: the indices of the `n` nearest, nearest first."""
    distances = np.linalg.norm(values - row, axis=1)
    return np.argsort(distances, kind="stable")[:n]
