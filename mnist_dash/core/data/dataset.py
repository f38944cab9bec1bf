"""Data sets as resident tensors: read once a process, split, scaled.

Images are ``(N, 28, 28)`` uint8 and labels ``(N,)`` int64, as in the archives. A `PreparedData` holds them flat on the training device and
scales batch by batch.
"""

from __future__ import annotations

import functools
import itertools
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mnist_dash.core.config.run_config import DATASET_SIZES, DatasetName, RunConfig
from mnist_dash.core.data.archives import MNIST_ARCHIVES, ensure_mnist, mnist_folder
from mnist_dash.core.data.features import hog_features
from mnist_dash.core.data.idx import CONTENTS, PARTS, find_idx, read_folder, read_part
from mnist_dash.core.data.splits import training_indices, validation_indices
from mnist_dash.core.scalings import SCALINGS
from mnist_dash.errors import DataError


@dataclass(frozen=True)
class RawData:
    """A data set as its archives hold it, on the CPU."""

    train_images: Tensor
    """``(N, 28, 28)`` uint8, 0 is background."""
    train_labels: Tensor
    """``(N,)`` int64, 0 to 9."""
    test_images: Tensor
    test_labels: Tensor


@dataclass(frozen=True)
class SplitIndices:
    """Which images of the training archive are trained on and which are validated on."""

    training: Tensor
    """``(N,)`` int64, ascending."""
    validation: Tensor | None
    """``(M,)`` int64, ascending; None when the test set is validated on."""


@dataclass(frozen=True)
class Part:
    """One part of a data set on the training device."""

    images: Tensor
    """``(N, 784)`` uint8, or ``(N, features)`` float32."""
    labels: Tensor
    """``(N,)`` int64."""

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class PreparedData:
    """The three parts on the training device, and the scaling fitted on the training part."""

    training: Part
    validation: Part
    test: Part
    scale: Callable[[Tensor], Tensor]
    """Turns ``(B, 784)`` uint8, or float32 in 0 to 255, into scaled float32; leaves features as they are."""


def ensure_dataset(name: DatasetName, data_dir: Path) -> None:
    """Make sure that a data set lies below `data_dir`, verified and readable.

    MNIST comes from the package, without a network. The others are read from ``data_dir/<name>/`` when that folder is there (the four
    standard IDX names, with or without ``.gz``), else torchvision downloads them. Any number of processes may do this at once.

    Raises:
        DataError: a file is missing or damaged, or the download failed.
    """
    if name == "mnist":
        ensure_mnist(data_dir)
    elif (data_dir / name).is_dir():
        for archive in MNIST_ARCHIVES:
            find_idx(data_dir / name, archive.name)
    else:
        _download(name, data_dir)


@functools.lru_cache(maxsize=2)
def load_raw(name: DatasetName, data_dir: Path) -> RawData:
    """Read a data set; cached, so a process reads it once.

    Raises:
        DataError: a file is missing or damaged, or does not hold what its name says.
    """
    ensure_dataset(name, data_dir)
    files = list(itertools.product(PARTS, CONTENTS))
    if name == "mnist":
        arrays = [
            read_folder(mnist_folder(data_dir), name, part, content) for part, content in files
        ]
    else:
        arrays = [read_part(name, part, content, data_dir) for part, content in files]
    tensors = [torch.from_numpy(np.ascontiguousarray(array)) for array in arrays]
    data = RawData(tensors[0], tensors[1].long(), tensors[2], tensors[3].long())
    _check_sizes(name, data, data_dir)
    return data


def split_indices(config: RunConfig, labels: Tensor) -> SplitIndices:
    """Divide the training archive as the configuration says.

    Args:
        config: names the split, its fraction and its seed.
        labels: ``(N,)`` int64, of the training archive.
    """
    validation = validation_indices(config, labels.numpy())
    training = training_indices(config, labels.numpy())
    if validation is None or training is None:
        return SplitIndices(torch.arange(len(labels)), None)
    return SplitIndices(torch.from_numpy(training), torch.from_numpy(validation))


def prepare(config: RunConfig, data_dir: Path, device: torch.device) -> PreparedData:
    """Put a run's data on its device and fit its scaling on the training part.

    The images stay bytes: gathering a batch of them and converting it is faster than gathering four times as much.

    Raises:
        DataError: a file of the data set is missing or damaged.
    """
    raw = load_raw(config.dataset, data_dir)
    indices = split_indices(config, raw.train_labels)
    train_inputs, test_inputs = raw.train_images, raw.test_images
    if config.features == "hog":
        train_inputs, test_inputs = (
            torch.from_numpy(hog_features(part.numpy(), data_dir))
            for part in (raw.train_images, raw.test_images)
        )
    test = _part(test_inputs, raw.test_labels, None, device)
    training = _part(
        train_inputs,
        raw.train_labels,
        None if indices.validation is None else indices.training,
        device,
    )
    validation = (
        test
        if indices.validation is None
        else _part(train_inputs, raw.train_labels, indices.validation, device)
    )
    scale = (
        SCALINGS[config.scaling]().fit(training.images)
        if config.features == "pixels"
        else Tensor.float
    )
    return PreparedData(training, validation, test, scale)


def _part(images: Tensor, labels: Tensor, indices: Tensor | None, device: torch.device) -> Part:
    if indices is not None:
        images, labels = images.index_select(0, indices), labels.index_select(0, indices)
    return Part(images.reshape(len(images), -1).to(device), labels.to(device))


def _check_sizes(name: DatasetName, data: RawData, data_dir: Path) -> None:
    for images, labels, wanted in zip(
        (data.train_images, data.test_images),
        (data.train_labels, data.test_labels),
        DATASET_SIZES[name],
        strict=True,
    ):
        if len(images) != wanted or len(labels) != wanted:
            raise DataError(
                f"{name} below {data_dir} has a part of {len(images):,} images and {len(labels):,} labels. "
                f"This part holds {wanted:,} images and as many labels. Replace the files by the original ones."
            )


def _download(name: DatasetName, data_dir: Path) -> None:
    """Let torchvision fetch what is missing of a set and unpack it where `read_part` looks for it, one process at a time."""
    from filelock import FileLock
    from torchvision import datasets

    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(data_dir / f".{name}.lock"):
            for train in (True, False):
                match name:
                    case "fashion_mnist":
                        datasets.FashionMNIST(data_dir, train=train, download=True)
                    case "kmnist":
                        datasets.KMNIST(data_dir, train=train, download=True)
                    case "qmnist":
                        datasets.QMNIST(data_dir, train=train, download=True)
                    case "emnist_digits":
                        datasets.EMNIST(data_dir, split="digits", train=train, download=True)
                    case "mnist":
                        datasets.MNIST(data_dir, train=train, download=True)
    except (
        RuntimeError,
        OSError,
        EOFError,
        ValueError,
        AssertionError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise DataError(
            f"{name} could not be downloaded or unpacked ({' '.join(str(error).split())}). "
            "It comes from the network, through torchvision, or from four IDX files. "
            f"Check the network and remove damaged files below {data_dir}, or put the IDX files into {data_dir / name}."
        ) from error
