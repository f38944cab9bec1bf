"""Pooling: the maximum or the mean over square windows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from mnist_dash.core.kinds.controls import Control
from mnist_dash.core.layers.base import (
    Graph,
    LayerKind,
    Misfit,
    NetworkBuilder,
    Outcome,
    Parameters,
    Shape,
    format_shape,
    require_image,
)
from mnist_dash.glossary import help_for

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from mnist_dash.core.layers.gradients import ByHand, Operation


class _Pool(LayerKind):
    """What both kinds share; each names its functions."""

    word: ClassVar[str]
    module_class: ClassVar[str]
    torch_function: ClassVar[str]
    onnx_operator: ClassVar[str]
    controls = (
        Control("size", "Window", hint=help_for("window size")),
        Control("stride", "Stride", hint=help_for("stride")),
    )
    takes_images = True

    kind: str = ""
    size: int = Field(2, ge=1, le=14)
    stride: int | None = Field(None, ge=1, le=14)

    def summary(self) -> str:
        """Name the layer in one short line."""
        stride = f", stride {self.stride}" if self.stride not in (None, self.size) else ""
        return f"{self.word} pool {self.size}x{self.size}{stride}"

    def outcome(self, shape: Shape) -> Outcome:
        """Give what it makes of an input's shape; see `LayerKind.outcome`."""
        require_image(shape)
        stride = self.stride or self.size
        if self.size > min(shape[:2]):
            raise Misfit(
                f"a {self.size}x{self.size} window is larger than its input of {format_shape(shape)}",
                "",
                f"Make the window at most {min(shape[:2])}, or remove the layer.",
            )
        sides = tuple((side - self.size) // stride + 1 for side in shape[:2])
        if stride != self.size:
            words = f"({shape[0]} - {self.size}) / {stride} + 1 = {sides[0]}"
        else:
            rounded = ", rounded down" if shape[0] % self.size else ""
            words = f"{shape[0]} / {self.size}{rounded} = {sides[0]}"
        output = (*sides, shape[2])
        return Outcome(output, 0, self.size**2 * math.prod(output), words, "nothing to train")

    def modules(self, shape: Shape, generator: torch.Generator) -> list[nn.Module]:
        """Make its module; see `LayerKind.modules`."""
        from torch import nn

        return [getattr(nn, self.module_class)(self.size, self.stride)]

    def add_to(self, network: NetworkBuilder, shape: Shape) -> None:
        """Add it to a network in training; see `LayerKind.add_to`."""
        from torch.nn import functional

        network.module()
        size, stride = self.size, self.stride or self.size
        pool = getattr(functional, self.torch_function)
        network.step(lambda x, _: pool(x, size, stride), is_maximum=self.word == "max")

    def onnx(self, graph: Graph, value: str, shape: Shape, parameters: Parameters) -> str:
        """Write its node; see `LayerKind.onnx`."""
        return graph.node(
            self.onnx_operator,
            [value],
            kernel_shape=[self.size] * 2,
            strides=[self.stride or self.size] * 2,
        )

    def script_modules(self, shape: Shape, *, varied: bool = False) -> Iterator[str]:
        """Write the expression that makes its module."""
        yield f"nn.{self.module_class}({self.size}, stride={self.stride or self.size})"


class MaxPool(_Pool):
    """Maximum over square windows, as far apart as they are wide unless `stride` says otherwise."""

    label = "Max pooling"
    word, module_class, torch_function, onnx_operator = "max", "MaxPool2d", "max_pool2d", "MaxPool"
    kind: Literal["max_pool"] = "max_pool"

    def has_gradient(self, shape: Shape) -> bool:
        """Say whether its gradient is written by hand: always."""
        return True

    def add_gradient(self, network: ByHand, shape: Shape) -> None:
        """Add its operation; see `LayerKind.add_gradient`."""
        network.add(_maximum(self.size, self.stride or self.size), is_maximum=True)


class AvgPool(_Pool):
    """Mean over square windows, as far apart as they are wide unless `stride` says otherwise."""

    label = "Average pooling"
    word, module_class, torch_function, onnx_operator = (
        "average",
        "AvgPool2d",
        "avg_pool2d",
        "AveragePool",
    )
    kind: Literal["avg_pool"] = "avg_pool"


def _maximum(size: int, stride: int) -> Operation:
    """Take the maximum over windows; the gradient goes to each window's first maximum, as in autograd."""
    import torch

    sizes, strides = [size, size], [stride, stride]
    pool = torch.ops.aten.max_pool2d_with_indices
    differentiate = torch.ops.aten.max_pool2d_with_indices_backward

    class Maximum:
        def forward(self, x: Tensor) -> Tensor:
            self._x = x
            pooled: Tensor
            pooled, self._indices = pool(x, sizes, strides)
            return pooled

        def backward(self, grad: Tensor) -> Tensor:
            spread: Tensor = differentiate(
                grad, self._x, sizes, strides, [0, 0], [1, 1], False, self._indices
            )
            return spread

    return Maximum()
