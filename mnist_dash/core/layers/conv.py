"""The convolution: a square kernel slides over an image."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from mnist_dash.core.kinds.controls import Control, ControlKind
from mnist_dash.core.layers import activations, initialisers
from mnist_dash.core.layers.activations import Activation
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
from mnist_dash.core.layers.initialisers import GlorotUniform, Initializer, InitializerKind, Zeros
from mnist_dash.glossary import help_for

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from mnist_dash.core.layers.gradients import ByHand, Operation, Trained

Padding = Literal["valid", "same"]


class Conv(LayerKind):
    """Two-dimensional convolution with a square kernel, a bias and an activation."""

    label = "Convolution"
    controls = (
        Control("filters", "Filters"),
        Control("kernel", "Kernel", hint=help_for("kernel size")),
        Control("stride", "Stride"),
        Control(
            "padding",
            "Padding",
            kind=ControlKind.CHOICE,
            options={"valid": "valid", "same": "same"},
        ),
        activations.CONTROL,
        *initialisers.CONTROLS,
    )
    takes_images = True
    is_measured = True
    kernel_name: ClassVar[str | None] = "weight"
    torch_class = "nn.Conv2d"

    kind: Literal["conv"] = "conv"
    filters: int = Field(32, ge=1, le=1024)
    kernel: int = Field(3, ge=1, le=28)
    stride: int = Field(1, ge=1, le=8)
    padding: Padding = "valid"
    activation: Activation = "relu"
    kernel_init: Initializer = GlorotUniform()
    bias_init: Initializer = Zeros()
    l2: float = Field(0.0, ge=0, le=10)

    def summary(self) -> str:
        """Name the layer in one short line."""
        stride = f", stride {self.stride}" if self.stride > 1 else ""
        text = f"conv {self.filters}, {self.kernel}x{self.kernel} {self.padding}{stride}, {self.activation}"
        return text + (f", l2 {self.l2:g}" if self.l2 else "")

    def outcome(self, shape: Shape) -> Outcome:
        """Give what it makes of an input's shape; see `LayerKind.outcome`."""
        require_image(shape)
        sides = [self._side(side, shape) for side in shape[:2]]
        if self.padding == "same":
            words = (
                f"{shape[0]} / {self.stride} = {sides[0]}"
                if self.stride > 1
                else f"same padding keeps {sides[0]}"
            )
        elif self.stride > 1:
            words = f"({shape[0]} - {self.kernel}) / {self.stride} + 1 = {sides[0]}"
        else:
            words = f"{shape[0]} - {self.kernel} + 1 = {sides[0]}"
        weights = self.kernel**2 * shape[2] * self.filters
        n_parameters = weights + self.filters
        factors = f"{self.kernel} x {self.kernel} x {shape[2]} x {self.filters}"
        return Outcome(
            output_shape=(*sides, self.filters),
            n_parameters=n_parameters,
            flops=2 * weights * sides[0] * sides[1],
            shape_arithmetic=f"{words}; {self.filters} filters",
            parameter_arithmetic=f"{factors} weights + {self.filters} biases = {n_parameters:,}",
        )

    def _side(self, side: int, shape: Shape) -> int:
        if self.padding == "same":
            return math.ceil(side / self.stride)
        if self.kernel > side:
            raise Misfit(
                f"a {self.kernel}x{self.kernel} kernel without padding is larger than its input of {format_shape(shape)}",
                "",
                f"Make the kernel at most {side}, pad with 'same', or pool less before it.",
            )
        return (side - self.kernel) // self.stride + 1

    def zeros_around(self, shape: Shape) -> tuple[int, int]:
        """Count the zeros before and after each axis: with `same` padding by TensorFlow's rule, the odd one behind."""
        if self.padding == "valid":
            return 0, 0
        side = shape[0]
        total = max((math.ceil(side / self.stride) - 1) * self.stride + self.kernel - side, 0)
        return total // 2, total - total // 2

    def initial_values(self) -> Mapping[str, InitializerKind]:
        """Give the initialisers of its kernel and its bias."""
        return {"weight": self.kernel_init, "bias": self.bias_init}

    def penalties(self) -> Mapping[str, float]:
        """Give the L2 factor of its kernel."""
        return {"weight": self.l2} if self.l2 else {}

    def modules(self, shape: Shape, generator: torch.Generator) -> list[nn.Module]:
        """Make its modules, with a padding of its own where torch's is too even; see `LayerKind.modules`."""
        from torch import nn

        before, after = self.zeros_around(shape)
        conv = nn.Conv2d(
            shape[2], self.filters, self.kernel, self.stride, before if before == after else 0
        )
        initialisers.fill_module(conv, self.initial_values(), generator)
        padding = [] if before == after else [nn.ZeroPad2d((before, after, before, after))]
        return [*padding, conv, *activations.modules(self.activation)]

    def add_to(self, network: NetworkBuilder, shape: Shape) -> None:
        """Add it to a network in training; see `LayerKind.add_to`."""
        import torch
        from torch.nn import functional

        before, after = self.zeros_around(shape)
        thinning, stride = self._strides()
        padding = before if before == after else 0
        if before != after:
            network.module()
            network.step(lambda x, _: functional.pad(x, (before, after, before, after)))
        module = network.module()
        kernel = torch.zeros(
            (self.filters, shape[2], self.kernel, self.kernel), device=network.device
        )
        kernel = kernel.contiguous(memory_format=torch.channels_last)
        kernel = network.parameter(f"{module}.weight", kernel, l2=self.l2)
        bias = network.parameter(f"{module}.bias", torch.zeros(self.filters, device=network.device))
        network.step(
            lambda x, _: functional.conv2d(
                x[:, :, ::thinning, ::thinning], kernel, bias, stride, padding
            )
        )
        activations.add_to(network, self.activation, in_place=True)

    def has_gradient(self, shape: Shape) -> bool:
        """Say whether its gradient is written by hand: with even padding alone."""
        before, after = self.zeros_around(shape)
        return self.activation in ("relu", "linear") and before == after

    def add_gradient(self, network: ByHand, shape: Shape) -> None:
        """Add its operations; see `LayerKind.add_gradient`."""
        trained = network.take(2)
        padding, _ = self.zeros_around(shape)
        network.add(
            _convolution(trained, *self._strides(), padding, is_first=network.is_first),
            is_trained=True,
        )
        network.add_activation(self.activation)

    def onnx(self, graph: Graph, value: str, shape: Shape, parameters: Parameters) -> str:
        """Write its nodes; see `LayerKind.onnx`."""
        before, after = self.zeros_around(shape)
        kernel = (self.filters, shape[2], self.kernel, self.kernel)
        inputs = [value, *graph.parameters(parameters, {"weight": kernel, "bias": kernel[:1]})]
        pads = [before, before, after, after]
        value = graph.node(
            "Conv", inputs, kernel_shape=[self.kernel] * 2, strides=[self.stride] * 2, pads=pads
        )
        return activations.onnx(graph, value, self.activation)

    def script_modules(self, shape: Shape, *, varied: bool = False) -> Iterator[str]:
        """Write the expressions that make its modules; as TensorFlow pads, an odd pixel goes to the right and to the bottom."""
        before, after = self.zeros_around(shape)
        if before != after:
            yield f"nn.ZeroPad2d(({before}, {after}, {before}, {after}))"
        padding = f"({before}, {before})" if before == after and self.padding == "same" else "0"
        yield f"nn.Conv2d({shape[2]}, {self.filters}, {self.kernel}, stride={self.stride}, padding={padding})"
        yield from activations.script_modules(self.activation)

    def _strides(self) -> tuple[int, int]:
        """Say which pixels of the input are used, every how-manieth, and with which stride these are convolved; the result is the same.

        A kernel of one pixel with a stride leaves pixels out before it is computed. oneDNN, as torch 2.15 has it, would leave them out
        itself, and writes outside of its memory then: with channels last, 4 to 5 channels and stride 2, "free(): invalid next size".
        """
        return (self.stride, 1) if self.kernel == 1 else (1, self.stride)

    def own_module(self, shape: Shape) -> int:
        """Say which of its modules is the convolution: the second where a padding comes first."""
        before, after = self.zeros_around(shape)
        return int(before != after)


def _convolution(
    trained: Trained, thinning: int, stride: int, padding: int, *, is_first: bool
) -> Operation:
    """Compute a convolution of every `thinning`-th pixel, with symmetric padding."""
    import torch

    kernel, bias = trained.values
    strides, paddings = [stride, stride], [padding, padding]
    wanted = [not is_first, True, True]
    differentiate = torch.ops.aten.convolution_backward

    class Convolution:
        def forward(self, x: Tensor) -> Tensor:
            self._shape, self._x = x.shape, x[:, :, ::thinning, ::thinning]
            return torch.conv2d(self._x, kernel, bias, strides, paddings)

        def backward(self, grad: Tensor) -> Tensor:
            onward: Tensor | None
            onward, *grads = differentiate(
                grad,
                self._x,
                kernel,
                [len(kernel)],
                strides,
                paddings,
                [1, 1],
                False,
                [0, 0],
                1,
                wanted,
            )
            trained.grads = [value.float() for value in grads]
            if onward is None:
                return grad
            if thinning == 1:
                return onward
            whole = torch.zeros(self._shape, dtype=onward.dtype, device=onward.device).contiguous(
                memory_format=torch.channels_last
            )
            whole[:, :, ::thinning, ::thinning] = onward
            return whole

    return Convolution()
