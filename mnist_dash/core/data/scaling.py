"""A configuration's scaling as two arrays: what is subtracted from a grey value, and what the rest is multiplied by. numpy alone."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.data.idx import read_images, read_labels
from mnist_dash.core.data.splits import training_indices
from mnist_dash.core.scalings import SCALINGS

Values = npt.NDArray[np.float32]


def scaling_values(config: RunConfig, data_dir: Path) -> tuple[Values, Values]:
    """Fit a configuration's scaling to the training part of its data set, once a process; reads nothing where the scaling needs no data.

    Returns:
        What is subtracted and what the rest is multiplied by, float32: of no axes, or ``(28, 28)`` for ``minmax``. They are 0 and 1
        where the network takes features, which are not scaled.

    Raises:
        DataError: the data set is missing or damaged.
    """
    if config.features != "pixels":
        return np.asarray(0, np.float32), np.asarray(1, np.float32)
    scaling = SCALINGS[config.scaling]()
    if not scaling.needs_data:
        return scaling.fit_values(np.empty((0, 28, 28), np.uint8))
    fields = {"dataset": config.dataset, "split": config.split, "scaling": config.scaling}
    return _fitted(RunConfig(**fields, batch_size=1), data_dir)


@functools.lru_cache(maxsize=32)
def _fitted(config: RunConfig, data_dir: Path) -> tuple[Values, Values]:
    labels = (
        read_labels(config.dataset, "train", data_dir)
        if config.split.kind == "stratified"
        else None
    )
    chosen = training_indices(config, labels)
    images = read_images(config.dataset, "train", data_dir)
    return SCALINGS[config.scaling]().fit_values(images if chosen is None else images[chosen])
