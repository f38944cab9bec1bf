"""Random changes to training images, each image its own, a batch at a time, by torchvision v2's definitions of affine and elastic.

One sampling grid a batch: where in its original each pixel of a changed image is read, bilinearly, with zeros outside.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor
from torch.nn import functional

from mnist_dash.core.config.run_config import Augmentation

SIDE = 28


def augment(images: Tensor, augmentation: Augmentation, *, generator: torch.Generator) -> Tensor:
    """Change each image of a batch at random.

    Args:
        images: ``(B, 784)`` uint8.
        augmentation: how much, at most.
        generator: the source of every draw, on the images' device.

    Returns:
        ``(B, 784)`` float32 in [0, 255].
    """
    n, device = len(images), images.device

    def draw(largest: float) -> Tensor:
        return (torch.rand(n, device=device, generator=generator) * 2 - 1) * largest

    angles, scales = draw(augmentation.rotation), 1 + draw(augmentation.scale)
    # Whole pixels, as torchvision's RandomAffine draws them.
    shifts = torch.stack(
        [draw(augmentation.shift * SIDE).round(), draw(augmentation.shift * SIDE).round()], 1
    )
    grid = affine_grid(angles, shifts, scales)
    changed = sample(images.view(n, 1, SIDE, SIDE).float(), grid)
    if augmentation.elastic > 0:
        noise = torch.rand((n, 2, SIDE, SIDE), device=device, generator=generator) * 2 - 1
        changed = sample(
            changed,
            displaced_grid(noise, alpha=augmentation.elastic, sigma=augmentation.elastic_sigma),
        )
    return changed.view(n, SIDE * SIDE)


def affine_grid(angles: Tensor, shifts: Tensor, scales: Tensor) -> Tensor:
    """Where each pixel comes from when images are rotated and scaled about their centre, then shifted.

    Args:
        angles: ``(B,)`` degrees, clockwise as in torchvision.
        shifts: ``(B, 2)`` pixels to the right and down.
        scales: ``(B,)`` factors.

    Returns:
        ``(B, 28, 28, 2)`` positions x, y in [-1, 1] from edge to edge, as `torch.nn.functional.grid_sample` takes them.
    """
    radians = angles * (math.pi / 180)
    cosines, sines = torch.cos(radians) / scales, torch.sin(radians) / scales
    # (B, 2, 2).
    inverse = torch.stack([torch.stack([cosines, sines], 1), torch.stack([-sines, cosines], 1)], 1)
    pixels = _pixels(angles.device).view(1, SIDE * SIDE, 2) - shifts.view(-1, 1, 2)
    return (pixels @ inverse.transpose(1, 2) / (SIDE / 2)).view(-1, SIDE, SIDE, 2)


def displaced_grid(noise: Tensor, *, alpha: float, sigma: float) -> Tensor:
    """Where each pixel comes from under an elastic distortion: smoothed noise times `alpha` (Simard et al., 2003).

    Args:
        noise: ``(B, 2, 28, 28)`` uniform in [-1, 1], displacements along x and y.
        alpha: torchvision's strength, in pixels.
        sigma: standard deviation of the smoothing, in pixels.

    Returns:
        ``(B, 28, 28, 2)``, as `affine_grid`.
    """
    displacement = _smooth(noise, sigma) * (alpha / SIDE)
    return _pixels(noise.device) / (SIDE / 2) + displacement.permute(0, 2, 3, 1)


def sample(images: Tensor, grid: Tensor) -> Tensor:
    """Read images ``(B, 1, 28, 28)`` at a grid's positions, bilinearly, with zeros outside."""
    return functional.grid_sample(
        images, grid, mode="bilinear", padding_mode="zeros", align_corners=False
    )


def _pixels(device: torch.device) -> Tensor:
    """Centres of the pixels from the image's centre, x then y, in pixels: ``(28, 28, 2)``."""
    axis = torch.arange(SIDE, device=device) - (SIDE - 1) / 2
    return torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)


def _smooth(noise: Tensor, sigma: float) -> Tensor:
    """Gaussian blur as torchvision's ElasticTransform does it: a window of ``8 sigma + 1`` pixels, made odd, reflected at the borders.

    Displacements are ``(B, 2, 28, 28)`` float32.
    """
    matrix = _blur(sigma, noise.device)
    return matrix @ noise @ matrix.T


@functools.lru_cache(maxsize=8)
def _blur(sigma: float, device: torch.device) -> Tensor:
    """Make the ``(28, 28)`` matrix that blurs along one axis; added up on the CPU, whose order of additions is always the same."""
    size = int(8 * sigma + 1)
    size += size % 2 == 0
    # The window can be wider than the image; what reflects more than once is folded into one 28 x 28 matrix.
    weights = torch.exp(-0.5 * ((torch.arange(size) - size // 2) / sigma) ** 2)
    weights = weights / weights.sum()
    period = 2 * (SIDE - 1)
    source = (torch.arange(SIDE)[:, None] + torch.arange(size) - size // 2) % period
    source = torch.minimum(source, period - source)
    return torch.zeros(SIDE, SIDE).scatter_add_(1, source, weights.expand(SIDE, size)).to(device)
