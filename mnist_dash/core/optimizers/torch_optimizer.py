"""Optimizers by the definitions of Keras 2, on lists of tensors.

Each is an `Optimizer`: it owns its state, one tensor a parameter and slot, and changes the parameters in place. Rates come from outside,
step by step (`mnist_dash.core.training.schedules`). Whatever of an update depends on its number is in its factors, which are floats, or
tensors of no axes where the update was recorded once as a CUDA graph and is replayed with other factors each time.

Adam and AdamW use torch's fused kernels, which put epsilon inside the bias correction; they are handed ``epsilon / sqrt(1 - beta_2 ** t)``,
which puts it outside again, as Keras and the paper's section 2 (its faster form) do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from mnist_dash.core.config import run_config as specs

NADAM_SCHEDULE_DECAY = 0.004
"""How fast NAdam's momentum warms up (Dozat, 2016; fixed in Keras 2)."""
BEYOND_CORRECTION = 1e9
"""Number of an update whose bias correction is 1 in float32."""


Factor = float | Tensor
"""A number that changes from update to update."""
Tensors = list[Tensor] | tuple[Tensor, ...]


class Optimizer(Protocol):
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


def build_optimizer(spec: specs.Optimizer, params: Sequence[Tensor], *, recordable: bool = False) -> Optimizer:
    """Make the optimizer of a specification, its state zero.

    Args:
        spec: the specification.
        params: what it changes.
        recordable: whether its factors may be tensors, as a recorded update needs them.
    """
    match spec:
        case specs.SGD():
            return SGD(spec, params)
        case specs.Adam() | specs.AdamW():
            return (RecordableAdam if recordable else Adam)(spec, params)
        case specs.NAdam():
            return NAdam(spec, params)
        case specs.RMSprop():
            return RMSprop(spec, params)
        case specs.Adadelta():
            return Adadelta(spec, params)
        case specs.Adagrad():
            return Adagrad(spec, params)
        case specs.Lion():
            return Lion(spec, params)


class _Slots:
    """What every optimizer keeps: its parameters and named zeros beside each of them."""

    def __init__(self, params: Sequence[Tensor], *names: str) -> None:
        self.params = list(params)
        self.state = {name: [torch.zeros_like(param) for param in self.params] for name in names}

    def factors(self, rate: float, t: int) -> tuple[float, ...]:  # noqa: ARG002 - one protocol
        """Give the learning rate alone; see `Optimizer.factors`."""
        return (rate,)


def _add_scaled(targets: Tensors, values: Tensors, factor: Factor) -> None:
    """Add ``factor * values`` in place."""
    if isinstance(factor, Tensor):
        torch._foreach_add_(targets, torch._foreach_mul(values, factor))
    else:
        torch._foreach_add_(targets, values, alpha=factor)


def _add_ratio(targets: Tensors, values: Tensors, divisors: Tensors, factor: Factor) -> None:
    """Add ``factor * values / divisors`` in place."""
    if isinstance(factor, Tensor):
        _add_scaled(targets, torch._foreach_div(values, divisors), factor)
    else:
        torch._foreach_addcdiv_(targets, values, divisors, value=factor)


class SGD(_Slots):
    """SGD: ``v = momentum * v - rate * g; w += v``, with Nesterov ``w += momentum * v - rate * g``."""

    def __init__(self, spec: specs.SGD, params: Sequence[Tensor]) -> None:
        super().__init__(params, *(["velocity"] if spec.momentum else []))
        self.spec = spec

    def apply(self, grads: list[Tensor], *factors: Factor) -> None:
        """Update the parameters in place; see `Optimizer.apply`."""
        (rate,) = factors
        if not self.spec.momentum:
            _add_scaled(self.params, grads, -rate)
            return
        velocity = self.state["velocity"]
        torch._foreach_mul_(velocity, self.spec.momentum)
        _add_scaled(velocity, grads, -rate)
        if self.spec.nesterov:
            torch._foreach_add_(self.params, velocity, alpha=self.spec.momentum)
            _add_scaled(self.params, grads, -rate)
        else:
            torch._foreach_add_(self.params, velocity)


class Adam(_Slots):
    """Adam: ``w -= rate * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + epsilon)``.

    AdamW first takes ``rate * weight_decay * w`` off every parameter.
    """

    def __init__(self, spec: specs.Adam | specs.AdamW, params: Sequence[Tensor]) -> None:
        super().__init__(params, "first_moment", "second_moment")
        self.spec = spec
        self._fused = torch._fused_adamw_ if isinstance(spec, specs.AdamW) else torch._fused_adam_
        self._decay = spec.weight_decay if isinstance(spec, specs.AdamW) else 0.0
        self._count = torch.zeros((), dtype=torch.float32, device=self.params[0].device)

    def factors(self, rate: float, t: int) -> tuple[float, ...]:
        """Give the rate, the epsilon and the number of the update; see `Optimizer.factors`."""
        return rate, self.spec.epsilon / math.sqrt(1 - self.spec.beta_2**t), t

    def apply(self, grads: list[Tensor], *factors: Factor) -> None:
        """Update the parameters in place; see `Optimizer.apply`."""
        rate, epsilon, t = factors
        self._count.fill_(t)
        self._update(grads, rate=rate, epsilon=float(epsilon), decay=self._decay)

    def _update(self, grads: list[Tensor], *, rate: Factor, epsilon: float, decay: float) -> None:
        self._fused(
            self.params,
            grads,
            self.state["first_moment"],
            self.state["second_moment"],
            [],
            [self._count] * len(self.params),
            lr=rate,
            beta1=self.spec.beta_1,
            beta2=self.spec.beta_2,
            weight_decay=decay,
            eps=epsilon,
            amsgrad=False,
            maximize=False,
        )


class RecordableAdam(Adam):
    """The same for CUDA graphs, in which only tensors change.

    The kernel's own bias correction is 1; that of the definition is in the rate.
    """

    def __init__(self, spec: specs.Adam | specs.AdamW, params: Sequence[Tensor]) -> None:
        super().__init__(spec, params)
        self._count.fill_(BEYOND_CORRECTION)

    def factors(self, rate: float, t: int) -> tuple[float, ...]:
        """Give the corrected rate, and what weight decay leaves of a parameter; see `Optimizer.factors`."""
        corrected = rate * math.sqrt(1 - self.spec.beta_2**t) / (1 - self.spec.beta_1**t)
        return corrected, 1 - rate * self._decay

    def apply(self, grads: list[Tensor], *factors: Factor) -> None:
        """Update the parameters in place; see `Optimizer.apply`."""
        rate, left = factors
        if self._decay:
            torch._foreach_mul_(self.params, left)
        self._update(grads, rate=rate, epsilon=self.spec.epsilon, decay=0.0)


class NAdam(_Slots):
    """NAdam with a warming momentum, ``u_t = b1 * (1 - 0.96 ** (0.004 t) / 2)``, as Keras 2 has it (Dozat, 2016, section 3).

    Epsilon is added to the root of the corrected second moment, as there.
    """

    def __init__(self, spec: specs.NAdam, params: Sequence[Tensor]) -> None:
        super().__init__(params, "first_moment", "second_moment")
        self.spec = spec
        self._t, self._product = 0, 1.0

    def factors(self, rate: float, t: int) -> tuple[float, ...]:
        """Give the factors of the gradient and of the first moment, and the second moment's correction; see `Optimizer.factors`."""
        now, following, product = self._momentum(t), self._momentum(t + 1), self._product_until(t)
        return (
            -rate * (1 - now) / (1 - product),
            -rate * following / (1 - product * following),
            1 - self.spec.beta_2**t,
        )

    def apply(self, grads: list[Tensor], *factors: Factor) -> None:
        """Update the parameters in place; see `Optimizer.apply`."""
        of_grad, of_first, correction = factors
        first, second, spec = self.state["first_moment"], self.state["second_moment"], self.spec
        torch._foreach_mul_(first, spec.beta_1)
        torch._foreach_add_(first, grads, alpha=1 - spec.beta_1)
        torch._foreach_mul_(second, spec.beta_2)
        torch._foreach_addcmul_(second, grads, grads, value=1 - spec.beta_2)
        denominator = torch._foreach_div(second, correction)
        torch._foreach_sqrt_(denominator)
        torch._foreach_add_(denominator, spec.epsilon)
        _add_ratio(self.params, grads, denominator, of_grad)
        _add_ratio(self.params, first, denominator, of_first)

    def _momentum(self, t: int) -> float:
        return self.spec.beta_1 * (1 - 0.5 * math.pow(0.96, t * NADAM_SCHEDULE_DECAY))

    def _product_until(self, t: int) -> float:
        """Product of the momenta of updates 1 to `t`, recounted after a resume."""
        if t <= self._t:
            self._t, self._product = 0, 1.0
        while self._t < t:
            self._t += 1
            self._product *= self._momentum(self._t)
        return self._product


class RMSprop(_Slots):
    """RMSprop: ``a = rho * a + (1 - rho) * g^2; w -= rate * g / (sqrt(a) + epsilon)``, through a velocity where there is momentum."""

    def __init__(self, spec: specs.RMSprop, params: Sequence[Tensor]) -> None:
        super().__init__(params, "mean_square", *(["velocity"] if spec.momentum else []))
        self.spec = spec

    def apply(self, grads: list[Tensor], *factors: Factor) -> None:
        """Update the parameters in place; see `Optimizer.apply`."""
        (rate,) = factors
        mean_square = self.state["mean_square"]
        torch._foreach_mul_(mean_square, self.spec.rho)
        torch._foreach_addcmul_(mean_square, grads, grads, value=1 - self.spec.rho)
        root = torch._foreach_sqrt(mean_square)
        torch._foreach_add_(root, self.spec.epsilon)
        if not self.spec.momentum:
            _add_ratio(self.params, grads, root, -rate)
            return
        velocity = self.state["velocity"]
        torch._foreach_mul_(velocity, self.spec.momentum)
        _add_ratio(velocity, grads, root, -rate)
        torch._foreach_add_(self.params, velocity)


class Adadelta(_Slots):
    """Adadelta: ``w -= rate * u`` with ``u = g * sqrt(d + epsilon) / sqrt(a + epsilon)``.

    `a` and `d` are the decaying mean squares of `g` and of `u`.
    """

    def __init__(self, spec: specs.Adadelta, params: Sequence[Tensor]) -> None:
        super().__init__(params, "mean_square", "mean_square_update")
        self.spec = spec

    def apply(self, grads: list[Tensor], *factors: Factor) -> None:
        """Update the parameters in place; see `Optimizer.apply`."""
        (rate,) = factors
        mean_square, mean_update, spec = self.state["mean_square"], self.state["mean_square_update"], self.spec
        torch._foreach_mul_(mean_square, spec.rho)
        torch._foreach_addcmul_(mean_square, grads, grads, value=1 - spec.rho)
        update = torch._foreach_add(mean_update, spec.epsilon)
        torch._foreach_div_(update, torch._foreach_add(mean_square, spec.epsilon))
        torch._foreach_sqrt_(update)
        torch._foreach_mul_(update, grads)
        _add_scaled(self.params, update, -rate)
        torch._foreach_mul_(mean_update, spec.rho)
        torch._foreach_addcmul_(mean_update, update, update, value=1 - spec.rho)


class Adagrad(_Slots):
    """Adagrad: ``a += g^2; w -= rate * g / (sqrt(a) + epsilon)``, `a` from zero as in Keras 2."""

    def __init__(self, spec: specs.Adagrad, params: Sequence[Tensor]) -> None:
        super().__init__(params, "sum_of_squares")
        self.spec = spec

    def apply(self, grads: list[Tensor], *factors: Factor) -> None:
        """Update the parameters in place; see `Optimizer.apply`."""
        (rate,) = factors
        total = self.state["sum_of_squares"]
        torch._foreach_addcmul_(total, grads, grads, value=1.0)
        root = torch._foreach_sqrt(total)
        torch._foreach_add_(root, self.spec.epsilon)
        _add_ratio(self.params, grads, root, -rate)


class Lion(_Slots):
    """Lion: ``w -= rate * (sign(b1 * m + (1 - b1) * g) + decay * w); m = b2 * m + (1 - b2) * g`` (Chen et al., 2023, algorithm 2)."""

    def __init__(self, spec: specs.Lion, params: Sequence[Tensor]) -> None:
        super().__init__(params, "momentum")
        self.spec = spec

    def factors(self, rate: float, t: int) -> tuple[float, ...]:  # noqa: ARG002 - one protocol
        """Give the rate, and what weight decay leaves of a parameter; see `Optimizer.factors`."""
        return rate, 1 - rate * self.spec.weight_decay

    def apply(self, grads: list[Tensor], *factors: Factor) -> None:
        """Update the parameters in place; see `Optimizer.apply`."""
        rate, left = factors
        momentum, spec = self.state["momentum"], self.spec
        direction = torch._foreach_mul(momentum, spec.beta_1)
        torch._foreach_add_(direction, grads, alpha=1 - spec.beta_1)
        torch._foreach_sign_(direction)
        if spec.weight_decay:
            torch._foreach_mul_(self.params, left)
        _add_scaled(self.params, direction, -rate)
        torch._foreach_mul_(momentum, spec.beta_2)
        torch._foreach_add_(momentum, grads, alpha=1 - spec.beta_2)
