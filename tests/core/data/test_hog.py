"""HOG features against scikit-image, and their cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage.feature import hog as reference

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.data.features import FOLDER, hog_features
from mnist_dash.core.data.hog import N_FEATURES, hog
from mnist_dash.core.data.idx import read_images
from mnist_dash.core.layers import Dense

NOISE = np.random.default_rng(0).integers(0, 256, (50, 28, 28), dtype=np.uint8)


@pytest.mark.parametrize(
    "images",
    [NOISE, (NOISE > 200).astype(np.uint8) * 255, read_images("mnist", "test", Path())[:300]],
)
def test_agrees_with_scikit_image(images: np.ndarray) -> None:
    """Noise, black and white, where gradients lie on the borders between orientations, and digits: to 1e-6."""
    expected = [
        reference(image, orientations=8, pixels_per_cell=(4, 4), cells_per_block=(1, 1))
        for image in images
    ]
    assert np.abs(hog(images) - np.array(expected)).max() < 1e-6


def test_cache_is_used_and_checked(tmp_path: Path) -> None:
    """What was computed is read again; a damaged file is computed anew, and other images have a file of their own."""
    first = hog_features(NOISE, tmp_path)
    assert (
        first.shape
        == (50, N_FEATURES)
        == (
            50,
            *RunConfig(features="hog", layers=(Dense(units=10, activation="softmax"),)).input_shape,
        )
    )
    (path,) = (tmp_path / FOLDER).iterdir()
    written = path.stat().st_mtime_ns
    assert np.array_equal(hog_features(NOISE, tmp_path), first)
    assert path.stat().st_mtime_ns == written
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    assert np.array_equal(hog_features(NOISE, tmp_path), first)
    assert path.stat().st_mtime_ns != written
    hog_features(NOISE[:10], tmp_path)
    assert len(list((tmp_path / FOLDER).iterdir())) == 2
