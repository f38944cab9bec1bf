"""What follows from a network's layers without building anything.

A network is a tuple of layers. `plan` walks it once and gives, for every layer, its output shape, its parameter count, its floating-point
operations and the arithmetic of each in words. No torch in here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mnist_dash.core.layers.base import LayerKind, Misfit, Shape
from mnist_dash.errors import Problem

MAX_PARAMETERS = 50_000_000


@dataclass(frozen=True)
class LayerPlan:
    """What one layer makes of its input."""

    index: int
    name: str
    """Unique in the network: the kind and a running number, such as ``conv_1``."""
    summary: str
    """One line a person recognises the layer by, such as ``conv 32, 3x3 valid, relu``."""
    input_shape: Shape
    output_shape: Shape
    n_parameters: int
    """Trained parameters; the running statistics of batch normalisation are not counted."""
    flops: int
    """Floating-point operations of one image's forward pass, a multiply-add counted as two."""
    shape_arithmetic: str
    parameter_arithmetic: str


class ImpossibleLayer(ValueError):
    """A layer cannot take the shape that comes in; carries the layer's index."""

    def __init__(self, index: int, fault: str, allowed: str, remedy: str) -> None:
        self.index = index
        self.problem = Problem(f"layers.{index}", fault, allowed, remedy)
        super().__init__(self.problem.sentence)


def plan(layers: Sequence[LayerKind], input_shape: Shape) -> tuple[LayerPlan, ...]:
    """Plan a network: shapes, counts and their arithmetic, layer by layer.

    Args:
        layers: the specifications, input side first.
        input_shape: ``(height, width, channels)`` or ``(features,)``.

    Raises:
        ImpossibleLayer: a layer cannot take the shape that reaches it.
    """
    plans: list[LayerPlan] = []
    counts: dict[str, int] = {}
    shape = input_shape
    for index, layer in enumerate(layers):
        counts[layer.kind] = counts.get(layer.kind, 0) + 1
        planned = _plan_layer(index, f"{layer.kind}_{counts[layer.kind]}", layer, shape)
        plans.append(planned)
        shape = planned.output_shape
    return tuple(plans)


def _plan_layer(index: int, name: str, layer: LayerKind, shape: Shape) -> LayerPlan:
    try:
        found = layer.outcome(shape)
    except Misfit as error:
        problem = error.problem
        raise ImpossibleLayer(
            index, f"{name}: {problem.fault}", problem.allowed, problem.remedy
        ) from error
    return LayerPlan(
        index=index,
        name=name,
        summary=layer.summary(),
        input_shape=shape,
        output_shape=found.output_shape,
        n_parameters=found.n_parameters,
        flops=found.flops,
        shape_arithmetic=found.shape_arithmetic,
        parameter_arithmetic=found.parameter_arithmetic,
    )


def module_numbers(layers: Sequence[LayerKind], input_shape: Shape) -> tuple[int, ...]:
    """Number each layer's own module as the plain network does, where padding and activations are modules too.

    The parameters of the layer at index i are named ``<number i>.weight`` and ``<number i>.bias``. A layer that is no module, a linear
    activation, has the number of the next one.
    """
    numbers: list[int] = []
    n_modules = 0
    for layer, planned in zip(layers, plan(layers, input_shape), strict=True):
        numbers.append(n_modules + layer.own_module(planned.input_shape))
        n_modules += layer.n_modules(planned.input_shape)
    return tuple(numbers)
