"""Lion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mnist_dash.core.optimizers.base import (
    BETAS,
    LEARNING_RATE,
    WEIGHT_DECAY,
    Beta,
    LearningRate,
    OptimizerKind,
)

if TYPE_CHECKING:
    from torch import Tensor

    from mnist_dash.core.optimizers.torch_optimizer import Factor, TorchOptimizer

_SCRIPT = '''class Lion(torch.optim.Optimizer):
    """The sign of an interpolated momentum (Chen et al., 2023, algorithm 2)."""

    def __init__(self, parameters, lr: float, betas: tuple[float, float], weight_decay: float):
        super().__init__(parameters, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta_1, beta_2 = group["betas"]
            for parameter in group["params"]:
                momentum = self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
                direction = (beta_1 * momentum + (1 - beta_1) * parameter.grad).sign()
                parameter.mul_(1 - group["lr"] * group["weight_decay"]).sub_(group["lr"] * direction)
                momentum.mul_(beta_2).add_(parameter.grad, alpha=1 - beta_2)'''


class Lion(OptimizerKind):
    """Lion: the sign of an interpolated momentum (Chen et al., 2023)."""

    label = "Lion"
    controls = (LEARNING_RATE, *BETAS, WEIGHT_DECAY)

    kind: Literal["lion"] = "lion"
    learning_rate: LearningRate = 0.0001
    beta_1: Beta = 0.9
    beta_2: Beta = 0.99
    weight_decay: float = Field(0.0, ge=0, le=1)

    def build(self, params: Sequence[Tensor], *, recordable: bool = False) -> TorchOptimizer:
        """Make it; see `OptimizerKind.build`."""
        return _lion(self, params)

    def script_call(self) -> str:
        """Write the call that makes it in an exported script."""
        betas = f"betas=({self.beta_1!r}, {self.beta_2!r})"
        return f"Lion(parameters, lr={self.learning_rate!r}, {betas}, weight_decay={self.weight_decay!r})"

    def script_definitions(self) -> str:
        """Write its class, which torch does not have."""
        return _SCRIPT


def _lion(spec: Lion, params: Sequence[Tensor]) -> TorchOptimizer:
    import torch

    from mnist_dash.core.optimizers.torch_optimizer import Slots, add_scaled

    class SignDescent(Slots):
        """``w -= rate * (sign(b1 * m + (1 - b1) * g) + decay * w); m = b2 * m + (1 - b2) * g`` (algorithm 2 of the paper)."""

        def factors(self, rate: float, t: int) -> tuple[float, ...]:
            """Give the rate, and what weight decay leaves of a parameter."""
            return rate, 1 - rate * spec.weight_decay

        def apply(self, grads: list[Tensor], *factors: Factor) -> None:
            rate, left = factors
            momentum = self.state["momentum"]
            direction = torch._foreach_mul(momentum, spec.beta_1)
            torch._foreach_add_(direction, grads, alpha=1 - spec.beta_1)
            torch._foreach_sign_(direction)
            if spec.weight_decay:
                torch._foreach_mul_(self.params, left)
            add_scaled(self.params, direction, -rate)
            torch._foreach_mul_(momentum, spec.beta_2)
            torch._foreach_add_(momentum, grads, alpha=1 - spec.beta_2)

    return SignDescent(params, "momentum")
