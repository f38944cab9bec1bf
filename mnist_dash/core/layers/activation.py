"""The activation as a layer of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from mnist_dash.core.layers import activations
from mnist_dash.core.layers.activations import Activation
from mnist_dash.core.layers.base import Graph, LayerKind, NetworkBuilder, Parameters, Shape

if TYPE_CHECKING:
    import torch
    from torch import nn


class ActivationLayer(LayerKind):
    """An activation on its own, after batch normalisation say."""

    label = "Activation"
    controls = (activations.CONTROL,)
    is_measured = True

    kind: Literal["activation"] = "activation"
    activation: Activation = "relu"

    def summary(self) -> str:
        """Name the layer in one short line."""
        return self.activation

    @property
    def passes_values_on(self) -> bool:
        """Whether no value changes in it: only where it is linear."""
        return self.activation == "linear"

    def modules(self, shape: Shape, generator: torch.Generator) -> list[nn.Module]:
        """Make its module, none where it is linear; see `LayerKind.modules`."""
        return activations.modules(self.activation)

    def add_to(self, network: NetworkBuilder, shape: Shape) -> None:
        """Add it to a network in training; see `LayerKind.add_to`."""
        activations.add_to(network, self.activation, in_place=False)

    def onnx(self, graph: Graph, value: str, shape: Shape, parameters: Parameters) -> str:
        """Write its nodes; see `LayerKind.onnx`."""
        return activations.onnx(graph, value, self.activation)

    def script_modules(self, shape: Shape, *, varied: bool = False) -> Iterator[str]:
        """Write the expression that makes its module."""
        yield from activations.script_modules(self.activation)
