"""A layer, an optimizer, a schedule and a scaling that the product does not have, each added through its registry alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor, nn

from mnist_dash.core.kinds.controls import Control, SearchRange
from mnist_dash.core.layers import LAYERS, LayerKind, Shape
from mnist_dash.core.layers.base import Graph, NetworkBuilder, Outcome, Parameters
from mnist_dash.core.layers.gradients import ByHand, Trained
from mnist_dash.core.optimizers import OPTIMIZERS, LearningRate, OptimizerKind
from mnist_dash.core.optimizers.base import LEARNING_RATE, Beta
from mnist_dash.core.optimizers.torch_optimizer import Factor, Slots, TorchOptimizer, add_scaled
from mnist_dash.core.scalings import SCALINGS, ScalingKind
from mnist_dash.core.scalings.base import Values
from mnist_dash.core.schedules import SCHEDULES, ScheduleKind
from mnist_dash.core.schedules.base import WARMUP


class Scale(LayerKind):
    """Multiplies every feature, or every channel of an image, by a trained factor."""

    label = "Scale"
    controls = (
        Control(
            "start",
            "Start",
            hint="First value of every factor",
            search=SearchRange(0.5, 2.0, log=True),
        ),
    )
    is_measured = True

    kind: Literal["scale"] = "scale"
    start: float = Field(1.0, gt=0, le=10)

    def summary(self) -> str:
        """Name the layer in one short line."""
        return f"scale from {self.start:g}"

    def outcome(self, shape: Shape) -> Outcome:
        """Keep the shape, with a parameter a feature."""
        return Outcome(shape, shape[-1], int(np.prod(shape)), "unchanged", f"{shape[-1]} factors")

    def modules(self, shape: Shape, generator: torch.Generator) -> list[nn.Module]:
        """Make the plain module."""
        return [_ScaleModule(shape[-1], self.start)]

    def add_to(self, network: NetworkBuilder, shape: Shape) -> None:
        """Add it to a network in training."""
        name = f"{network.module()}.weight"
        factors = network.parameter(
            name, torch.zeros(shape[-1], device=network.device), order=network.order
        )
        network.step(lambda x, _: x * _along(factors, x))

    def has_gradient(self, shape: Shape) -> bool:
        """Have one for every shape."""
        return True

    def add_gradient(self, network: ByHand, shape: Shape) -> None:
        """Add the operation."""
        network.add(_Scaling(network.take(1)), is_trained=True)

    def onnx(self, graph: Graph, value: str, shape: Shape, parameters: Parameters) -> str:
        """Multiply by the factors, along the channels of an image."""
        (factors,) = graph.parameters(parameters, {"weight": shape[-1:]})
        if len(shape) == 3:
            factors = graph.node("Reshape", [factors, graph.constant([-1, 1, 1])])
        return graph.node("Mul", [value, factors])

    def script_modules(self, shape: Shape, *, varied: bool = False) -> Iterator[str]:
        """Write the expression that makes the module."""
        yield f"Scale({shape[-1]}, {self.start!r})"

    def script_definitions(self, *, varied: bool = False) -> str:
        """Write the module's class."""
        return '''class Scale(nn.Module):
    """Multiply every feature or channel by a trained factor."""

    def __init__(self, n_features: int, start: float):
        super().__init__()
        self.weight = nn.Parameter(torch.full((n_features,), start))

    def forward(self, values):
        return values * self.weight.view(-1, *[1] * (values.dim() - 2))'''


class _ScaleModule(nn.Module):
    def __init__(self, n_features: int, start: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((n_features,), start))

    def forward(self, values: Tensor) -> Tensor:
        return values * _along(self.weight, values)


def _along(factors: Tensor, values: Tensor) -> Tensor:
    return factors if values.dim() == 2 else factors.view(-1, 1, 1)


class _Scaling:
    """``y = a * x``, so ``da = sum(dy * x)`` over images and places, and ``dx = a * dy``."""

    def __init__(self, trained: Trained) -> None:
        self._trained = trained

    def forward(self, x: Tensor) -> Tensor:
        self._x = x
        return x * _along(self._trained.values[0], x)

    def backward(self, grad: Tensor) -> Tensor:
        axes = [axis for axis in range(grad.dim()) if axis != 1]
        self._trained.grads = [(grad * self._x).sum(axes, dtype=torch.float32)]
        return grad * _along(self._trained.values[0], grad)


class SignDescent(OptimizerKind):
    """Steps of equal size down a running sum of gradients: ``v = keep * v + g; w -= rate * sign(v)``."""

    label = "Sign descent"
    controls = (
        LEARNING_RATE,
        Control("keep", "Keep", hint="Share of the sum that stays", search=SearchRange(0.5, 0.95)),
    )

    kind: Literal["sign_descent"] = "sign_descent"
    learning_rate: LearningRate = 0.001
    keep: Beta = 0.5

    def build(self, params: Sequence[Tensor], *, recordable: bool = False) -> TorchOptimizer:
        """Make it."""
        return _Signs(self, params)

    def script_call(self) -> str:
        """Write the call."""
        return f"SignDescent(parameters, lr={self.learning_rate!r}, keep={self.keep!r})"

    def script_definitions(self) -> str:
        """Write the class."""
        return '''class SignDescent(torch.optim.Optimizer):
    """Steps of equal size down a running sum of gradients."""

    def __init__(self, parameters, lr: float, keep: float):
        super().__init__(parameters, {"lr": lr, "keep": keep})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                total = self.state[parameter].setdefault("total", torch.zeros_like(parameter))
                total.mul_(group["keep"]).add_(parameter.grad)
                parameter.sub_(group["lr"] * total.sign())'''


class _Signs(Slots):
    def __init__(self, spec: SignDescent, params: Sequence[Tensor]) -> None:
        super().__init__(params, "total")
        self._keep = spec.keep

    def apply(self, grads: list[Tensor], *factors: Factor) -> None:
        (rate,) = factors
        torch._foreach_mul_(self.state["total"], self._keep)
        torch._foreach_add_(self.state["total"], grads)
        add_scaled(self.params, torch._foreach_sign(self.state["total"]), -rate)


class LinearSchedule(ScheduleKind):
    """A straight line from the full rate to `final` of it."""

    label = "linear"
    controls = (WARMUP, Control("final", "Final share"))
    is_planned = True

    kind: Literal["linear"] = "linear"
    final: float = Field(0.1, ge=0, le=1)

    def fraction(self, position: float, stride: int, last: int) -> float:
        """Give the fraction of the full rate."""
        return 1 - (1 - self.final) * min(position / last, 1.0)

    def script_share(self, position: str, stride: str, last: str) -> str:
        """Write the same."""
        return f"    share = 1 - (1 - {self.final!r}) * min({position} / {last}, 1.0)"


class PeakScaling(ScalingKind):
    """Divides by the brightest pixel of the training part."""

    label = "by the brightest pixel"
    script = '''def fit_scaling(images: torch.Tensor):
    """Divide by the brightest pixel."""
    peak = float(images.max())
    return lambda batch: batch.float() / peak'''

    kind: Literal["peak"] = "peak"

    def fit_values(self, training: npt.NDArray[np.uint8]) -> tuple[Values, Values]:
        """Give 0 and one divided by the brightest."""
        return np.asarray(0, np.float32), np.asarray(1 / training.max(), np.float32)

    def fit(self, images: Tensor) -> Callable[[Tensor], Tensor]:
        """Fit it on the training device."""
        peak = float(images.max())
        return lambda batch: batch.to(torch.float32, copy=True).div_(peak)


@contextmanager
def toy_kinds() -> Iterator[None]:
    """Register all four for a while."""
    with ExitStack() as stack:
        stack.enter_context(LAYERS.extended(Scale))
        stack.enter_context(OPTIMIZERS.extended(SignDescent))
        stack.enter_context(SCHEDULES.extended(LinearSchedule))
        stack.enter_context(SCALINGS.extended(PeakScaling))
        yield
