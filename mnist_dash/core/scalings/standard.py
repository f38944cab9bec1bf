"""All pixels by one mean and one deviation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from mnist_dash.core.scalings.base import ScalingKind, Values

if TYPE_CHECKING:
    from torch import Tensor


class StandardScaling(ScalingKind):
    """Subtracts the mean of all pixels and divides by their standard deviation; a deviation of 0 counts as 1."""

    label = "mean 0, standard deviation 1"
    script = '''def fit_scaling(images: torch.Tensor):
    """Subtract the mean of all training pixels and divide by their standard deviation."""
    counts, grey = torch.bincount(images.flatten(), minlength=256).double(), torch.arange(256).double()
    mean = float((counts * grey).sum() / counts.sum())
    std = math.sqrt(float((counts * (grey - mean) ** 2).sum() / counts.sum())) or 1.0
    return lambda batch: (batch.float() - mean) / std'''

    kind: Literal["standard"] = "standard"

    def fit_values(self, training: npt.NDArray[np.uint8]) -> tuple[Values, Values]:
        """Give the mean, and one divided by the deviation; see `ScalingKind.fit_values`."""
        counts = np.bincount(training.ravel(), minlength=256).astype(float)
        grey = np.arange(256)
        mean = float((counts * grey).sum() / counts.sum())
        std = math.sqrt(float((counts * (grey - mean) ** 2).sum() / counts.sum())) or 1.0
        return np.asarray(mean, np.float32), np.asarray(1 / std, np.float32)

    def fit(self, images: Tensor) -> Callable[[Tensor], Tensor]:
        """Fit it on the training device; see `ScalingKind.fit`."""
        import torch

        counts = torch.bincount(images.flatten(), minlength=256).double()
        grey = torch.arange(256, device=images.device).double()
        mean = float((counts * grey).sum() / counts.sum())
        std = math.sqrt(float((counts * (grey - mean) ** 2).sum() / counts.sum())) or 1.0
        return lambda batch: batch.to(torch.float32, copy=True).sub_(mean).div_(std)
