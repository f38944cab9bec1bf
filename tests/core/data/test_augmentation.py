"""Augmentation of batches against torchvision's own on single images."""

from __future__ import annotations

import pytest
import torch
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from mnist_dash.core.config.run_config import Augmentation
from mnist_dash.core.data.augmentation import affine_grid, augment, displaced_grid, sample

IMAGES = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 255


@pytest.mark.parametrize(
    ("angle", "shift", "scale"),
    [(15.0, (0, 0), 1.0), (0.0, (3, -2), 1.0), (0.0, (0, 0), 0.8), (-30.0, (1, 4), 1.2)],
)
def test_affine_is_torchvisions(angle: float, shift: tuple[int, int], scale: float) -> None:
    """Rotation, shift and scale of a batch are what torchvision makes of each image."""
    grid = affine_grid(
        torch.full((4,), angle), torch.tensor([shift] * 4).float(), torch.full((4,), scale)
    )
    expected = functional.affine(
        IMAGES,
        angle=angle,
        translate=list(shift),
        scale=scale,
        shear=[0.0, 0.0],
        interpolation=v2.InterpolationMode.BILINEAR,
    )
    assert torch.allclose(sample(IMAGES, grid), expected, atol=0.05)


def test_elastic_is_torchvisions() -> None:
    """The displacement is blurred and applied as torchvision does it, up to the blur's rounding of its window."""
    sigma, alpha = 3.0, 40.0
    noise = torch.rand(1, 2, 28, 28, generator=torch.Generator().manual_seed(1)) * 2 - 1
    blurred = torch.cat(
        [functional.gaussian_blur(noise[:, [axis]], [25, 25], [sigma, sigma]) for axis in (0, 1)], 1
    )
    displacement = (blurred * alpha / 28).permute(0, 2, 3, 1)
    expected = functional.elastic(
        IMAGES[:1], displacement, interpolation=v2.InterpolationMode.BILINEAR
    )
    assert torch.allclose(
        sample(IMAGES[:1], displaced_grid(noise, alpha=alpha, sigma=sigma)), expected, atol=0.1
    )


def test_every_image_is_changed_its_own_way() -> None:
    """Four copies of one image become four images, the same four for the same seed."""
    copies = IMAGES[:1].to(torch.uint8).view(1, 784).expand(4, 784)
    much = Augmentation(shift=0.1, rotation=20, scale=0.2, elastic=30)
    first, again = (
        augment(copies, much, generator=torch.Generator().manual_seed(2)) for _ in range(2)
    )
    assert torch.equal(first, again)
    assert len({tuple(row.tolist()) for row in first}) == 4
    assert 0 <= float(first.min()) <= float(first.max()) <= 255


def test_no_augmentation_changes_nothing() -> None:
    """All amounts zero give the images back."""
    images = IMAGES.to(torch.uint8).view(4, 784)
    assert torch.allclose(
        augment(images, Augmentation(), generator=torch.Generator()), images.float(), atol=1e-3
    )
