"""Batch normalisation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mnist_dash.core.kinds.controls import Control
from mnist_dash.core.layers.base import Graph, LayerKind, NetworkBuilder, Outcome, Parameters, Shape
from mnist_dash.glossary import help_for

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


class BatchNorm(LayerKind):
    """Batch normalisation with trained scale and shift (Ioffe and Szegedy, 2015); `momentum` is Keras's, the share kept."""

    label = "Batch normalisation"
    controls = (
        Control("momentum", "Momentum", hint=help_for("running statistics momentum")),
        Control("epsilon", "Epsilon"),
    )
    is_measured = True

    kind: Literal["batch_norm"] = "batch_norm"
    momentum: float = Field(0.99, ge=0, lt=1)
    epsilon: float = Field(1e-3, gt=0, le=1)

    def outcome(self, shape: Shape) -> Outcome:
        """Give what it makes of an input's shape; see `LayerKind.outcome`."""
        n_parameters = 2 * shape[-1]
        arithmetic = f"{shape[-1]} scales + {shape[-1]} shifts = {n_parameters:,}"
        return Outcome(shape, n_parameters, 2 * math.prod(shape), "unchanged", arithmetic)

    def modules(self, shape: Shape, generator: torch.Generator) -> list[nn.Module]:
        """Make its module; see `LayerKind.modules`."""
        from torch import nn

        kind = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
        return [kind(shape[-1], eps=self.epsilon, momentum=1 - self.momentum)]

    def add_to(self, network: NetworkBuilder, shape: Shape) -> None:
        """Add it to a network in training; see `LayerKind.add_to`."""
        import torch
        from torch.nn import functional

        name, order = network.module(), network.order
        zeros = torch.zeros(shape[-1], device=network.device)
        scale = network.parameter(f"{name}.weight", torch.ones_like(zeros), order=order)
        shift = network.parameter(f"{name}.bias", zeros, order=order)
        mean = network.buffer(f"{name}.running_mean", torch.zeros_like(zeros), order=order)
        variance = network.buffer(f"{name}.running_var", torch.ones_like(zeros), order=order)
        momentum, epsilon = 1 - self.momentum, self.epsilon

        def normalise(x: Tensor, training: bool) -> Tensor:  # noqa: FBT001 - the signature of every step
            return functional.batch_norm(
                x, mean, variance, scale, shift, training, momentum, epsilon
            )

        network.step(normalise)

    def onnx(self, graph: Graph, value: str, shape: Shape, parameters: Parameters) -> str:
        """Write its node; see `LayerKind.onnx`."""
        wanted = dict.fromkeys(("weight", "bias", "running_mean", "running_var"), shape[-1:])
        return graph.node(
            "BatchNormalization",
            [value, *graph.parameters(parameters, wanted)],
            epsilon=self.epsilon,
        )

    def script_modules(self, shape: Shape, *, varied: bool = False) -> Iterator[str]:
        """Write the expression that makes its module."""
        kind = "BatchNorm2d" if len(shape) == 3 else "BatchNorm1d"
        yield f"nn.{kind}({shape[-1]}, eps={self.epsilon!r}, momentum={1 - self.momentum:.6g})"
