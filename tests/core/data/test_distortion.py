"""The augmentation that pages show is the one that training does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mnist_dash.core.config.run_config import Augmentation
from mnist_dash.core.data import augmentation, distortion
from mnist_dash.core.data.idx import read_images


def test_same_draws_give_the_same_images(tmp_path: Path) -> None:
    """Affine and elastic: grids and images equal those of the training code to the rounding of float32."""
    rng, n = np.random.default_rng(0), 64
    images = read_images("mnist", "test", tmp_path)[:n].astype(float)
    angles, scales = rng.uniform(-180, 180, n), rng.uniform(0.5, 1.5, n)
    shifts = np.rint(rng.uniform(-14, 14, (n, 2)))
    noise = rng.uniform(-1, 1, (n, 2, 28, 28))
    ours = distortion.affine_grid(angles, shifts, scales)
    theirs = augmentation.affine_grid(
        *(torch.from_numpy(value).float() for value in (angles, shifts, scales))
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    np.testing.assert_allclose(
        distortion.sample(images, ours),
        augmentation.sample(torch.from_numpy(images).float()[:, None], theirs)[:, 0],
        atol=0.02,
    )
    for sigma in (1.0, 5.0, 20.0):
        bent = augmentation.displaced_grid(torch.from_numpy(noise).float(), alpha=34, sigma=sigma)
        np.testing.assert_allclose(
            distortion.displaced_grid(noise, alpha=34, sigma=sigma), bent, atol=1e-5
        )


def test_no_change_asked_is_no_change(tmp_path: Path) -> None:
    """All strengths at zero leave the images alone, and the same seed draws the same."""
    images = read_images("mnist", "test", tmp_path)[:5]
    np.testing.assert_array_equal(distortion.distort(images, Augmentation(), seed=1), images)
    strong = Augmentation(shift=0.2, rotation=30, scale=0.2, elastic=30)
    first = distortion.distort(images, strong, seed=1)
    np.testing.assert_array_equal(first, distortion.distort(images, strong, seed=1))
    assert (first != distortion.distort(images, strong, seed=2)).any()


@pytest.mark.parametrize(
    ("field", "value"), [("shift", 0.5), ("rotation", 180.0), ("scale", 0.5), ("elastic", 100.0)]
)
def test_strengths_stay_grey_values(tmp_path: Path, field: str, value: float) -> None:
    """The largest strengths still give images."""
    images = read_images("mnist", "test", tmp_path)[:20]
    changed = distortion.distort(images, Augmentation(**{field: value}), seed=3)
    assert changed.shape == images.shape
    assert changed.any()
