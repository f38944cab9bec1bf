"""The augmentation of training images in numpy, for pages, which load no torch: the operations of `core.data.augmentation` one by one.

Only the draws come from another generator; a test holds that the same draws give the same images.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mnist_dash.core.config.run_config import Augmentation

SIDE = 28
Values = npt.NDArray[np.float64]


def distort(
    images: npt.NDArray[np.uint8], augmentation: Augmentation, *, seed: int
) -> npt.NDArray[np.uint8]:
    """Change each image at random, as training does.

    Args:
        images: ``(B, 28, 28)`` uint8.
        augmentation: how much, at most.
        seed: of numpy's generator; the same seed gives the same changes.

    Returns:
        ``(B, 28, 28)`` uint8, rounded.
    """
    rng, n = np.random.default_rng(seed), len(images)

    def draw(largest: float) -> Values:
        return rng.uniform(-largest, largest, n)

    angles, scales = draw(augmentation.rotation), 1 + draw(augmentation.scale)
    shifts = np.rint(
        np.stack([draw(augmentation.shift * SIDE), draw(augmentation.shift * SIDE)], 1)
    )
    changed = sample(images.astype(float), affine_grid(angles, shifts, scales))
    if augmentation.elastic > 0:
        noise = rng.uniform(-1, 1, (n, 2, SIDE, SIDE))
        changed = sample(
            changed,
            displaced_grid(noise, alpha=augmentation.elastic, sigma=augmentation.elastic_sigma),
        )
    return np.rint(changed).clip(0, 255).astype(np.uint8)


def affine_grid(angles: Values, shifts: Values, scales: Values) -> Values:
    """Where each pixel comes from; see `core.data.augmentation.affine_grid`, whose arguments and result these are."""
    radians = np.deg2rad(angles)
    cosines, sines = np.cos(radians) / scales, np.sin(radians) / scales
    inverse = np.stack([np.stack([cosines, sines], 1), np.stack([-sines, cosines], 1)], 1)
    pixels = _pixels().reshape(1, SIDE * SIDE, 2) - shifts[:, None]
    grid: Values = (pixels @ inverse.transpose(0, 2, 1) / (SIDE / 2)).reshape(-1, SIDE, SIDE, 2)
    return grid


def displaced_grid(noise: Values, *, alpha: float, sigma: float) -> Values:
    """Where each pixel comes from under an elastic distortion; see `core.data.augmentation.displaced_grid`."""
    displacement = _smooth(noise, sigma) * (alpha / SIDE)
    grid: Values = _pixels() / (SIDE / 2) + displacement.transpose(0, 2, 3, 1)
    return grid


def sample(images: Values, grid: Values) -> Values:
    """Read images ``(B, 28, 28)`` at positions ``(B, 28, 28, 2)``, bilinearly, with zeros outside; see `core.data.augmentation.sample`."""
    x, y = (((grid[..., axis] + 1) * SIDE - 1) / 2 for axis in (0, 1))
    left, top = np.floor(x), np.floor(y)
    batch = np.arange(len(images))[:, None, None]
    total = np.zeros(images.shape)
    for column, row in ((left, top), (left + 1, top), (left, top + 1), (left + 1, top + 1)):
        inside = (column >= 0) & (column < SIDE) & (row >= 0) & (row < SIDE)
        weight = (1 - np.abs(x - column)) * (1 - np.abs(y - row)) * inside
        total += (
            weight
            * images[batch, row.clip(0, SIDE - 1).astype(int), column.clip(0, SIDE - 1).astype(int)]
        )
    return total


def _pixels() -> Values:
    axis = np.arange(SIDE) - (SIDE - 1) / 2
    return np.stack(np.meshgrid(axis, axis, indexing="xy"), -1)


def _smooth(noise: Values, sigma: float) -> Values:
    size = int(8 * sigma + 1)
    size += size % 2 == 0
    weights = np.exp(-0.5 * ((np.arange(size) - size // 2) / sigma) ** 2)
    weights /= weights.sum()
    period = 2 * (SIDE - 1)
    source = (np.arange(SIDE)[:, None] + np.arange(size) - size // 2) % period
    source = np.minimum(source, period - source)
    matrix = np.zeros((SIDE, SIDE))
    np.add.at(matrix, (np.arange(SIDE)[:, None], source), weights)
    smoothed: Values = matrix @ noise @ matrix.T
    return smoothed
