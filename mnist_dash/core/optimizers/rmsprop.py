"""RMSprop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mnist_dash.core.optimizers.base import (
    EPSILON,
    LEARNING_RATE,
    MOMENTUM,
    RHO,
    Beta,
    Epsilon,
    LearningRate,
    OptimizerKind,
)

if TYPE_CHECKING:
    from torch import Tensor

    from mnist_dash.core.optimizers.torch_optimizer import Factor, TorchOptimizer

_BUFFER = """
        for parameter in network.parameters():
            optimizer.state[parameter].setdefault("momentum_buffer", torch.zeros_like(parameter))"""


class RMSprop(OptimizerKind):
    """RMSprop (Tieleman and Hinton, 2012)."""

    label = "RMSprop"
    controls = (LEARNING_RATE, RHO, MOMENTUM, EPSILON)

    kind: Literal["rmsprop"] = "rmsprop"
    learning_rate: LearningRate = 0.001
    rho: Beta = 0.9
    momentum: Beta = 0.0
    epsilon: Epsilon = 1e-7

    def build(self, params: Sequence[Tensor], *, recordable: bool = False) -> TorchOptimizer:
        """Make it; see `OptimizerKind.build`."""
        return _rmsprop(self, params)

    @property
    def has_velocity(self) -> bool:
        """Whether it keeps a velocity."""
        return self.momentum > 0

    def script_call(self) -> str:
        """Write the call that makes it in an exported script."""
        values = f"lr={self.learning_rate!r}, alpha={self.rho!r}, momentum={self.momentum!r}, eps={self.epsilon!r}"
        return f"torch.optim.RMSprop(parameters, {values})"

    def script_kept_state(self, former: OptimizerKind) -> str:
        """Write the buffer that a momentum needs where there was none before."""
        return _BUFFER if self.has_velocity and not former.has_velocity else ""


def _rmsprop(spec: RMSprop, params: Sequence[Tensor]) -> TorchOptimizer:
    import torch

    from mnist_dash.core.optimizers.torch_optimizer import Slots, add_ratio

    class ScaledDescent(Slots):
        """``a = rho * a + (1 - rho) * g^2; w -= rate * g / (sqrt(a) + epsilon)``, through a velocity where there is momentum."""

        def apply(self, grads: list[Tensor], *factors: Factor) -> None:
            (rate,) = factors
            mean_square = self.state["mean_square"]
            torch._foreach_mul_(mean_square, spec.rho)
            torch._foreach_addcmul_(mean_square, grads, grads, value=1 - spec.rho)
            root = torch._foreach_sqrt(mean_square)
            torch._foreach_add_(root, spec.epsilon)
            if not spec.momentum:
                add_ratio(self.params, grads, root, -rate)
                return
            velocity = self.state["velocity"]
            torch._foreach_mul_(velocity, spec.momentum)
            add_ratio(velocity, grads, root, -rate)
            torch._foreach_add_(self.params, velocity)

    return ScaledDescent(params, "mean_square", *(["velocity"] if spec.momentum else []))
