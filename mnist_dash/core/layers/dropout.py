"""Dropout: values are zeroed at random while training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mnist_dash.core.kinds.controls import Control
from mnist_dash.core.layers.base import Graph, LayerKind, NetworkBuilder, Parameters, Shape
from mnist_dash.glossary import help_for

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from mnist_dash.core.layers.dropout_mask import DropoutMask
    from mnist_dash.core.layers.gradients import ByHand, Operation

_SCRIPT = '''class Dropout(nn.Module):
    """Dropout while training, from a source of draws that is seeded every epoch."""

    source = torch.Generator(DEVICE)

    def __init__(self, rate: float):
        super().__init__()
        self.drop = BytesDropout(rate, self.source)

    def forward(self, values):
        return self.drop(values) if self.training else values'''


class Dropout(LayerKind):
    """Zeroes a fraction `rate` of the values while training and scales the others by 1 / (1 - rate) (Srivastava et al., 2014)."""

    label = "Dropout"
    controls = (Control("rate", "Rate", hint=help_for("dropout rate")),)

    kind: Literal["dropout"] = "dropout"
    rate: float = Field(0.5, ge=0, le=0.95)

    def summary(self) -> str:
        """Name the layer in one short line."""
        return f"dropout {self.rate:g}"

    @property
    def passes_values_on(self) -> bool:
        """Whether no value changes in it: none does once the network is trained."""
        return True

    def modules(self, shape: Shape, generator: torch.Generator) -> list[nn.Module]:
        """Make its module; see `LayerKind.modules`."""
        from torch import nn

        return [nn.Dropout(self.rate)]

    def add_to(self, network: NetworkBuilder, shape: Shape) -> None:
        """Add it to a network in training; see `LayerKind.add_to`."""
        from mnist_dash.core.layers.dropout_mask import DropoutMask

        network.module()
        mask = DropoutMask(self.rate, network.dropout_generator)
        network.step(lambda x, training: mask(x) if training else x)

    def has_gradient(self, shape: Shape) -> bool:
        """Say whether its gradient is written by hand: always."""
        return True

    def add_gradient(self, network: ByHand, shape: Shape) -> None:
        """Add its operation, unless it drops nothing; see `LayerKind.add_gradient`."""
        from mnist_dash.core.layers.dropout_mask import DropoutMask

        if self.rate > 0:
            network.add(_masked(DropoutMask(self.rate, network.dropout_generator)))

    def onnx(self, graph: Graph, value: str, shape: Shape, parameters: Parameters) -> str:
        """Write nothing: a model that is used drops nothing."""
        return value

    def script_modules(self, shape: Shape, *, varied: bool = False) -> Iterator[str]:
        """Write the expression that makes its module: of the script's own class where it ever drops anything."""
        yield f"{'Dropout' if self.rate or varied else 'nn.Dropout'}({self.rate!r})"

    def script_definitions(self, *, varied: bool = False) -> str:
        """Copy the mask, and write the module around it."""
        if not (self.rate or varied):
            return ""
        # Read as text: importing the module would load torch.
        source = (Path(__file__).parent / "dropout_mask.py").read_text(encoding="utf-8")
        return (
            source[source.index("class DropoutMask:") :].replace(
                "class DropoutMask:", "class BytesDropout:"
            )
            + "\n\n"
            + _SCRIPT
        )


def _masked(mask: DropoutMask) -> Operation:
    """Multiply by a random mask."""

    class Masked:
        def forward(self, x: Tensor) -> Tensor:
            self._mask = mask.mask(x)
            return x * self._mask

        def backward(self, grad: Tensor) -> Tensor:
            return grad.mul_(self._mask)

    return Masked()
