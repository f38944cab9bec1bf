"""What a scaling kind says of itself: how it is fitted in numpy and in torch, and its lines in an exported script."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from mnist_dash.core.kinds.spec import Kind

if TYPE_CHECKING:
    from torch import Tensor

Values = npt.NDArray[np.float32]


class ScalingKind(Kind):
    """One way in which grey values become what a network takes; it has no fields, and a configuration names it."""

    kind: str = ""
    needs_data: ClassVar[bool] = True
    """Whether it is fitted to the training part."""
    script: ClassVar[str]
    """The function ``fit_scaling(images)`` of an exported script, which gives a function of a batch."""

    @abstractmethod
    def fit_values(self, training: npt.NDArray[np.uint8]) -> tuple[Values, Values]:
        """Fit it to the training part, ``(N, 28, 28)`` grey values 0 to 255; N may be 0 where it needs no data.

        Returns:
            What is subtracted from a grey value and what the rest is multiplied by, both of no axes or ``(28, 28)``.
        """

    @abstractmethod
    def fit(self, images: Tensor) -> Callable[[Tensor], Tensor]:
        """Fit it to the training part on the training device, ``(N, 784)`` uint8.

        Returns:
            A function from ``(B, 784)`` grey values to new scaled float32.
        """
