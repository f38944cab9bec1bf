"""Activations: each one's name, its torch functions, its ONNX nodes and its line in an exported script."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from mnist_dash.core.kinds.controls import Control, ControlKind

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mnist_dash.core.layers.base import Graph, NetworkBuilder

Activation = Literal["linear", "relu", "elu", "gelu", "silu", "leaky_relu", "tanh", "sigmoid"]
OutputActivation = Literal[Activation, "softmax"]
LABELS = {
    "relu": "ReLU",
    "elu": "ELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "leaky_relu": "leaky ReLU",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "linear": "linear",
}
CONTROL = Control("activation", "Activation", kind=ControlKind.CHOICE, options=LABELS)
OUTPUT_CONTROL = Control(
    "activation", "Activation", kind=ControlKind.CHOICE, options=LABELS | {"softmax": "softmax"}
)

_MODULES = {
    "relu": "ReLU",
    "elu": "ELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "leaky_relu": "LeakyReLU",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
}
"""Classes of `torch.nn`; linear needs none, and the softmax belongs to the loss."""
_RISING = ("relu", "elu", "leaky_relu", "tanh", "sigmoid")
"""Activations that never fall, so that the maximum of a window may be taken before them."""
_ONNX = {"relu": "Relu", "elu": "Elu", "tanh": "Tanh", "sigmoid": "Sigmoid"}


def modules(name: str) -> list[nn.Module]:
    """Make the module of an activation, if it is one."""
    from torch import nn

    return [getattr(nn, _MODULES[name])()] if name in _MODULES else []


def script_modules(name: str) -> tuple[str, ...]:
    """Write the expression that makes the module."""
    return (f"nn.{_MODULES[name]}()",) if name in _MODULES else ()


def add_to(network: NetworkBuilder, name: str, *, in_place: bool) -> None:
    """Add an activation to a network in training.

    Args:
        network: the network.
        name: of the activation.
        in_place: whether it may overwrite its input, which nothing else then needs for its gradient: the output of a convolution, of a
            dense layer, or of a pooling behind them.
    """
    if name in _MODULES:
        network.module()
        activate = _function(name, in_place=in_place)
        network.step(lambda x, _: activate(x), rises=name in _RISING)


def _function(name: str, *, in_place: bool) -> Callable[[Tensor], Tensor]:
    import torch
    from torch.nn import functional

    match name:
        case "relu":
            return torch.relu_ if in_place else torch.relu
        case "elu":
            return functional.elu_ if in_place else functional.elu
        case "leaky_relu":
            return functional.leaky_relu_ if in_place else functional.leaky_relu
        case "tanh":
            return torch.tanh_ if in_place else torch.tanh
        case "sigmoid":
            return torch.sigmoid_ if in_place else torch.sigmoid
        case "gelu":
            return functional.gelu
        case _:
            return functional.silu


def onnx(graph: Graph, value: str, name: str) -> str:
    """Write the nodes of an activation behind `value`; gives the name of its output."""
    match name:
        case "linear":
            return value
        case "softmax":
            return graph.node("Softmax", [value], axis=1)
        case "silu":
            return graph.node("Mul", [value, graph.node("Sigmoid", [value])])
        case "gelu":
            share = graph.node("Erf", [graph.node("Mul", [value, graph.constant(math.sqrt(0.5))])])
            halved = graph.node("Mul", [value, graph.constant(0.5)])
            return graph.node("Mul", [halved, graph.node("Add", [share, graph.constant(1.0)])])
        case "leaky_relu":
            return graph.node("LeakyRelu", [value], alpha=0.01)
        case _:
            return graph.node(_ONNX[name], [value])
