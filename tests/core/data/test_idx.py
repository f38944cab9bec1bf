"""Label files without torch: the same labels as torchvision's, and a sentence for what is damaged."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torchvision.datasets

from mnist_dash.core.config.run_config import DATASET_SIZES
from mnist_dash.core.data.archives import ensure_mnist
from mnist_dash.core.data.idx import CLASS_NAMES, parse_idx, read_images, read_labels
from mnist_dash.errors import DataError


def test_reads_the_labels_that_torchvision_reads(tmp_path: Path) -> None:
    """The packaged test labels, in the archive's order."""
    ensure_mnist(tmp_path)
    expected = torchvision.datasets.MNIST(tmp_path, train=False).targets.numpy()
    images = torchvision.datasets.MNIST(tmp_path, train=True).data.numpy()
    assert np.array_equal(read_images("mnist", "train", tmp_path), images)
    assert np.array_equal(read_labels("mnist", "test", tmp_path), expected)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_reads_a_folder_of_idx_files(tmp_path: Path, pack: type) -> None:
    """A set that a person has laid down is found under its name, packed or not."""
    folder = tmp_path / "kmnist"
    folder.mkdir()
    name = "t10k-labels-idx1-ubyte" + (".gz" if pack is gzip.compress else "")
    (folder / name).write_bytes(pack(struct.pack(">HBBI", 0, 8, 1, 3) + bytes([3, 1, 4])))
    assert read_labels("kmnist", "test", tmp_path).tolist() == [3, 1, 4]


def test_takes_the_first_column_of_qmnist(tmp_path: Path) -> None:
    """QMNIST's labels are rows of eight integers, the digit first."""
    path = tmp_path / "QMNIST" / "raw" / "qmnist-test-labels-idx2-int"
    path.parent.mkdir(parents=True)
    values = np.array([[7, 0, 1], [2, 5, 6]], dtype=">i4")
    path.write_bytes(struct.pack(">HBBII", 0, 12, 2, 2, 3) + values.tobytes())
    assert read_labels("qmnist", "test", tmp_path).tolist() == [7, 2]


@pytest.mark.parametrize(
    "content", [b"", b"\x00\x00\x08", struct.pack(">HBBI", 0, 8, 1, 5) + b"abc", struct.pack(">HBBI", 0, 13, 1, 1) + b"abcd", b"\x1f\x8bxx"]
)
def test_damaged_files_are_a_sentence(content: bytes) -> None:
    """What is cut short or of another kind is named, not guessed at."""
    with pytest.raises(DataError, match="whole IDX file"):
        parse_idx(content)


def test_missing_labels_are_a_sentence(tmp_path: Path) -> None:
    """The folder that was looked into is named."""
    with pytest.raises(DataError, match="fashion_mnist"):
        read_labels("fashion_mnist", "test", tmp_path)


def test_every_data_set_has_ten_class_names() -> None:
    """Every axis of a confusion matrix has its names."""
    assert set(CLASS_NAMES) == set(DATASET_SIZES)
    assert all(len(names) == 10 for names in CLASS_NAMES.values())
