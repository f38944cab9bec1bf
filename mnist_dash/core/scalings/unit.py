"""Grey values as fractions of white."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from mnist_dash.core.scalings.base import ScalingKind, Values

if TYPE_CHECKING:
    from torch import Tensor


class UnitScaling(ScalingKind):
    """Divides by 255."""

    label = "divide by 255"
    needs_data = False
    script = '''def fit_scaling(images: torch.Tensor):
    """Divide by 255."""
    return lambda batch: batch.float() / 255'''

    kind: Literal["unit"] = "unit"

    def fit_values(self, training: npt.NDArray[np.uint8]) -> tuple[Values, Values]:
        """Give 0 and 1 / 255; see `ScalingKind.fit_values`."""
        return np.asarray(0, np.float32), np.asarray(1 / 255, np.float32)

    def fit(self, images: Tensor) -> Callable[[Tensor], Tensor]:
        """Fit nothing; see `ScalingKind.fit`."""
        import torch

        return lambda batch: batch.to(torch.float32, copy=True).div_(255)
