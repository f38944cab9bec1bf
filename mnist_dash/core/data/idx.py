"""Images, labels and class names with numpy alone, for those who draw data and results and should not load torch.

The IDX format: two bytes of zero, the type of a value, the number of axes, a size of four bytes an axis, then the values, all big-endian.
"""

from __future__ import annotations

import gzip
import struct
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from mnist_dash.core.data.archives import PACKAGED_ARCHIVES
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

PartName = Literal["train", "test"]
Content = Literal["images", "labels"]
PARTS: tuple[PartName, ...] = ("train", "test")
CONTENTS: tuple[Content, ...] = ("images", "labels")
_TYPES = {0x08: ">u1", 0x0C: ">i4"}
_NAMES: dict[tuple[PartName, Content], str] = {
    ("train", "images"): "train-images-idx3-ubyte",
    ("train", "labels"): "train-labels-idx1-ubyte",
    ("test", "images"): "t10k-images-idx3-ubyte",
    ("test", "labels"): "t10k-labels-idx1-ubyte",
}
"""The standard names of a data set's four files."""


def parse_idx(content: bytes) -> npt.NDArray[np.uint8 | np.int32]:
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
        array = np.frombuffer(raw, dtype=_TYPES[kind], offset=4 + 4 * n_axes).reshape(shape)
        return array.astype(array.dtype.newbyteorder("="))
    except (ValueError, struct.error, OSError, EOFError) as error:
        raise DataError(f"It is a whole IDX file of bytes or 32-bit integers; got {error}.") from error


def read_idx(path: Path) -> npt.NDArray[np.uint8 | np.int32]:
    """Read an IDX file; of labels in several columns (QMNIST) the first.

    Raises:
        DataError: the file cannot be read, or is no whole IDX file.
    """
    try:
        values = parse_idx(path.read_bytes())
    except (DataError, OSError) as error:
        raise DataError(f"{path} cannot be read. {error} Replace it by the original.") from error
    return values[:, 0] if values.ndim == 2 else values


def find_idx(folder: Path, name: str) -> Path:
    """Find an IDX file, packed or not.

    Raises:
        DataError: it is not there.
    """
    for candidate in (folder / name, folder / f"{name}.gz"):
        if candidate.is_file():
            return candidate
    raise DataError(f"A folder of IDX files holds {name} or {name}.gz; got neither in {folder}. Put the file there, or remove the folder.")


def read_folder(folder: Path, dataset: str, part: PartName, content: Content) -> npt.NDArray[np.uint8 | np.int32]:
    """Read one of the four standard files of a folder, images upright.

    Raises:
        DataError: the file is missing or damaged.
    """
    return _upright(read_idx(find_idx(folder, _NAMES[part, content])), dataset)


def read_images(dataset: str, part: PartName, data_dir: Path) -> npt.NDArray[np.uint8]:
    """Read a part's images, ``(N, 28, 28)``, 0 is background; see `read_labels`."""
    return _read(dataset, part, "images", data_dir).astype(np.uint8, copy=False)


def read_labels(dataset: str, part: PartName, data_dir: Path) -> npt.NDArray[np.int64]:
    """Read a part's labels, ``(N,)``, in the order of the images.

    Args:
        dataset: a name from `CLASS_NAMES`.
        part: the training or the test archive.
        data_dir: the folder of data sets; MNIST itself comes with the package.

    Raises:
        DataError: there is no such file, or it is damaged.
    """
    return _read(dataset, part, "labels", data_dir).astype(np.int64)


@lru_cache(maxsize=8)
def _read(dataset: str, part: PartName, content: Content, data_dir: Path) -> npt.NDArray[np.uint8 | np.int32]:
    if dataset == "mnist":
        return read_folder(PACKAGED_ARCHIVES, dataset, part, content)
    if (data_dir / dataset).is_dir():
        return read_folder(data_dir / dataset, dataset, part, content)
    place = data_dir / _downloaded(dataset, part, content)
    if not place.is_file():
        raise DataError(
            f"The {part} {content} of {dataset} lie in {data_dir / dataset}; got no {_NAMES[part, content]} there. "
            "Train on the data set once to fetch it."
        )
    return _upright(read_idx(place), dataset)


def _downloaded(dataset: str, part: PartName, content: Content) -> str:
    """Say where torchvision puts what it downloads."""
    match dataset:
        case "qmnist":
            return f"QMNIST/raw/qmnist-{part}-{'images-idx3-ubyte' if content == 'images' else 'labels-idx2-int'}"
        case "emnist_digits":
            return f"EMNIST/raw/emnist-digits-{part}-{'images-idx3' if content == 'images' else 'labels-idx1'}-ubyte"
        case _:
            return f"{'FashionMNIST' if dataset == 'fashion_mnist' else 'KMNIST'}/raw/{_NAMES[part, content]}"


def _upright(values: npt.NDArray[np.uint8 | np.int32], dataset: str) -> npt.NDArray[np.uint8 | np.int32]:
    """Turn EMNIST's images, which hold columns first."""
    return values.transpose(0, 2, 1) if dataset == "emnist_digits" and values.ndim == 3 else values
