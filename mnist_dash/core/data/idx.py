"""Images, labels and class names with numpy alone, for those who draw data and results and should not load torch.

The IDX format: two bytes of zero, the type of a value, the number of axes, a size of four bytes an axis, then the values, all big-endian.
"""

from __future__ import annotations

import gzip
import struct
import zlib
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
    "fashion_mnist": (
        "T-shirt",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "boot",
    ),
    "kmnist": ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    "qmnist": _DIGITS,
    "emnist_digits": _DIGITS,
}
"""What the labels 0 to 9 stand for in each data set."""

PartName = Literal["train", "test"]
Content = Literal["images", "labels"]
_REPLACE = "Replace it by the original file."
PARTS: tuple[PartName, ...] = ("train", "test")
CONTENTS: tuple[Content, ...] = ("images", "labels")
_TYPES = {0x08: ">u1", 0x0C: ">i4"}
_QMNIST_COLUMNS = 8
"""Integers a label of QMNIST, the digit first; the others say where the image comes from."""
_NAMES: dict[tuple[PartName, Content], str] = {
    ("train", "images"): "train-images-idx3-ubyte",
    ("train", "labels"): "train-labels-idx1-ubyte",
    ("test", "images"): "t10k-images-idx3-ubyte",
    ("test", "labels"): "t10k-labels-idx1-ubyte",
}
"""The standard names of a data set's four files."""


def parse_idx(content: bytes) -> npt.NDArray[np.uint8 | np.int32]:
    """Read an IDX file of bytes or 32-bit integers, packed by gzip or not, into an array of the shape that it states.

    The array is ``(N,)``, ``(N, 28, 28)`` or whatever it states, uint8 or int32.

    Raises:
        DataError: the content is no such file, is cut short, or is damaged.
    """
    try:
        raw = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise DataError(
            f"It is damaged and cannot be unpacked ({' '.join(str(error).split())})."
        ) from error
    try:
        zeros, kind, n_axes = struct.unpack(">HBB", raw[:4])
        if zeros or kind not in _TYPES:
            raise ValueError(f"it begins with {raw[:4].hex()}")
        shape = struct.unpack(f">{n_axes}I", raw[4 : 4 + 4 * n_axes])
        array = np.frombuffer(raw, dtype=_TYPES[kind], offset=4 + 4 * n_axes).reshape(shape)
        return array.astype(array.dtype.newbyteorder("="))
    except (ValueError, struct.error) as error:
        raise DataError(
            f"It is no whole IDX file of bytes or 32-bit integers ({error})."
        ) from error


def read_idx(path: Path, dataset: str, content: Content) -> npt.NDArray[np.uint8 | np.int32]:
    """Read images or labels from an IDX file; of QMNIST's labels, which have several columns, the first.

    Args:
        path: the file, packed or not.
        dataset: a name from `CLASS_NAMES`.
        content: what is in it.

    Returns:
        Images ``(N, 28, 28)``, upright uint8 grey values, 0 is background; or labels ``(N,)``, 0 to 9.

    Raises:
        DataError: the file cannot be read, or does not hold such values.
    """
    try:
        values = parse_idx(path.read_bytes())
    except DataError as error:
        raise DataError(f"{path} cannot be read. {error} {_REPLACE}") from error
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error}). Make it readable, or replace it by the original."
        ) from error
    return _images(values, path, dataset) if content == "images" else _labels(values, path, dataset)


def _images(
    values: npt.NDArray[np.uint8 | np.int32], path: Path, dataset: str
) -> npt.NDArray[np.uint8]:
    """Check images of ``(N, 28, 28)``, and turn EMNIST's, which hold columns first."""
    if values.ndim != 3 or values.shape[1:] != (28, 28) or not len(values):
        raise DataError(
            f"{path} holds an array of {_sizes(values)}. Images are N x 28 x 28 grey values. {_REPLACE}"
        )
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 255:
        raise DataError(
            f"{path} holds pixels of {low:,} to {high:,}. Grey values are 0 to 255. Scale them to that range, "
            "or replace the file by the original."
        )
    images = values.astype(np.uint8, copy=False)
    return images.transpose(0, 2, 1) if dataset == "emnist_digits" else images


def _labels(
    values: npt.NDArray[np.uint8 | np.int32], path: Path, dataset: str
) -> npt.NDArray[np.uint8 | np.int32]:
    """Check labels of ``(N,)``, or ``(N, 8)`` of QMNIST alone, and give them as ``(N,)``."""
    if dataset == "qmnist" and values.ndim == 2 and values.shape[1] == _QMNIST_COLUMNS:
        values = values[:, 0]
    if values.ndim != 1 or not len(values):
        raise DataError(
            f"{path} holds an array of {_sizes(values)}. Labels are one number an image, 0 to 9. "
            "Write the number of each image's class (of one-hot rows, the column of the 1), or replace the file by the original."
        )
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 9:
        raise DataError(
            f"{path} holds labels of {low:,} to {high:,}. Labels are 0 to 9. {_REPLACE}"
        )
    return values


def _sizes(values: npt.NDArray[np.generic]) -> str:
    return " x ".join(str(size) for size in values.shape) or "no axes"


def find_idx(folder: Path, name: str) -> Path:
    """Find an IDX file, packed or not.

    Raises:
        DataError: it is not there.
    """
    for candidate in (folder / name, folder / f"{name}.gz"):
        if candidate.is_file():
            return candidate
    raise DataError(
        f"{folder} holds neither {name} nor {name}.gz. A folder of IDX files holds one of them. Put the file there, or remove the folder."
    )


def read_folder(
    folder: Path, dataset: str, part: PartName, content: Content
) -> npt.NDArray[np.uint8 | np.int32]:
    """Read one of the four standard files of a folder; see `read_idx`.

    Raises:
        DataError: the file is missing or damaged, or does not hold what its name says.
    """
    return read_idx(find_idx(folder, _NAMES[part, content]), dataset, content)


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


def read_part(
    dataset: str, part: PartName, content: Content, data_dir: Path
) -> npt.NDArray[np.uint8 | np.int32]:
    """Read the images or the labels of a part from the package, a person's folder or torchvision's; see `read_idx`.

    Raises:
        DataError: there is no such file, or it is damaged.
    """
    if dataset == "mnist":
        return read_folder(PACKAGED_ARCHIVES, dataset, part, content)
    if (data_dir / dataset).is_dir():
        return read_folder(data_dir / dataset, dataset, part, content)
    place = data_dir / _downloaded(dataset, part, content)
    if not place.is_file():
        raise DataError(
            f"{data_dir / dataset} holds no {_NAMES[part, content]}. The {part} {content} of {dataset} lie there. "
            "Train on the data set once to fetch it, or put its four files there."
        )
    return read_idx(place, dataset, content)


_read = lru_cache(maxsize=8)(read_part)


def _downloaded(dataset: str, part: PartName, content: Content) -> str:
    """Say where torchvision puts what it downloads."""
    match dataset:
        case "qmnist":
            return f"QMNIST/raw/qmnist-{part}-{'images-idx3-ubyte' if content == 'images' else 'labels-idx2-int'}"
        case "emnist_digits":
            return f"EMNIST/raw/emnist-digits-{part}-{'images-idx3' if content == 'images' else 'labels-idx1'}-ubyte"
        case _:
            return f"{'FashionMNIST' if dataset == 'fashion_mnist' else 'KMNIST'}/raw/{_NAMES[part, content]}"
