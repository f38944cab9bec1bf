"""Test labels and class names with numpy alone, for those who draw results and should not load torch.

The IDX format: two bytes of zero, the type of a value, the number of axes, a size of four bytes an axis, then the values, all big-endian.
"""

from __future__ import annotations

import gzip
import struct
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mnist_dash.core.archives import PACKAGED_ARCHIVES
from mnist_dash.errors import DataError

_DIGITS = tuple(str(digit) for digit in range(10))
CLASS_NAMES: dict[str, tuple[str, ...]] = {
    "mnist": _DIGITS,
    "fashion_mnist": ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"),
    "kmnist": ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    "qmnist": _DIGITS,
    "emnist_digits": _DIGITS,
}
"""What the labels 0 to 9 stand for in each data set."""

_TYPES = {0x08: ">u1", 0x0C: ">i4"}
_STANDARD = "t10k-labels-idx1-ubyte"
_DOWNLOADED = {
    "fashion_mnist": f"FashionMNIST/raw/{_STANDARD}",
    "kmnist": f"KMNIST/raw/{_STANDARD}",
    "qmnist": "QMNIST/raw/qmnist-test-labels-idx2-int",
    "emnist_digits": "EMNIST/raw/emnist-digits-test-labels-idx1-ubyte",
}
"""Where torchvision puts what it downloads."""


def parse_idx(content: bytes) -> npt.NDArray[np.int64]:
    """Read an IDX file of bytes or 32-bit integers, packed by gzip or not, into an array of the shape that it states.

    Raises:
        DataError: the content is no such file, or is cut short.
    """
    try:
        raw = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        zeros, kind, n_axes = struct.unpack(">HBB", raw[:4])
        if zeros or kind not in _TYPES:
            raise ValueError(f"the magic number {raw[:4].hex()}")
        shape = struct.unpack(f">{n_axes}I", raw[4 : 4 + 4 * n_axes])
        return np.frombuffer(raw, dtype=_TYPES[kind], offset=4 + 4 * n_axes).reshape(shape).astype(np.int64)
    except (ValueError, struct.error, OSError, EOFError) as error:
        raise DataError(f"A label file is a whole IDX file of bytes or 32-bit integers; got {error}. Fetch the data set again.") from error


@lru_cache(maxsize=8)
def read_test_labels(dataset: str, data_dir: Path) -> npt.NDArray[np.int64]:
    """Read the labels of a data set's test images, in the order of the images.

    Args:
        dataset: a name from `CLASS_NAMES`.
        data_dir: the folder of data sets; MNIST itself comes with the package.

    Raises:
        DataError: there is no label file, or it is damaged.
    """
    folder = data_dir / dataset
    places = [PACKAGED_ARCHIVES / f"{_STANDARD}.gz"] if dataset == "mnist" else [folder / _STANDARD, folder / f"{_STANDARD}.gz"]
    if dataset in _DOWNLOADED:
        downloaded = data_dir / _DOWNLOADED[dataset]
        places += [downloaded, downloaded.with_name(f"{downloaded.name}.gz")]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise DataError(f"The test labels of {dataset} lie in {folder}; got no {_STANDARD} there. Train on the data set once to fetch it.")
    labels = parse_idx(found.read_bytes())
    return labels if labels.ndim == 1 else labels[:, 0]
