"""Verified archives, splits that never overlap, scalings that never see what they must not."""

from __future__ import annotations

import functools
import gzip
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_dash.core.config.run_config import (
    RandomSplit,
    RunConfig,
    StratifiedSplit,
    TailSplit,
    TestAsValidation,
)
from mnist_dash.core.data.archives import (
    MNIST_ARCHIVES,
    PACKAGED_ARCHIVES,
    check_archives,
    ensure_mnist,
    mnist_folder,
)
from mnist_dash.core.data.dataset import load_raw, prepare, split_indices
from mnist_dash.core.data.idx import parse_idx, read_images, read_labels
from mnist_dash.core.scalings import SCALINGS, Scaling, UnitScaling
from mnist_dash.errors import DataError
from tests.waiting import PATIENCE_SECONDS

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that the tests of this file share."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def own_archives(tmp_path: Path) -> Path:
    """The four packed archives in a folder of the test's own."""
    folder = mnist_folder(tmp_path)
    folder.mkdir(parents=True)
    for archive in MNIST_ARCHIVES:
        shutil.copyfile(PACKAGED_ARCHIVES / f"{archive.name}.gz", folder / f"{archive.name}.gz")
    return folder


def test_mnist_is_what_it_is_known_to_be(data_dir: Path) -> None:
    """Sizes, class counts and the first labels are those of the published database."""
    raw = load_raw("mnist", data_dir)
    assert raw.train_images.shape == (60_000, 28, 28)
    assert raw.train_images.dtype == torch.uint8
    assert raw.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert torch.bincount(raw.test_labels).tolist() == [
        980,
        1135,
        1032,
        1010,
        982,
        892,
        958,
        1028,
        974,
        1009,
    ]


def test_damaged_archive_is_named_with_both_sums(own_archives: Path, tmp_path: Path) -> None:
    """One flipped byte is found before anything is trained on it."""
    path = own_archives / "t10k-labels-idx1-ubyte.gz"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        DataError,
        match=r"t10k-labels-idx1-ubyte\.gz is damaged: .*of the original is ec29112dd5afa0611ce80d1b7f02629c",
    ):
        check_archives(tmp_path)
    with pytest.raises(DataError, match="damaged"):
        ensure_mnist(tmp_path)


def test_missing_archive_is_named(tmp_path: Path) -> None:
    """A package without one of its archives says which."""
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz"):
        check_archives(tmp_path, packaged=tmp_path / "nowhere")


def test_harmed_unpacked_file_is_unpacked_again(tmp_path: Path) -> None:
    """A file that was cut after unpacking is replaced from the archive."""
    ensure_mnist(tmp_path)
    path = mnist_folder(tmp_path) / "train-labels-idx1-ubyte"
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    ensure_mnist(tmp_path)
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("split", "n_training"),
    [
        (TailSplit(), 50_000),
        (TailSplit(fraction=0.3), 42_000),
        (RandomSplit(fraction=0.1), 54_000),
        (StratifiedSplit(fraction=0.5), 30_000),
    ],
)
def test_parts_are_disjoint_and_complete(
    split: TailSplit | RandomSplit | StratifiedSplit, n_training: int, data_dir: Path
) -> None:
    """Every image is trained on or validated on, none is both."""
    config = RunConfig(split=split)
    indices = split_indices(config, load_raw("mnist", data_dir).train_labels)
    assert indices.validation is not None
    assert len(indices.training) == n_training == config.n_training
    assert len(indices.validation) == config.n_validation
    assert torch.equal(
        torch.cat([indices.training, indices.validation]).sort().values, torch.arange(60_000)
    )


def test_tail_split_takes_the_last_images(data_dir: Path) -> None:
    """Keras's validation_split: the last fraction, before any shuffling."""
    indices = split_indices(RunConfig(), load_raw("mnist", data_dir).train_labels)
    assert indices.validation is not None
    assert indices.validation.tolist() == list(range(50_000, 60_000))


@settings(max_examples=20, deadline=None)
@given(fraction=st.floats(0.001, 0.9), seed=st.integers(0, 2**32 - 1))
def test_stratified_split_keeps_the_shares_of_classes(fraction: float, seed: int) -> None:
    """Each class gives the same fraction to within one image."""
    labels = torch.from_numpy(np.random.default_rng(0).choice(10, 60_000, p=np.arange(1, 11) / 55))
    config = RunConfig(split=StratifiedSplit(fraction=fraction, seed=seed), batch_size=1)
    indices = split_indices(config, labels)
    assert indices.validation is not None
    found = torch.bincount(labels[indices.validation], minlength=10).numpy()
    expected = np.bincount(labels.numpy(), minlength=10) * config.n_validation / 60_000
    assert np.abs(found - expected).max() < 1 + 1e-6


def test_test_set_as_validation_trains_on_everything(data_dir: Path) -> None:
    """The leak that published experiments make is made exactly as they make it, and is marked."""
    config = RunConfig(split=TestAsValidation())
    data = prepare(config, data_dir, CPU)
    assert (len(data.training), len(data.validation)) == (60_000, 10_000)
    assert data.validation is data.test
    assert config.leaks_test_set


def test_minmax_is_fitted_on_the_training_part_only(data_dir: Path) -> None:
    """Each pixel's bounds are those of the images that are trained on, so validation may leave 0 to 1."""
    data = prepare(RunConfig(scaling="minmax", split=TailSplit(fraction=0.9)), data_dir, CPU)
    scaled = data.scale(data.training.images).numpy()
    raw = data.training.images.numpy().astype(np.float64)
    low, high = raw.min(0), raw.max(0)
    expected = np.where(high > low, (raw - low) / np.maximum(high - low, 1), 0)
    assert np.allclose(scaled, expected, atol=1e-6)
    assert (scaled.min(), scaled.max()) == (0.0, 1.0)
    assert data.scale(data.validation.images).max() > 1


def test_standardised_training_part_has_mean_zero_and_deviation_one(data_dir: Path) -> None:
    """Mean and deviation are those of all pixels of the training part."""
    data = prepare(RunConfig(scaling="standard"), data_dir, CPU)
    scaled = data.scale(data.training.images).double()
    assert float(scaled.mean()) == pytest.approx(0, abs=1e-5)
    assert float(scaled.std(correction=0)) == pytest.approx(1, abs=1e-5)
    assert float(UnitScaling().fit(data.training.images)(data.training.images).max()) == 1.0


def test_another_set_is_read_from_its_folder(tmp_path: Path) -> None:
    """Four IDX files of the standard names stand for Fashion-MNIST; a file of the wrong size is refused."""
    folder = tmp_path / "fashion_mnist"
    folder.mkdir()
    for archive in MNIST_ARCHIVES:
        packed = (PACKAGED_ARCHIVES / f"{archive.name}.gz").read_bytes()
        (folder / archive.name).write_bytes(gzip.decompress(packed))
    assert len(load_raw("fashion_mnist", tmp_path).test_images) == 10_000
    load_raw.cache_clear()
    (folder / "t10k-labels-idx1-ubyte").write_bytes(
        (folder / "train-labels-idx1-ubyte").read_bytes()
    )
    with pytest.raises(DataError, match=r"60,000 labels\. This part holds 10,000 images"):
        load_raw("fashion_mnist", tmp_path)


def idx(values: npt.NDArray[np.uint8 | np.int32]) -> bytes:
    """Write an IDX file of bytes or 32-bit integers."""
    kind = 8 if values.dtype == np.uint8 else 12
    return (
        struct.pack(f">HBB{values.ndim}I", 0, kind, values.ndim, *values.shape)
        + values.astype(values.dtype.newbyteorder(">")).tobytes()
    )


@functools.cache
def archive(name: str) -> npt.NDArray[np.uint8]:
    """Read one of MNIST's archives."""
    return parse_idx((PACKAGED_ARCHIVES / f"{name}.gz").read_bytes()).astype(np.uint8)


def folder_of(tmp_path: Path, name: str, **files: npt.NDArray[np.uint8 | np.int32]) -> Path:
    """Lay down a data set of MNIST's files but for some."""
    folder = tmp_path / name
    folder.mkdir()
    for known in MNIST_ARCHIVES:
        other = next(
            (
                values
                for start, values in files.items()
                if known.name.replace("-", "_").startswith(start)
            ),
            None,
        )
        (folder / known.name).write_bytes(idx(archive(known.name) if other is None else other))
    load_raw.cache_clear()
    return tmp_path


def test_labels_in_columns_are_refused(tmp_path: Path) -> None:
    """One-hot rows are not read as classes: what they are, what is allowed and what to do is said; to pages too."""
    rows = np.eye(10, dtype=np.uint8)[archive("train-labels-idx1-ubyte")]
    data_dir = folder_of(tmp_path, "kmnist", train_labels=rows)
    with pytest.raises(
        DataError,
        match=r"60000 x 10\. Labels are one number an image, 0 to 9\. Write the number .*column of the 1",
    ):
        load_raw("kmnist", data_dir)
    with pytest.raises(DataError, match="60000 x 10"):
        read_labels("kmnist", "train", data_dir)


def test_one_hot_labels_of_qmnist_are_refused(tmp_path: Path) -> None:
    """Its own labels have eight columns; ten are others."""
    rows = np.eye(10, dtype=np.int32)[archive("t10k-labels-idx1-ubyte")]
    with pytest.raises(DataError, match="10000 x 10"):
        read_labels("qmnist", "test", folder_of(tmp_path, "qmnist", t10k_labels=rows))


@pytest.mark.parametrize("scaling", list(SCALINGS))
@pytest.mark.parametrize("pixel", [256, -1, 2**31 - 1])
def test_pixels_out_of_range_are_refused(tmp_path: Path, scaling: Scaling, pixel: int) -> None:
    """Whatever the scaling, in training and on pages, before anything is computed with them."""
    images = archive("t10k-images-idx3-ubyte").astype(np.int32)
    images[5000, 14, 14] = pixel
    data_dir = folder_of(tmp_path, "fashion_mnist", t10k_images=images)
    with pytest.raises(
        DataError, match=rf"pixels of .*{pixel:,}.*\. Grey values are 0 to 255\. Scale them"
    ):
        prepare(RunConfig(dataset="fashion_mnist", scaling=scaling), data_dir, CPU)
    with pytest.raises(DataError, match="0 to 255"):
        read_images("fashion_mnist", "test", data_dir)


@pytest.mark.parametrize("scaling", list(SCALINGS))
def test_wide_integers_within_the_range_are_grey_values(tmp_path: Path, scaling: Scaling) -> None:
    """A file of 32-bit integers gives the very tensors that one of bytes gives."""
    wide = {
        name: archive(f"{name}-images-idx3-ubyte").astype(np.int32) for name in ("train", "t10k")
    }
    data_dir = folder_of(tmp_path, "kmnist", train_images=wide["train"], t10k_images=wide["t10k"])
    found = prepare(RunConfig(dataset="kmnist", scaling=scaling), data_dir, CPU)
    expected = prepare(RunConfig(scaling=scaling), tmp_path, CPU)
    assert found.training.images.dtype == torch.uint8
    assert torch.equal(
        found.scale(found.test.images[:50]), expected.scale(expected.test.images[:50])
    )


def test_labels_out_of_range_are_refused(tmp_path: Path) -> None:
    """Ten classes, no more."""
    labels = archive("train-labels-idx1-ubyte") + np.uint8(1)
    with pytest.raises(DataError, match=r"holds labels of 1 to 10\. Labels are 0 to 9"):
        load_raw("kmnist", folder_of(tmp_path, "kmnist", train_labels=labels))


def test_images_of_another_size_are_refused(tmp_path: Path) -> None:
    """Flat rows, as other tools write them, are named with their sizes."""
    flat = archive("t10k-images-idx3-ubyte").reshape(10_000, 784)
    with pytest.raises(DataError, match=r"10000 x 784\. Images are N x 28 x 28"):
        load_raw("kmnist", folder_of(tmp_path, "kmnist", t10k_images=flat))


def test_downloaded_files_are_read_as_they_lie(tmp_path: Path) -> None:
    """A set that torchvision has fetched is read from its own folder; a damaged file there is a sentence, not a traceback."""
    folder = tmp_path / "KMNIST" / "raw"
    folder.mkdir(parents=True)
    for known in MNIST_ARCHIVES:
        (folder / known.name).write_bytes(idx(archive(known.name)))
    load_raw.cache_clear()
    assert torch.equal(
        load_raw("kmnist", tmp_path).test_labels, load_raw("mnist", tmp_path).test_labels
    )
    load_raw.cache_clear()
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx(archive("t10k-images-idx3-ubyte"))[:-1])
    with pytest.raises(DataError, match=r"kmnist could not be .* put the IDX files into"):
        load_raw("kmnist", tmp_path)


@pytest.mark.slow
def test_several_processes_prepare_one_folder(tmp_path: Path) -> None:
    """Three processes that unpack into the same folder at the same time all succeed, and leave nothing but whole files."""
    code = "import sys, pathlib; from mnist_dash.core.data.archives import ensure_mnist; ensure_mnist(pathlib.Path(sys.argv[1]))"
    processes = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(3)]
    assert [process.wait(timeout=PATIENCE_SECONDS) for process in processes] == [0, 0, 0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["MNIST"]
    assert len(list((tmp_path / "MNIST" / "raw").iterdir())) == 8
    check_archives(tmp_path)
