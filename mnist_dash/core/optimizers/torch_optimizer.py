"""Optimizers at work on lists of tensors, by the definitions of Keras 2.

Each is a `TorchOptimizer`: it owns its state, one tensor a parameter and slot, and changes the parameters in place. Rates come from
outside, step by step (`mnist_dash.core.training.schedules`). Whatever of an update depends on its number is in its factors, which are
floats, or tensors of no axes where the update was recorded once as a CUDA graph and is replayed with other factors each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

Factor = float | Tensor
"""A number that changes from update to update."""
Tensors = list[Tensor] | tuple[Tensor, ...]


class TorchOptimizer(Protocol):
    """One optimizer at work on a fixed list of parameters."""

    state: dict[str, list[Tensor]]
    """Slots by name, each one tensor a parameter."""

    def factors(self, rate: float, t: int) -> tuple[float, ...]:
        """Give what an update needs to know of its time.

        Args:
            rate: the learning rate of this update.
            t: number of this update, from 1.
        """

    def apply(self, grads: list[Tensor], *factors: Factor) -> None:
        """Update the parameters in place.

        Args:
            grads: one gradient a parameter, of its shape; may be overwritten.
            factors: from `factors`; all floats, or all float32 tensors of no axes on the parameters' device.
        """


class Slots:
    """What every optimizer keeps: its parameters and named zeros beside each of them."""

    def __init__(self, params: Sequence[Tensor], *names: str) -> None:
        self.params = list(params)
        self.state = {name: [torch.zeros_like(param) for param in self.params] for name in names}

    def factors(self, rate: float, t: int) -> tuple[float, ...]:
        """Give the learning rate alone; see `TorchOptimizer.factors`."""
        return (rate,)


def add_scaled(targets: Tensors, values: Tensors, factor: Factor) -> None:
    """Add ``factor * values`` in place."""
    if isinstance(factor, Tensor):
        torch._foreach_add_(targets, torch._foreach_mul(values, factor))
    else:
        torch._foreach_add_(targets, values, alpha=factor)


def add_ratio(targets: Tensors, values: Tensors, divisors: Tensors, factor: Factor) -> None:
    """Add ``factor * values / divisors`` in place."""
    if isinstance(factor, Tensor):
        add_scaled(targets, torch._foreach_div(values, divisors), factor)
    else:
        torch._foreach_addcdiv_(targets, values, divisors, value=factor)
