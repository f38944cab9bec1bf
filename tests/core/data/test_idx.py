"""Label files without torch: the same labels as torchvision's, and a sentence for what is damaged."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import struct
from pathlib import Path

import numpy as np
import pytest
import torchvision.datasets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mnist_dash.core.config.run_config import DATASET_SIZES
from mnist_dash.core.data.archives import ensure_mnist
from mnist_dash.core.data.idx import CLASS_NAMES, parse_idx, read_idx, read_images, read_labels
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
    values = np.array([[7, 0, 1, 0, 0, 0, 0, 0], [2, 5, 6, 0, 0, 0, 0, 0]], dtype=">i4")
    path.write_bytes(struct.pack(">HBBII", 0, 12, 2, 2, 8) + values.tobytes())
    assert read_labels("qmnist", "test", tmp_path).tolist() == [7, 2]


LABELS = np.arange(300, dtype=np.uint8) % 10
PLAIN = struct.pack(">HBBI", 0, 8, 1, 300) + LABELS.tobytes()
PACKED = gzip.compress(PLAIN)
NAMED = b"\x1f\x8b\x08\x08" + PACKED[4:10] + b"t10k-labels\x00" + PACKED[10:]
"""With the file's name in its head, as `gzip` on the command line packs."""


@pytest.mark.parametrize("packed", [PACKED, NAMED], ids=["packed", "named"])
def test_a_flipped_byte_is_found_or_harmless(packed: bytes) -> None:
    """Each byte in turn, each of its bits and all of them: the same labels, or a sentence; never another exception."""
    assert np.array_equal(parse_idx(packed), LABELS)
    n_found = 0
    for place, mask in itertools.product(range(len(packed)), [1, 2, 4, 8, 16, 32, 64, 128, 255]):
        damaged = bytearray(packed)
        damaged[place] ^= mask
        try:
            found = parse_idx(bytes(damaged))
        except DataError as error:
            n_found += 1
            assert "damaged" in str(error) or "no whole IDX file" in str(error)  # noqa: PT017 - harmless bytes raise nothing
        else:
            assert np.array_equal(found, LABELS)
    assert n_found > 5 * len(packed)


@given(place=st.integers(0, len(PACKED) - 1), rest=st.binary(max_size=40))
def test_a_cut_archive_is_a_sentence(place: int, rest: bytes) -> None:
    """Cut short anywhere, with anything behind the cut."""
    if (content := PACKED[:place] + rest) != PACKED:
        with pytest.raises(DataError, match=r"damaged|no whole IDX file"):
            parse_idx(content)


@given(
    rest=st.binary(min_size=1, max_size=40).filter(lambda rest: rest.strip(b"\x00")),
    pack=st.booleans(),
)
def test_garbage_behind_the_end_is_a_sentence(rest: bytes, pack: bool) -> None:  # noqa: FBT001 - drawn
    """Behind an archive and behind a plain file; zeros behind an archive are padding, as gzip has it."""
    with pytest.raises(DataError, match=r"damaged|no whole IDX file"):
        parse_idx((PACKED if pack else PLAIN) + rest)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, len(PLAIN) - 1), mask=st.integers(1, 255))
def test_a_flipped_byte_of_a_plain_file_is_never_a_traceback(
    tmp_path: Path, place: int, mask: int
) -> None:
    """It has no checksum: a label may be another one, but it is a label."""
    damaged = bytearray(PLAIN)
    damaged[place] ^= mask
    path = tmp_path / "t10k-labels-idx1-ubyte"
    path.write_bytes(damaged)
    with contextlib.suppress(DataError):
        labels = read_idx(path, "kmnist", "labels")
        assert labels.shape == (300,)
        assert set(labels.tolist()) <= set(range(10))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\x00\x08",
        struct.pack(">HBBI", 0, 8, 1, 5) + b"abc",
        struct.pack(">HBBI", 0, 13, 1, 1) + b"abcd",
        b"\x1f\x8bxx",
    ],
)
def test_damaged_files_are_a_sentence(content: bytes) -> None:
    """What is cut short or of another kind is named, not guessed at."""
    with pytest.raises(DataError, match=r"no whole IDX file|damaged"):
        parse_idx(content)


def test_missing_labels_are_a_sentence(tmp_path: Path) -> None:
    """The folder that was looked into is named."""
    with pytest.raises(DataError, match="fashion_mnist"):
        read_labels("fashion_mnist", "test", tmp_path)


def test_every_data_set_has_ten_class_names() -> None:
    """Every axis of a confusion matrix has its names."""
    assert set(CLASS_NAMES) == set(DATASET_SIZES)
    assert all(len(names) == 10 for names in CLASS_NAMES.values())
