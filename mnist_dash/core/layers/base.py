"""What a layer kind says of itself, from its shape arithmetic to its gradient and its line in an exported script.

Shapes are channels-last, as the published reports print them: ``(height, width, channels)`` for images and ``(features,)`` for vectors,
without the batch axis. Importing a kind loads neither torch nor onnx: what needs them imports them when it is called.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from mnist_dash.core.kinds.spec import Kind
from mnist_dash.core.layers.initialisers import InitializerKind
from mnist_dash.errors import Problem

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from mnist_dash.core.layers.gradients import ByHand

Shape = tuple[int, ...]
Parameters = Mapping[str, npt.NDArray[np.float32]]
"""A layer's trained and running values by name, such as ``weight``, laid out as the plain torch network has them."""


class Misfit(ValueError):
    """A layer cannot take the shape that comes in."""

    def __init__(self, fault: str, allowed: str, remedy: str) -> None:
        self.problem = Problem("", fault, allowed, remedy)
        super().__init__(self.problem.sentence)


@dataclass(frozen=True)
class Outcome:
    """What a layer makes of its input's shape."""

    output_shape: Shape
    n_parameters: int
    """Trained parameters; the running statistics of batch normalisation are not counted."""
    flops: int
    """Floating-point operations of one image's forward pass, a multiply-add counted as two."""
    shape_arithmetic: str
    parameter_arithmetic: str


class NetworkBuilder(Protocol):
    """Takes the values and the operations of one layer after another of a network in training."""

    device: torch.device
    dropout_generator: torch.Generator
    """The source of dropout's draws, on `device`."""
    order: Tensor | None
    """How the features of a vector are permuted here: position in training -> position in the plain network; None where they are not."""

    def module(self) -> int:
        """Number the next module of the plain network."""

    def parameter(
        self, name: str, value: Tensor, *, order: Tensor | None = None, l2: float = 0.0
    ) -> Tensor:
        """Add a trained tensor under its name in the plain network's `state_dict`, and give it back.

        The value may be of any shape, float32, such as ``(units, inputs)``.

        Args:
            name: such as ``3.weight``.
            value: on `device`.
            order: how its last axis is permuted, if it is.
            l2: adds ``l2 * sum(value ** 2)`` to the loss.
        """

    def buffer(self, name: str, value: Tensor, *, order: Tensor | None = None) -> Tensor:
        """Add a tensor that is kept but not trained; see `parameter`."""

    def step(
        self,
        run: Callable[[Tensor, bool], Tensor],
        *,
        rises: bool = False,
        is_maximum: bool = False,
    ) -> None:
        """Add an operation, which takes its input and whether this is training; images are ``(B, channels, height, width)``.

        Args:
            run: the operation.
            rises: whether it works on each value alone and never falls, so that a maximum may be taken before it.
            is_maximum: whether it takes the maximum over windows.
        """


class Graph(Protocol):
    """An ONNX graph that is being written; each method adds to it and gives the name of what it adds."""

    def node(
        self,
        operator: str,
        inputs: list[str],
        *,
        output: str | None = None,
        **attributes: Any,  # noqa: ANN401 - of any kind
    ) -> str:
        """Add an operation of opset 17."""

    def constant(self, values: npt.NDArray[Any] | float | list[int]) -> str:
        """Add a constant; a number becomes float32, a list int64.

        An array may be of any shape.
        """

    def parameters(self, found: Parameters, shapes: Mapping[str, Shape]) -> list[str]:
        """Add a layer's values as constants.

        Raises:
            ValueError: one of them is missing or of another shape.
        """


class LayerKind(Kind):
    """One kind of layer; its fields are what a configuration sets."""

    kind: str = ""
    takes_images: ClassVar[bool] = False
    """Whether it only stands before the flatten layer."""
    is_measured: ClassVar[bool] = False
    """Whether its outputs are measured after an epoch; what only passes values on is not."""
    kernel_name: ClassVar[str | None] = None
    """Which of its values is its kernel, whose weights are measured and pictured."""
    torch_class: ClassVar[str] = ""
    """The class of its own module in an exported script, where that is filled or penalised there."""

    # what it is

    def summary(self) -> str:
        """Name the layer in one short line, such as ``dense 512, relu, l2 0.0001``."""
        return self.label.lower()

    def outcome(self, shape: Shape) -> Outcome:
        """Give what it makes of an input's shape; here, nothing: it has no parameters and one operation a value.

        Raises:
            Misfit: it cannot take that shape.
        """
        return Outcome(shape, 0, math.prod(shape), "unchanged", "nothing to train")

    @property
    def passes_values_on(self) -> bool:
        """Whether no value changes in it once the network is trained, so that a picture of its output shows nothing new."""
        return False

    @property
    def ends_in_relu(self) -> bool:
        """Whether its units can die: whether they are zero wherever their input is negative."""
        return getattr(self, "activation", None) == "relu"

    def initial_values(self) -> Mapping[str, InitializerKind]:
        """Give the initialisers of its values by name, in the order of their draws; others begin as its module makes them."""
        return {}

    def penalties(self) -> Mapping[str, float]:
        """Give the L2 factors of its values by name."""
        return {}

    # in torch

    @abstractmethod
    def modules(self, shape: Shape, generator: torch.Generator) -> list[nn.Module]:
        """Make its modules for the plain network, initialised; images are channels first there.

        Args:
            shape: of its input.
            generator: the source of every draw.
        """

    @abstractmethod
    def add_to(self, network: NetworkBuilder, shape: Shape) -> None:
        """Add the same to a network in training, its values not yet set."""

    def has_gradient(self, shape: Shape) -> bool:
        """Say whether its gradient is written by hand, for an input of a shape; a network with one that is not uses autograd."""
        return False

    def add_gradient(self, network: ByHand, shape: Shape) -> None:
        """Add its operations, forward and backward, to a network whose gradients are computed by hand on the CPU."""
        raise NotImplementedError

    # elsewhere

    @abstractmethod
    def onnx(self, graph: Graph, value: str, shape: Shape, parameters: Parameters) -> str:
        """Write its nodes behind `value` and give the name of its output; images are channels first, as in torch."""

    @abstractmethod
    def script_modules(self, shape: Shape, *, varied: bool = False) -> Iterator[str]:
        """Write the expressions that make its modules in an exported script, as many as `modules` makes.

        Args:
            shape: of its input.
            varied: whether a change of the run gives its fields other values later.
        """

    def script_definitions(self, *, varied: bool = False) -> str:
        """Write the classes that these expressions need and torch does not have."""
        return ""

    def n_modules(self, shape: Shape) -> int:
        """Count its modules in the plain network."""
        return sum(1 for _ in self.script_modules(shape))

    def own_module(self, shape: Shape) -> int:
        """Say which of them holds its values, from 0."""
        return 0


def format_shape(shape: Shape) -> str:
    """Write a shape as people do: ``26 x 26 x 32``."""
    return " x ".join(str(size) for size in shape)


def require_image(shape: Shape) -> None:
    """Refuse a vector.

    Raises:
        Misfit: it is one.
    """
    if len(shape) != 3:
        raise Misfit(
            f"a vector of {format_shape(shape)} comes in",
            "this layer takes an image: height x width x channels",
            "Move it before the flatten or dense layer, or remove it.",
        )
