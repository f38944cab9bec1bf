"""Adagrad."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mnist_dash.core.optimizers.base import (
    EPSILON,
    LEARNING_RATE,
    Epsilon,
    LearningRate,
    OptimizerKind,
)

if TYPE_CHECKING:
    from torch import Tensor

    from mnist_dash.core.optimizers.torch_optimizer import Factor, TorchOptimizer


class Adagrad(OptimizerKind):
    """Adagrad (Duchi et al., 2011)."""

    label = "Adagrad"
    controls = (LEARNING_RATE, EPSILON)

    kind: Literal["adagrad"] = "adagrad"
    learning_rate: LearningRate = 0.01
    epsilon: Epsilon = 1e-7

    def build(self, params: Sequence[Tensor], *, recordable: bool = False) -> TorchOptimizer:
        """Make it; see `OptimizerKind.build`."""
        return _adagrad(self, params)

    def script_call(self) -> str:
        """Write the call that makes it in an exported script."""
        return f"torch.optim.Adagrad(parameters, lr={self.learning_rate!r}, eps={self.epsilon!r})"


def _adagrad(spec: Adagrad, params: Sequence[Tensor]) -> TorchOptimizer:
    import torch

    from mnist_dash.core.optimizers.torch_optimizer import Slots, add_ratio

    class AdaptiveDescent(Slots):
        """``a += g^2; w -= rate * g / (sqrt(a) + epsilon)``, `a` from zero as in Keras 2."""

        def apply(self, grads: list[Tensor], *factors: Factor) -> None:
            (rate,) = factors
            total = self.state["sum_of_squares"]
            torch._foreach_addcmul_(total, grads, grads, value=1.0)
            root = torch._foreach_sqrt(total)
            torch._foreach_add_(root, spec.epsilon)
            add_ratio(self.params, grads, root, -rate)

    return AdaptiveDescent(params, "sum_of_squares")
