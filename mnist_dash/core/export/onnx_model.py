"""A trained network as an ONNX model that takes grey values and gives probabilities: scaling, features and softmax are inside.

The graph is written operation by operation from the layer specifications, so that nothing has to be traced and no torch is loaded. It
keeps to operators of opset 17, which every runtime of the last years knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mnist_dash.core.config.run_config import N_CLASSES, RunConfig
from mnist_dash.core.data.hog import (
    CELL_PIXELS,
    CLIP,
    EPSILON,
    MAX_GRADIENT,
    N_FEATURES,
    N_ORIENTATIONS,
    gradient_tables,
)
from mnist_dash.core.export import onnx_format
from mnist_dash.core.export.onnx_format import Attribute
from mnist_dash.core.layers import Shape

Weights = Mapping[str, npt.NDArray[np.float32]]
"""Name in the plain torch network -> value, laid out as there."""
OPSET = 17
IR_VERSION = 8
"""The file format that came with the opset; what the newest library writes by default older runtimes refuse."""
INPUT = "images"
OUTPUT = "probabilities"


@dataclass(frozen=True)
class LayeredModel:
    """An ONNX model whose outputs are those of every layer."""

    content: bytes
    """As of an ``.onnx`` file."""
    outputs: tuple[str, ...]
    """The output of each layer by name; a layer that only passes on has that of the layer before it."""


def onnx_model(
    config: RunConfig,
    weights: Weights,
    *,
    scaling: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
    about: Mapping[str, str] | None = None,
) -> bytes:
    """Write a trained network as the content of an ``.onnx`` file.

    The model has one input, ``images``: uint8 ``(N, 1, 28, 28)``, grey values as in the archives, 0 is background; N is free. Its output
    is ``probabilities``: float32 ``(N, 10)``. Arithmetic is float32.

    Args:
        config: names the layers, the features and the scaling.
        weights: as exported, named and laid out as the plain torch network has them.
        scaling: from `mnist_dash.core.data.scaling.scaling_values`; not looked at where the network takes features.
        about: kept in the model's metadata, such as the run's id.

    Raises:
        ValueError: the weights are not those of this network.
    """
    graph, values = _write(config, weights, scaling)
    graph.node("Identity", values[-1:], output=OUTPUT)
    return graph.model(config, {OUTPUT: (N_CLASSES,)}, about or {})


def layered_model(
    config: RunConfig,
    weights: Weights,
    *,
    scaling: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
) -> LayeredModel:
    """Write the same network with the output of every layer, its activation included, in place of the probabilities alone.

    Each output is float32, ``(N, channels, height, width)`` or ``(N, features)``; the last holds the probabilities. Arguments and errors
    are those of `onnx_model`.
    """
    graph, values = _write(config, weights, scaling)
    shapes = {
        value: _channels_first(planned.output_shape)
        for value, planned in zip(values, config.plan, strict=True)
    }
    return LayeredModel(graph.model(config, shapes, {}), tuple(values))


def _write(
    config: RunConfig,
    weights: Weights,
    scaling: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
) -> tuple[_Graph, list[str]]:
    """Write the nodes of a network and name the output of each layer.

    Weights are float32 of any shape that the layers have; scaling values have no axes or ``(28, 28)``.
    """
    graph = _Graph()
    value = graph.hog(INPUT) if config.features == "hog" else graph.scaled(INPUT, scaling)
    values: list[str] = []
    for layer, planned, module in zip(
        config.layers, config.plan, config.module_numbers, strict=True
    ):
        value = layer.onnx(graph, value, planned.input_shape, _parameters(weights, module))
        values.append(value)
    return graph, values


def _channels_first(shape: Shape) -> Shape:
    return (shape[-1], *shape[:-1])


def _parameters(weights: Weights, module: int) -> dict[str, npt.NDArray[np.float32]]:
    prefix = f"{module}."
    return {
        name.removeprefix(prefix): value
        for name, value in weights.items()
        if name.startswith(prefix)
    }


class _Graph:
    """Nodes and constants of a model that is being written; each method adds some and gives the name of what they compute."""

    def __init__(self) -> None:
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []

    def node(
        self,
        operator: str,
        inputs: list[str],
        *,
        output: str | None = None,
        **attributes: Attribute,
    ) -> str:
        name = output or f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(onnx_format.node(operator, inputs, [name], attributes))
        return name

    def constant(self, values: npt.NDArray[Any] | float | list[int]) -> str:
        array = np.asarray(
            values,
            np.int64
            if isinstance(values, list)
            else np.float32
            if isinstance(values, float)
            else None,
        )
        name = f"constant_{len(self._constants)}"
        self._constants.append(onnx_format.tensor(name, array))
        return name

    def model(
        self, config: RunConfig, outputs: Mapping[str, Shape], about: Mapping[str, str]
    ) -> bytes:
        """Give the whole model with some of its values as outputs, whose shapes lack the batch axis."""
        graph = onnx_format.graph(
            f"configuration {config.hash}",
            nodes=self._nodes,
            constants=self._constants,
            inputs=[onnx_format.value(INPUT, "uint8", ["N", 1, 28, 28])],
            outputs=[
                onnx_format.value(name, "float32", ["N", *shape]) for name, shape in outputs.items()
            ],
        )
        return onnx_format.model(
            graph, ir_version=IR_VERSION, opset=OPSET, producer="MNIST Dash", properties=about
        )

    def cast(self, value: str, kind: str) -> str:
        return self.node("Cast", [value], to=onnx_format.TENSOR_TYPES[kind])

    def scaled(
        self, images: str, scaling: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
    ) -> str:
        """Subtract and multiply, each by one number or by one a pixel.

        Both arrays have no axes or ``(28, 28)``, float32, in grey values and in 1 / grey values.
        """
        subtracted, factor = (self.constant(np.asarray(values, np.float32)) for values in scaling)
        return self.node(
            "Mul", [self.node("Sub", [self.cast(images, "float32"), subtracted]), factor]
        )

    def hog(self, images: str) -> str:
        """Compute the histograms of oriented gradients, `mnist_dash.core.data.hog`, in float32."""
        orientations, lengths = gradient_tables()
        values = self.cast(images, "int32")
        down, right = self._difference(values, axis=2), self._difference(values, axis=3)
        wide = self.constant(np.asarray(2 * MAX_GRADIENT + 1, np.int32))
        middle = self.constant(
            np.asarray(MAX_GRADIENT * (2 * MAX_GRADIENT + 1) + MAX_GRADIENT, np.int32)
        )
        place = self.node(
            "Add", [self.node("Add", [self.node("Mul", [down, wide]), right]), middle]
        )
        # One plane an orientation: (N, 1, 28, 28) against (8, 1, 1).
        planes = self.constant(
            np.arange(N_ORIENTATIONS, dtype=np.int32).reshape(N_ORIENTATIONS, 1, 1)
        )
        found = self.cast(
            self.node("Gather", [self.constant(orientations.astype(np.uint8)), place]), "int32"
        )
        of_plane = self.cast(self.node("Equal", [found, planes]), "float32")
        weighted = self.node(
            "Mul",
            [of_plane, self.node("Gather", [self.constant(lengths.astype(np.float32)), place])],
        )
        cells = self.node(
            "AveragePool", [weighted], kernel_shape=[CELL_PIXELS] * 2, strides=[CELL_PIXELS] * 2
        )
        clipped = self.node("Min", [self._normalised(cells), self.constant(CLIP)])
        ordered = self.node("Transpose", [self._normalised(clipped)], perm=[0, 2, 3, 1])
        return self.node("Reshape", [ordered, self.constant([-1, N_FEATURES])])

    def _difference(self, values: str, *, axis: int) -> str:
        """Subtract from each pixel's later neighbour along an axis its former one; 0 at the borders."""
        on = self.constant([axis])
        later = self.node("Slice", [values, self.constant([2]), self.constant([28]), on])
        former = self.node("Slice", [values, self.constant([0]), self.constant([26]), on])
        borders = [int(side % 4 == axis) for side in range(8)]
        return self.node("Pad", [self.node("Sub", [later, former]), self.constant(borders)])

    def _normalised(self, cells: str) -> str:
        squares = self.node(
            "ReduceSum", [self.node("Mul", [cells, cells]), self.constant([1])], keepdims=1
        )
        return self.node(
            "Div",
            [cells, self.node("Sqrt", [self.node("Add", [squares, self.constant(EPSILON**2)])])],
        )

    def parameters(self, found: Weights, shapes: Mapping[str, Shape]) -> list[str]:
        for name, shape in shapes.items():
            own = f"a {name} of the shape {found[name].shape}" if name in found else f"no {name}"
            if name not in found or found[name].shape != shape:
                raise ValueError(
                    f"A layer's weights hold {own}. Here it has the shape {shape}. Use the weights of the same run."
                )
        return [self.constant(found[name].astype(np.float32)) for name in shapes]
