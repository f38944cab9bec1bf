"""Adam with Nesterov momentum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mnist_dash.core.optimizers.base import (
    BETAS,
    EPSILON,
    LEARNING_RATE,
    Beta,
    Epsilon,
    LearningRate,
    OptimizerKind,
)

if TYPE_CHECKING:
    from torch import Tensor

    from mnist_dash.core.optimizers.torch_optimizer import Factor, TorchOptimizer

SCHEDULE_DECAY = 0.004
"""How fast the momentum warms up (Dozat, 2016; fixed in Keras 2)."""


class NAdam(OptimizerKind):
    """Adam with Nesterov momentum (Dozat, 2016)."""

    label = "NAdam"
    controls = (LEARNING_RATE, *BETAS, EPSILON)

    kind: Literal["nadam"] = "nadam"
    learning_rate: LearningRate = 0.002
    beta_1: Beta = 0.9
    beta_2: Beta = 0.999
    epsilon: Epsilon = 1e-7

    def build(self, params: Sequence[Tensor], *, recordable: bool = False) -> TorchOptimizer:
        """Make it; see `OptimizerKind.build`."""
        return _nadam(self, params)

    def momentum(self, t: int) -> float:
        """Give the warming momentum of an update, ``b1 * (1 - 0.96 ** (0.004 t) / 2)``, as Keras 2 has it."""
        return self.beta_1 * (1 - 0.5 * math.pow(0.96, t * SCHEDULE_DECAY))

    def script_call(self) -> str:
        """Write the call that makes it in an exported script."""
        betas = f"betas=({self.beta_1!r}, {self.beta_2!r})"
        return f"torch.optim.NAdam(parameters, lr={self.learning_rate!r}, {betas}, eps={self.epsilon!r})"


def _nadam(spec: NAdam, params: Sequence[Tensor]) -> TorchOptimizer:
    import torch

    from mnist_dash.core.optimizers.torch_optimizer import Slots, add_ratio

    class WarmingAdam(Slots):
        """Section 3 of Dozat (2016); epsilon is added to the root of the corrected second moment, as in Keras 2."""

        def __init__(self) -> None:
            super().__init__(params, "first_moment", "second_moment")
            self._t, self._product = 0, 1.0

        def factors(self, rate: float, t: int) -> tuple[float, ...]:
            """Give the factors of the gradient and of the first moment, and the second moment's correction."""
            now, following, product = spec.momentum(t), spec.momentum(t + 1), self._product_until(t)
            return (
                -rate * (1 - now) / (1 - product),
                -rate * following / (1 - product * following),
                1 - spec.beta_2**t,
            )

        def apply(self, grads: list[Tensor], *factors: Factor) -> None:
            of_grad, of_first, correction = factors
            first, second = self.state["first_moment"], self.state["second_moment"]
            torch._foreach_mul_(first, spec.beta_1)
            torch._foreach_add_(first, grads, alpha=1 - spec.beta_1)
            torch._foreach_mul_(second, spec.beta_2)
            torch._foreach_addcmul_(second, grads, grads, value=1 - spec.beta_2)
            denominator = torch._foreach_div(second, correction)
            torch._foreach_sqrt_(denominator)
            torch._foreach_add_(denominator, spec.epsilon)
            add_ratio(self.params, grads, denominator, of_grad)
            add_ratio(self.params, first, denominator, of_first)

        def _product_until(self, t: int) -> float:
            """Product of the momenta of updates 1 to `t`, recounted after a resume."""
            if t <= self._t:
                self._t, self._product = 0, 1.0
            while self._t < t:
                self._t += 1
                self._product *= spec.momentum(self._t)
            return self._product

    return WarmingAdam()
