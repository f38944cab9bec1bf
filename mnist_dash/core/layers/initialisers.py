"""Initial values of kernels and biases, by Keras's definitions.

Every draw comes from the generator that is handed in, on the CPU, so that a seed gives the same network on every device.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from mnist_dash.core.kinds.controls import Control, ControlKind
from mnist_dash.core.kinds.registry import OneOf, Registry
from mnist_dash.core.kinds.spec import Kind
from mnist_dash.glossary import help_for

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

TRUNCATION_CORRECTION = 0.87962566103423978
"""Standard deviation of a unit normal cut at two; Keras divides by it, so that Glorot and He have the deviation that they promise."""
_STD = Control("std", "Standard deviation")
CONTROLS = (
    Control("l2", "L2 penalty", hint=help_for("L2 penalty"), is_folded=True),
    Control("kernel_init", "Initial weights", kind=ControlKind.INITIALIZER, is_folded=True),
    Control("bias_init", "Initial biases", kind=ControlKind.INITIALIZER, is_folded=True),
)
"""Of a layer that has a kernel and a bias: what is rarely changed."""


class InitializerKind(Kind):
    """One way in which kernels and biases begin."""

    kind: str = ""

    @abstractmethod
    def fill(self, tensor: Tensor, generator: torch.Generator) -> None:
        """Fill a kernel or a bias in place; within `torch.no_grad`.

        Args:
            tensor: ``(outputs, inputs)``, ``(filters, channels, height, width)`` or ``(outputs,)``, float32 on the CPU.
            generator: the source of every draw.
        """

    @abstractmethod
    def script_fill(self, tensor: str) -> str:
        """Write the statement that fills a tensor of that name in an exported script, from ``generator``."""


class _FanScaled(InitializerKind):
    """Scaled by how many values feed one, and are fed by it."""

    counts_outputs: ClassVar[bool]

    def _fan(self, tensor: Tensor) -> int:
        """Inputs and outputs of one value, a convolution's times its window; a bias counts as a vector of both, as in Keras.

        The tensor is ``(units, inputs)``, ``(filters, channels, rows, columns)`` or ``(units,)``.
        """
        window = math.prod(tensor.shape[2:])
        inputs, outputs = (
            (tensor.shape[0],) * 2
            if tensor.dim() < 2
            else (tensor.shape[1] * window, tensor.shape[0] * window)
        )
        return inputs + outputs if self.counts_outputs else inputs

    def _script_fan(self, tensor: str) -> str:
        is_bias = tensor.endswith(".bias")
        inputs, outputs = (
            (f"{tensor}.numel()",) * 2
            if is_bias
            else (f"{tensor}[0].numel()", f"{tensor}.numel() // {tensor}.shape[1]")
        )
        return f"({inputs} + {outputs})" if self.counts_outputs else inputs


class _ScaledUniform(_FanScaled):
    def fill(self, tensor: Tensor, generator: torch.Generator) -> None:
        limit = math.sqrt(6 / self._fan(tensor))
        tensor.uniform_(-limit, limit, generator=generator)

    def script_fill(self, tensor: str) -> str:
        return f"limit = math.sqrt(6 / {self._script_fan(tensor)}); {tensor}.uniform_(-limit, limit, generator=generator)"


class _ScaledNormal(_FanScaled):
    def fill(self, tensor: Tensor, generator: torch.Generator) -> None:
        _fill_truncated(tensor, math.sqrt(2 / self._fan(tensor)) / TRUNCATION_CORRECTION, generator)

    def script_fill(self, tensor: str) -> str:
        return f"fill_truncated({tensor}, math.sqrt(2 / {self._script_fan(tensor)}) / 0.87962566103423978, generator)"


class GlorotUniform(_ScaledUniform):
    """Uniform in ±sqrt(6 / (fan_in + fan_out)); Keras's default for kernels (Glorot and Bengio, 2010)."""

    label = "Glorot uniform"
    counts_outputs = True
    kind: Literal["glorot_uniform"] = "glorot_uniform"


class GlorotNormal(_ScaledNormal):
    """Truncated normal of standard deviation sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""

    label = "Glorot normal"
    counts_outputs = True
    kind: Literal["glorot_normal"] = "glorot_normal"


class HeUniform(_ScaledUniform):
    """Uniform in ±sqrt(6 / fan_in) (He et al., 2015)."""

    label = "He uniform"
    counts_outputs = False
    kind: Literal["he_uniform"] = "he_uniform"


class HeNormal(_ScaledNormal):
    """Truncated normal of standard deviation sqrt(2 / fan_in) (He et al., 2015)."""

    label = "He normal"
    counts_outputs = False
    kind: Literal["he_normal"] = "he_normal"


class Normal(InitializerKind):
    """Normal with mean zero."""

    label = "normal"
    controls = (_STD,)
    kind: Literal["normal"] = "normal"
    std: float = Field(0.05, gt=0, le=10)

    def fill(self, tensor: Tensor, generator: torch.Generator) -> None:
        """Fill a tensor; see `InitializerKind.fill`."""
        tensor.normal_(0, self.std, generator=generator)

    def script_fill(self, tensor: str) -> str:
        """Write the statement that fills a tensor."""
        return f"{tensor}.normal_(0, {self.std!r}, generator=generator)"


class TruncatedNormal(InitializerKind):
    """Normal with mean zero whose draws beyond two standard deviations are drawn again; `std` is that before the cut."""

    label = "truncated normal"
    controls = (_STD,)
    kind: Literal["truncated_normal"] = "truncated_normal"
    std: float = Field(0.05, gt=0, le=10)

    def fill(self, tensor: Tensor, generator: torch.Generator) -> None:
        """Fill a tensor; see `InitializerKind.fill`."""
        _fill_truncated(tensor, self.std, generator)

    def script_fill(self, tensor: str) -> str:
        """Write the statement that fills a tensor."""
        return f"fill_truncated({tensor}, {self.std!r}, generator)"


class Constant(InitializerKind):
    """Every value the same."""

    label = "constant"
    controls = (Control("value", "Value"),)
    kind: Literal["constant"] = "constant"
    value: float = Field(0.1, ge=-10, le=10)

    def fill(self, tensor: Tensor, generator: torch.Generator) -> None:
        """Fill a tensor; see `InitializerKind.fill`."""
        tensor.fill_(self.value)

    def script_fill(self, tensor: str) -> str:
        """Write the statement that fills a tensor."""
        return f"{tensor}.fill_({self.value!r})"


class Zeros(InitializerKind):
    """All zeros; Keras's default for biases."""

    label = "zeros"
    kind: Literal["zeros"] = "zeros"

    def fill(self, tensor: Tensor, generator: torch.Generator) -> None:
        """Fill a tensor; see `InitializerKind.fill`."""
        tensor.zero_()

    def script_fill(self, tensor: str) -> str:
        """Write the statement that fills a tensor."""
        return f"{tensor}.zero_()"


INITIALIZERS: Registry[InitializerKind] = Registry(
    (GlorotUniform, GlorotNormal, HeUniform, HeNormal, Normal, TruncatedNormal, Constant, Zeros)
)
Initializer = Annotated[InitializerKind, OneOf(INITIALIZERS)]


def fill_module(
    module: nn.Module, initial: Mapping[str, InitializerKind], generator: torch.Generator
) -> None:
    """Fill a module's values by name, in the order in which they are given."""
    import torch

    with torch.no_grad():
        for name, initializer in initial.items():
            initializer.fill(module.get_parameter(name), generator)


def _fill_truncated(tensor: Tensor, std: float, generator: torch.Generator) -> None:
    """Draw from a normal, and again whatever lies beyond two standard deviations.

    The tensor may be of any shape, float32.
    """
    import torch

    values = torch.empty(tensor.numel()).normal_(0, 1, generator=generator)
    outside = (values.abs() > 2).nonzero().squeeze(1)
    while len(outside):
        values[outside] = torch.empty(len(outside)).normal_(0, 1, generator=generator)
        outside = outside[values[outside].abs() > 2]
    tensor.copy_(values.view_as(tensor)).mul_(std)
