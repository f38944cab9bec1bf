"""A configuration's scaling as two arrays: what is subtracted from a grey value, and what the rest is multiplied by. numpy alone.

It is fitted to the training part, as `mnist_dash.core.data.dataset.fit_scaling` does on the training device.
"""

from __future__ import annotations

import functools
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.data.idx import read_images, read_labels
from mnist_dash.core.data.splits import training_indices

Values = npt.NDArray[np.float32]


def scaling_values(config: RunConfig, data_dir: Path) -> tuple[Values, Values]:
    """Fit a configuration's scaling to its data set, once a process; reads nothing where the scaling needs no data.

    Returns:
        What is subtracted and what the rest is multiplied by, float32: of no axes, or ``(28, 28)`` for ``minmax``. They are 0 and 1
        where the network takes features, which are not scaled.

    Raises:
        DataError: the data set is missing or damaged.
    """
    if config.features != "pixels":
        return np.asarray(0, np.float32), np.asarray(1, np.float32)
    if config.scaling == "unit":
        return np.asarray(0, np.float32), np.asarray(1 / 255, np.float32)
    fields = {"dataset": config.dataset, "split": config.split, "scaling": config.scaling}
    return _fitted(RunConfig(**fields, batch_size=1), data_dir)


@functools.lru_cache(maxsize=32)
def _fitted(config: RunConfig, data_dir: Path) -> tuple[Values, Values]:
    labels = read_labels(config.dataset, "train", data_dir) if config.split.kind == "stratified" else None
    chosen = training_indices(config, labels)
    images = read_images(config.dataset, "train", data_dir)
    training = images if chosen is None else images[chosen]
    if config.scaling == "minmax":
        return _pixel_ranges(training)
    mean, std = _grey_moments(training)
    return np.asarray(mean, np.float32), np.asarray(1 / std, np.float32)


def _pixel_ranges(training: npt.NDArray[np.uint8]) -> tuple[Values, Values]:
    """Find each pixel's minimum, and one divided by its range, 0 for a pixel that never changes: ``(N, 28, 28)`` -> two of ``(28, 28)``."""
    low, high = training.min(0).astype(np.float32), training.max(0).astype(np.float32)
    return low, np.where(high > low, 1 / np.maximum(high - low, 1), 0).astype(np.float32)


def _grey_moments(training: npt.NDArray[np.uint8]) -> tuple[float, float]:
    """Compute mean and standard deviation of all pixels of ``(N, 28, 28)``; a deviation of 0 counts as 1."""
    counts = np.bincount(training.ravel(), minlength=256).astype(float)
    grey = np.arange(256)
    mean = float((counts * grey).sum() / counts.sum())
    return mean, math.sqrt(float((counts * (grey - mean) ** 2).sum() / counts.sum())) or 1.0
