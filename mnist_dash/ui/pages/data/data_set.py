"""The data set that is looked at, and what is computed of it once for all sessions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt
import streamlit as st

from mnist_dash.core.config.run_config import DatasetName, RunConfig
from mnist_dash.core.data.idx import CLASS_NAMES, PartName, read_images, read_labels
from mnist_dash.core.data.splits import training_indices, validation_indices
from mnist_dash.core.data.statistics import (
    ClassImages,
    class_images,
    count_classes,
    count_grey_values,
)
from mnist_dash.errors import DataError
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.forms.train_settings import DATASET_NAMES

ARCHIVES: dict[str, PartName] = {"training": "train", "test": "test"}
"""The archives by the names that the page gives them."""


@dataclass(frozen=True, eq=False)
class Archive:
    """One archive of a data set."""

    dataset: DatasetName
    name: str
    """``training`` or ``test``."""
    images: npt.NDArray[np.uint8]
    """``(N, 28, 28)``."""
    labels: npt.NDArray[np.int64]
    """``(N,)``."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the labels stand for."""
        return CLASS_NAMES[self.dataset]

    def __len__(self) -> int:
        return len(self.labels)


def available() -> tuple[DatasetName, ...]:
    """Name the data sets that are on this machine; MNIST always is."""
    names: tuple[DatasetName, ...] = get_args(DatasetName)
    return tuple(
        name for name in names if name == "mnist" or _is_there(name, store().settings.data_dir)
    )


def title(dataset: str) -> str:
    """Write a data set's name as people do."""
    return DATASET_NAMES[dataset]


def archive(dataset: DatasetName, name: str) -> Archive:
    """Read an archive.

    Raises:
        DataError: a file is missing or damaged, or does not hold images of 28 x 28 and as many labels from 0 to 9.
    """
    data_dir, part = store().settings.data_dir, ARCHIVES[name]
    images, labels = read_images(dataset, part, data_dir), read_labels(dataset, part, data_dir)
    if (
        images.shape != (len(labels), 28, 28)
        or not len(labels)
        or labels.max() >= len(CLASS_NAMES[dataset])
    ):
        raise DataError(
            f"The {name} archive of {dataset} is not usable: it has images of "
            f"{' x '.join(map(str, images.shape))} and {len(labels):,} labels "
            "instead of images of 28 x 28 and one label from 0 to 9 for each. Replace the files by the original ones."
        )
    return Archive(dataset, name, images, labels)


def counts_by_part(dataset: DatasetName) -> dict[str, list[int]]:
    """Count the images of each class in the three parts that a run has by default."""
    return _counts(dataset, store().settings.data_dir)


def statistics(dataset: DatasetName, name: str) -> tuple[ClassImages, npt.NDArray[np.int64]]:
    """Compute the class images and the counts of grey values of an archive."""
    return _statistics(dataset, name, store().settings.data_dir)


def default_config(dataset: DatasetName) -> RunConfig:
    """Give the configuration that decides the split and the scaling where nobody has chosen any."""
    return RunConfig(dataset=dataset)


@st.cache_resource(show_spinner=False, max_entries=8)
def _counts(dataset: DatasetName, _data_dir: Path) -> dict[str, list[int]]:
    config, training, test = (
        default_config(dataset),
        archive(dataset, "training"),
        archive(dataset, "test"),
    )
    if len(training) != config.n_training + config.n_validation:
        return {
            name: count_classes(part.labels).tolist()
            for name, part in (("training", training), ("test", test))
        }
    chosen, held_back = (
        training_indices(config, training.labels),
        validation_indices(config, training.labels),
    )
    parts = {
        "training": training.labels[chosen],
        "validation": training.labels[held_back],
        "test": test.labels,
    }
    return {name: count_classes(labels).tolist() for name, labels in parts.items()}


@st.cache_resource(show_spinner="Computing means and standard deviations …", max_entries=8)
def _statistics(
    dataset: DatasetName, name: str, _data_dir: Path
) -> tuple[ClassImages, npt.NDArray[np.int64]]:
    part = archive(dataset, name)
    return class_images(part.images, part.labels), count_grey_values(part.images)


def _is_there(dataset: DatasetName, data_dir: Path) -> bool:
    if (data_dir / dataset).is_dir():
        return True
    try:
        read_labels(dataset, "test", data_dir)
    except DataError:
        return False
    return True
