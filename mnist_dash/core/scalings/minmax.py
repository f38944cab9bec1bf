"""Each pixel by its own range."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from mnist_dash.core.scalings.base import ScalingKind, Values

if TYPE_CHECKING:
    from torch import Tensor


class MinMaxScaling(ScalingKind):
    """Maps each pixel's own minimum and maximum to 0 and 1, and a pixel that never changes to 0."""

    label = "minimum to maximum of each pixel"
    script = '''def fit_scaling(images: torch.Tensor):
    """Map each pixel's own minimum and maximum, over the training part, to 0 and 1."""
    low, high = images.amin(0).float(), images.amax(0).float()
    factor = torch.where(high > low, 1 / (high - low).clamp(min=1), 0.0)
    return lambda batch: (batch.float() - low.to(batch.device)) * factor.to(batch.device)'''

    kind: Literal["minmax"] = "minmax"

    def fit_values(self, training: npt.NDArray[np.uint8]) -> tuple[Values, Values]:
        """Give each pixel's minimum, and one divided by its range; see `ScalingKind.fit_values`."""
        low, high = training.min(0).astype(np.float32), training.max(0).astype(np.float32)
        return low, np.where(high > low, 1 / np.maximum(high - low, 1), 0).astype(np.float32)

    def fit(self, images: Tensor) -> Callable[[Tensor], Tensor]:
        """Fit it on the training device; see `ScalingKind.fit`."""
        import torch

        low, high = images.amin(0).float(), images.amax(0).float()
        factor = torch.where(high > low, 1 / (high - low).clamp(min=1), 0.0)
        return lambda batch: batch.to(torch.float32, copy=True).sub_(low).mul_(factor)
