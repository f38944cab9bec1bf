"""Dropout by a mask of random bytes: eight draws from one 64-bit number, where torch takes one 32-bit number a value."""

from __future__ import annotations

import torch
from torch import Tensor


class DropoutMask:
    """Zero a fraction `rate` of the values and scale the others by 1 / (1 - rate) (Srivastava et al., 2014).

    The rate is met to 1/65,536: one byte a value where it is a multiple of 1/256, two elsewhere. The scale follows the rate that is
    really used, so that the mean is kept.
    """

    def __init__(self, rate: float, generator: torch.Generator) -> None:
        self._generator = generator
        exact = (rate * 256).is_integer()
        self._bytes = 1 if exact else 2
        n_levels = 256 if exact else 65_536
        n_dropped = round(rate * n_levels)
        self._threshold = n_dropped - n_levels // 2
        self._scale = n_levels / (n_levels - n_dropped)
        self._is_idle = n_dropped == 0

    def __call__(self, values: Tensor) -> Tensor:
        """Drop values of a tensor of any shape; differentiable."""
        if self._is_idle:
            return values
        return values * self.mask(values)

    def mask(self, like: Tensor) -> Tensor:
        """Draw factors, 0 or the scale, of the shape, type and memory layout of `like`.

        ``(B, ...)`` floating point, on the device of `like`.
        """
        n_words = -(-like.numel() * self._bytes // 8)
        words = torch.empty(n_words, dtype=torch.int64, device=like.device)
        words.random_(-(2**63), None, generator=self._generator)
        draws = words.view(torch.int8 if self._bytes == 1 else torch.int16)[: like.numel()]
        factors = torch.ge(
            draws,
            self._threshold,
            out=torch.empty(like.numel(), dtype=like.dtype, device=like.device),
        )
        return factors.mul_(self._scale).as_strided(like.shape, like.stride())
