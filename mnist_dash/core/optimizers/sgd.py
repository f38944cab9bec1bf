"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from mnist_dash.core.kinds.controls import Control, ControlKind
from mnist_dash.core.kinds.problems import invalid
from mnist_dash.core.optimizers.base import (
    LEARNING_RATE,
    MOMENTUM,
    Beta,
    LearningRate,
    OptimizerKind,
)
from mnist_dash.glossary import help_for

if TYPE_CHECKING:
    from torch import Tensor

    from mnist_dash.core.optimizers.torch_optimizer import Factor, TorchOptimizer


class SGD(OptimizerKind):
    """Stochastic gradient descent; `decay` divides the rate by ``1 + decay * step`` (Keras 2)."""

    label = "SGD"
    controls = (
        LEARNING_RATE,
        MOMENTUM,
        Control("nesterov", "Nesterov", kind=ControlKind.FLAG),
        Control("decay", "Decay", hint=help_for("learning-rate decay")),
    )

    kind: Literal["sgd"] = "sgd"
    learning_rate: LearningRate = 0.01
    momentum: Beta = 0.0
    nesterov: bool = False
    decay: float = Field(0.0, ge=0, le=1)

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and self.momentum == 0:
            raise invalid(
                "nesterov",
                "Nesterov's step has no momentum to look ahead by",
                "",
                "Set momentum to 0.9, or nesterov to false.",
            )
        return self

    def build(self, params: Sequence[Tensor], *, recordable: bool = False) -> TorchOptimizer:
        """Make it; see `OptimizerKind.build`."""
        return _sgd(self, params)

    def decayed(self, rate: float, n_updates: int) -> float:
        """Give what is left of a scheduled rate after some updates."""
        return rate / (1 + self.decay * n_updates)

    @property
    def rate_decay(self) -> float:
        """What the rate is divided by, less one, an update."""
        return self.decay

    @property
    def has_velocity(self) -> bool:
        """Whether it keeps a velocity."""
        return self.momentum > 0

    def script_call(self) -> str:
        """Write the call that makes it in an exported script."""
        return f"torch.optim.SGD(parameters, lr={self.learning_rate!r}, momentum={self.momentum!r}, nesterov={self.nesterov})"


def _sgd(spec: SGD, params: Sequence[Tensor]) -> TorchOptimizer:
    import torch

    from mnist_dash.core.optimizers.torch_optimizer import Slots, add_scaled

    class Descent(Slots):
        """``v = momentum * v - rate * g; w += v``, with Nesterov ``w += momentum * v - rate * g``."""

        def apply(self, grads: list[Tensor], *factors: Factor) -> None:
            (rate,) = factors
            if not spec.momentum:
                add_scaled(self.params, grads, -rate)
                return
            velocity = self.state["velocity"]
            torch._foreach_mul_(velocity, spec.momentum)
            add_scaled(velocity, grads, -rate)
            if spec.nesterov:
                torch._foreach_add_(self.params, velocity, alpha=spec.momentum)
                add_scaled(self.params, grads, -rate)
            else:
                torch._foreach_add_(self.params, velocity)

    return Descent(params, *(["velocity"] if spec.momentum else []))
