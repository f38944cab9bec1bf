"""Adadelta."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mnist_dash.core.optimizers.base import (
    EPSILON,
    LEARNING_RATE,
    RHO,
    Beta,
    Epsilon,
    LearningRate,
    OptimizerKind,
)

if TYPE_CHECKING:
    from torch import Tensor

    from mnist_dash.core.optimizers.torch_optimizer import Factor, TorchOptimizer


class Adadelta(OptimizerKind):
    """Adadelta (Zeiler, 2012), with Keras 2's rate of 1."""

    label = "Adadelta"
    controls = (LEARNING_RATE, RHO, EPSILON)

    kind: Literal["adadelta"] = "adadelta"
    learning_rate: LearningRate = 1.0
    rho: Beta = 0.95
    epsilon: Epsilon = 1e-7

    def build(self, params: Sequence[Tensor], *, recordable: bool = False) -> TorchOptimizer:
        """Make it; see `OptimizerKind.build`."""
        return _adadelta(self, params)

    def script_call(self) -> str:
        """Write the call that makes it in an exported script."""
        return f"torch.optim.Adadelta(parameters, lr={self.learning_rate!r}, rho={self.rho!r}, eps={self.epsilon!r})"


def _adadelta(spec: Adadelta, params: Sequence[Tensor]) -> TorchOptimizer:
    import torch

    from mnist_dash.core.optimizers.torch_optimizer import Slots, add_scaled

    class UnitlessDescent(Slots):
        """``w -= rate * u`` with ``u = g * sqrt(d + epsilon) / sqrt(a + epsilon)``.

        `a` and `d` are the decaying mean squares of `g` and of `u`.
        """

        def apply(self, grads: list[Tensor], *factors: Factor) -> None:
            (rate,) = factors
            mean_square, mean_update = self.state["mean_square"], self.state["mean_square_update"]
            torch._foreach_mul_(mean_square, spec.rho)
            torch._foreach_addcmul_(mean_square, grads, grads, value=1 - spec.rho)
            update = torch._foreach_add(mean_update, spec.epsilon)
            torch._foreach_div_(update, torch._foreach_add(mean_square, spec.epsilon))
            torch._foreach_sqrt_(update)
            torch._foreach_mul_(update, grads)
            add_scaled(self.params, update, -rate)
            torch._foreach_mul_(mean_update, spec.rho)
            torch._foreach_addcmul_(mean_update, update, update, value=1 - spec.rho)

    return UnitlessDescent(params, "mean_square", "mean_square_update")
