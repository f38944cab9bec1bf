"""Flattening: from an image to a vector."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from mnist_dash.core.layers.base import (
    Graph,
    LayerKind,
    NetworkBuilder,
    Outcome,
    Parameters,
    Shape,
    format_shape,
)

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from mnist_dash.core.layers.gradients import ByHand, Operation


class Flatten(LayerKind):
    """Image to vector; channels vary fastest, as in Keras."""

    label = "Flatten"

    kind: Literal["flatten"] = "flatten"

    def outcome(self, shape: Shape) -> Outcome:
        """Give what it makes of an input's shape; see `LayerKind.outcome`."""
        n_values = math.prod(shape)
        words = (
            f"{format_shape(shape)} = {n_values:,}"
            if len(shape) > 1
            else f"{n_values:,}, a vector already"
        )
        return Outcome((n_values,), 0, 0, words, "nothing to train")

    @property
    def passes_values_on(self) -> bool:
        """Whether no value changes in it: they only move."""
        return True

    def modules(self, shape: Shape, generator: torch.Generator) -> list[nn.Module]:
        """Make its module, which puts channels outside; see `LayerKind.modules`."""
        from torch import nn

        return [nn.Flatten()]

    def add_to(self, network: NetworkBuilder, shape: Shape) -> None:
        """Add it to a network in training, which keeps the channels-last order of its images; see `LayerKind.add_to`."""
        import torch

        network.module()
        if len(shape) == 3:
            height, width, channels = shape
            order = (
                torch.arange(math.prod(shape))
                .view(channels, height, width)
                .permute(1, 2, 0)
                .flatten()
            )
            network.order = order if channels > 1 and height * width > 1 else None
        network.step(_flatten)

    def has_gradient(self, shape: Shape) -> bool:
        """Say whether its gradient is written by hand: always."""
        return True

    def add_gradient(self, network: ByHand, shape: Shape) -> None:
        """Add its operation; see `LayerKind.add_gradient`."""
        network.add(_reshaping())

    def onnx(self, graph: Graph, value: str, shape: Shape, parameters: Parameters) -> str:
        """Write its node; see `LayerKind.onnx`."""
        return graph.node("Flatten", [value], axis=1)

    def script_modules(self, shape: Shape, *, varied: bool = False) -> Iterator[str]:
        """Write the expression that makes its module."""
        yield "nn.Flatten()"


def _flatten(x: Tensor, _training: bool = False) -> Tensor:  # noqa: FBT001, FBT002 - the signature of every step
    """Turn images into vectors, channels fastest: no copy of a channels-last image.

    ``(B, channels, height, width)`` or ``(B, features)`` -> ``(B, features)``.
    """
    return x.permute(0, 2, 3, 1).flatten(1) if x.dim() == 4 else x


def _reshaping() -> Operation:
    class Reshaping:
        def forward(self, x: Tensor) -> Tensor:
            self._shape = x.shape
            return _flatten(x)

        def backward(self, grad: Tensor) -> Tensor:
            if len(self._shape) != 4:
                return grad
            n, channels, height, width = self._shape
            return grad.view(n, height, width, channels).permute(0, 3, 1, 2)

    return Reshaping()
