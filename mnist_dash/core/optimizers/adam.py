"""Adam and AdamW.

Both use torch's fused kernels, which put epsilon inside the bias correction; they are handed ``epsilon / sqrt(1 - beta_2 ** t)``, which
puts it outside again, as Keras and the paper's section 2 (its faster form) do.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from mnist_dash.core.optimizers.base import (
    BETAS,
    EPSILON,
    LEARNING_RATE,
    WEIGHT_DECAY,
    Beta,
    Epsilon,
    LearningRate,
    OptimizerKind,
)

if TYPE_CHECKING:
    from torch import Tensor

    from mnist_dash.core.optimizers.torch_optimizer import Factor, TorchOptimizer

BEYOND_CORRECTION = 1e9
"""Number of an update whose bias correction is 1 in float32."""


class _Adam(OptimizerKind):
    """What both share; the fields of AdamW are those of Adam and one more."""

    torch_class: ClassVar[str]
    """Its name in `torch.optim`."""
    kind: str = ""
    learning_rate: LearningRate = 0.001
    beta_1: Beta = 0.9
    beta_2: Beta = 0.999
    epsilon: Epsilon = 1e-7

    @property
    def decoupled_decay(self) -> float:
        """What each update takes off every parameter, times the rate."""
        return 0.0

    def build(self, params: Sequence[Tensor], *, recordable: bool = False) -> TorchOptimizer:
        """Make it; see `OptimizerKind.build`."""
        return _adam(self, params, recordable=recordable)

    def script_call(self) -> str:
        """Write the call that makes it in an exported script."""
        decay = (
            f", weight_decay={self.decoupled_decay!r}"
            if "weight_decay" in type(self).model_fields
            else ""
        )
        values = f"lr={self.learning_rate!r}, betas=({self.beta_1!r}, {self.beta_2!r}), eps={self.epsilon!r}{decay}"
        return f"torch.optim.{self.torch_class}(parameters, {values})"

    def script_step_line(self, updates: str) -> str:
        """Write what keeps torch's epsilon where Keras has it: outside the bias correction."""
        return f'group["eps"] = {self.epsilon!r} / (1 - {self.beta_2!r} ** ({updates})) ** 0.5'


class Adam(_Adam):
    """Adam (Kingma and Ba, 2015), with epsilon outside the bias correction as in Keras."""

    label = "Adam"
    controls = (LEARNING_RATE, *BETAS, EPSILON)
    torch_class = "Adam"
    kind: Literal["adam"] = "adam"


class AdamW(_Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

    label = "AdamW"
    controls = (LEARNING_RATE, *BETAS, EPSILON, WEIGHT_DECAY)
    torch_class = "AdamW"
    kind: Literal["adamw"] = "adamw"
    weight_decay: float = Field(0.01, ge=0, le=1)

    @property
    def decoupled_decay(self) -> float:
        """What each update takes off every parameter, times the rate."""
        return self.weight_decay


def _adam(spec: _Adam, params: Sequence[Tensor], *, recordable: bool) -> TorchOptimizer:
    import torch

    from mnist_dash.core.optimizers.torch_optimizer import Slots

    decay = spec.decoupled_decay
    kernel = torch._fused_adamw_ if isinstance(spec, AdamW) else torch._fused_adam_
    update = functools.partial(
        kernel, beta1=spec.beta_1, beta2=spec.beta_2, amsgrad=False, maximize=False
    )

    class FusedAdam(Slots):
        """``w -= rate * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + epsilon)``; AdamW first takes ``rate * weight_decay * w`` off."""

        def __init__(self) -> None:
            super().__init__(params, "first_moment", "second_moment")
            self._count = torch.zeros((), dtype=torch.float32, device=self.params[0].device)

        def factors(self, rate: float, t: int) -> tuple[float, ...]:
            """Give the rate, the epsilon and the number of the update."""
            return rate, spec.epsilon / math.sqrt(1 - spec.beta_2**t), t

        def apply(self, grads: list[Tensor], *factors: Factor) -> None:
            rate, epsilon, t = factors
            self._count.fill_(t)
            self._update(grads, rate=rate, epsilon=float(epsilon), decay=decay)

        def _update(
            self, grads: list[Tensor], *, rate: Factor, epsilon: float, decay: float
        ) -> None:
            first, second = self.state["first_moment"], self.state["second_moment"]
            counts = [self._count] * len(self.params)
            update(
                self.params,
                grads,
                first,
                second,
                [],
                counts,
                lr=rate,
                weight_decay=decay,
                eps=epsilon,
            )

    class RecordableAdam(FusedAdam):
        """The same for CUDA graphs, in which only tensors change: the kernel's own bias correction is 1, the rate brings it."""

        def __init__(self) -> None:
            super().__init__()
            self._count.fill_(BEYOND_CORRECTION)

        def factors(self, rate: float, t: int) -> tuple[float, ...]:
            """Give the corrected rate, and what weight decay leaves of a parameter."""
            corrected = rate * math.sqrt(1 - spec.beta_2**t) / (1 - spec.beta_1**t)
            return corrected, 1 - rate * decay

        def apply(self, grads: list[Tensor], *factors: Factor) -> None:
            rate, left = factors
            if decay:
                torch._foreach_mul_(self.params, left)
            self._update(grads, rate=rate, epsilon=spec.epsilon, decay=0.0)

    return RecordableAdam() if recordable else FusedAdam()
