"""The dense layer: every output is a weighted sum of all inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from mnist_dash.core.kinds.controls import Control
from mnist_dash.core.layers import activations, initialisers
from mnist_dash.core.layers.activations import OutputActivation
from mnist_dash.core.layers.base import (
    Graph,
    LayerKind,
    Misfit,
    NetworkBuilder,
    Outcome,
    Parameters,
    Shape,
    format_shape,
)
from mnist_dash.core.layers.initialisers import GlorotUniform, Initializer, InitializerKind, Zeros

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from mnist_dash.core.layers.gradients import ByHand, Operation, Trained

WIDE_UNITS = 64
"""Narrower products are over before another library's preparations are."""


class Dense(LayerKind):
    """Fully connected layer; `l2` adds ``l2 * sum(kernel ** 2)`` to the loss, the bias excepted."""

    label = "Dense"
    controls = (Control("units", "Units"), activations.OUTPUT_CONTROL, *initialisers.CONTROLS)
    is_measured = True
    kernel_name: ClassVar[str | None] = "weight"
    torch_class = "nn.Linear"

    kind: Literal["dense"] = "dense"
    units: int = Field(128, ge=1, le=8192)
    activation: OutputActivation = "relu"
    kernel_init: Initializer = GlorotUniform()
    bias_init: Initializer = Zeros()
    l2: float = Field(0.0, ge=0, le=10)

    def summary(self) -> str:
        """Name the layer in one short line."""
        return f"dense {self.units}, {self.activation}" + (f", l2 {self.l2:g}" if self.l2 else "")

    def outcome(self, shape: Shape) -> Outcome:
        """Give what it makes of an input's shape; see `LayerKind.outcome`."""
        if len(shape) != 1:
            raise Misfit(
                f"an image of {format_shape(shape)} comes in",
                "a dense layer takes a vector",
                "Put a flatten layer before it.",
            )
        n_parameters = (shape[0] + 1) * self.units
        arithmetic = f"{shape[0]} x {self.units} weights + {self.units} biases = {n_parameters:,}"
        return Outcome(
            (self.units,),
            n_parameters,
            2 * shape[0] * self.units,
            f"{self.units} units",
            arithmetic,
        )

    def initial_values(self) -> Mapping[str, InitializerKind]:
        """Give the initialisers of its kernel and its bias."""
        return {"weight": self.kernel_init, "bias": self.bias_init}

    def penalties(self) -> Mapping[str, float]:
        """Give the L2 factor of its kernel."""
        return {"weight": self.l2} if self.l2 else {}

    def modules(self, shape: Shape, generator: torch.Generator) -> list[nn.Module]:
        """Make its modules; see `LayerKind.modules`."""
        from torch import nn

        linear = nn.Linear(shape[0], self.units)
        initialisers.fill_module(linear, self.initial_values(), generator)
        return [linear, *activations.modules(self.activation)]

    def add_to(self, network: NetworkBuilder, shape: Shape) -> None:
        """Add it to a network in training; see `LayerKind.add_to`."""
        import torch
        from torch.nn import functional

        module = network.module()
        kernel = torch.zeros((self.units, shape[0]), device=network.device)
        kernel = network.parameter(f"{module}.weight", kernel, order=network.order, l2=self.l2)
        bias = network.parameter(f"{module}.bias", torch.zeros(self.units, device=network.device))
        network.order = None
        network.step(lambda x, _: functional.linear(x, kernel, bias))
        activations.add_to(network, self.activation, in_place=True)

    def has_gradient(self, shape: Shape) -> bool:
        """Say whether its gradient is written by hand."""
        return self.activation in ("relu", "linear", "softmax")

    def add_gradient(self, network: ByHand, shape: Shape) -> None:
        """Add its operations; see `LayerKind.add_gradient`."""
        trained = network.take(2)
        is_wide = not trained.copies and min(shape[0], self.units) >= WIDE_UNITS and _has_onednn()
        make = _wide_product if is_wide else _product
        network.add(make(trained, is_first=network.is_first), is_trained=True)
        network.add_activation(self.activation)

    def onnx(self, graph: Graph, value: str, shape: Shape, parameters: Parameters) -> str:
        """Write its nodes; see `LayerKind.onnx`."""
        names = graph.parameters(
            parameters, {"weight": (self.units, shape[0]), "bias": (self.units,)}
        )
        return activations.onnx(
            graph, graph.node("Gemm", [value, *names], transB=1), self.activation
        )

    def script_modules(self, shape: Shape, *, varied: bool = False) -> Iterator[str]:
        """Write the expressions that make its modules."""
        yield f"nn.Linear({shape[0]}, {self.units})"
        yield from activations.script_modules(self.activation)


def _product(trained: Trained, *, is_first: bool) -> Operation:
    """Compute ``x @ kernel.T + bias``, in either precision."""
    import torch

    rounded = torch.empty_like(trained.values[0]) if trained.copies else None
    """Room for the kernel's gradient before it becomes float32."""
    kernel, bias = trained.values
    of_kernel, of_bias = trained.grads

    class Product:
        def forward(self, x: Tensor) -> Tensor:
            self._x = x
            return torch.addmm(bias, x, kernel.t())

        def backward(self, grad: Tensor) -> Tensor:
            if rounded is None:
                torch.mm(grad.t(), self._x, out=of_kernel)
            else:
                of_kernel.copy_(torch.mm(grad.t(), self._x, out=rounded))
            torch.sum(grad, 0, dtype=torch.float32, out=of_bias)
            return grad if is_first else torch.mm(grad, kernel)

    return Product()


def _wide_product(trained: Trained, *, is_first: bool) -> Operation:
    """Compute the same by oneDNN, in float32: a tenth to a half faster than MKL at these shapes on an AMD processor."""
    import torch

    multiply = torch.ops.mkldnn._linear_pointwise
    kernel, bias = trained.values

    class WideProduct:
        def forward(self, x: Tensor) -> Tensor:
            self._x = x
            return product(x, kernel, bias)

        def backward(self, grad: Tensor) -> Tensor:
            trained.grads = [product(grad.t(), self._x.t(), None), grad.sum(0)]
            return grad if is_first else product(grad, kernel.t(), None)

    def product(a: Tensor, b: Tensor, added: Tensor | None) -> Tensor:
        """Compute ``a @ b.T + added``.

        ``(B, inputs)`` and ``(units, inputs)``, added ``(units,)``, float32 -> ``(B, units)``.
        """
        found: Tensor = multiply(a, b, added, "none", [], "")
        return found

    return WideProduct()


def _has_onednn() -> bool:
    """Whether torch was built with oneDNN, and with the product above."""
    import torch

    return torch._C._has_mkldnn and hasattr(torch.ops.mkldnn, "_linear_pointwise")
