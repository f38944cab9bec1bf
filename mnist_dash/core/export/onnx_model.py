"""A trained network as an ONNX model that takes grey values and gives probabilities: scaling, features and softmax are inside.

The graph is written operation by operation from the layer specifications, so that nothing has to be traced and no torch is loaded. It
keeps to operators of opset 17, which every runtime of the last years knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from mnist_dash.core.analysis.forward import Weights
from mnist_dash.core.config.run_config import N_CLASSES, RunConfig
from mnist_dash.core.data.hog import CELL_PIXELS, CLIP, EPSILON, MAX_GRADIENT, N_FEATURES, N_ORIENTATIONS, gradient_tables
from mnist_dash.core.layers import Shape

OPSET = 17
IR_VERSION = 8
"""The file format that came with the opset; what the newest library writes by default older runtimes refuse."""
INPUT = "images"
OUTPUT = "probabilities"


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
        scaling: from `mnist_dash.core.analysis.forward.scaling_values`; not looked at where the network takes features.
        about: kept in the model's metadata, such as the run's id.

    Raises:
        ValueError: the weights are not those of this network.
    """
    from onnx import TensorProto, checker, helper  # a fifth of a second that only an export needs

    graph = _Graph()
    value = graph.hog(INPUT) if config.features == "hog" else graph.scaled(INPUT, scaling)
    for layer, planned, module in zip(config.layers, config.plan, config.module_numbers, strict=True):
        value = layer.onnx(graph, value, planned.input_shape, _parameters(weights, module))
    graph.node("Identity", [value], output=OUTPUT)
    images = helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["N", 1, 28, 28])
    probabilities = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", N_CLASSES])
    model = helper.make_model(
        helper.make_graph(graph.nodes, f"configuration {config.hash}", [images], [probabilities], graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="MNIST Dash",
    )
    helper.set_model_props(model, dict(about or {}))
    checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def _parameters(weights: Weights, module: int) -> dict[str, npt.NDArray[np.float32]]:
    prefix = f"{module}."
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


class _Graph:
    """Nodes and constants of a model that is being written; each method adds some and gives the name of what they compute."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, operator: str, inputs: list[str], *, output: str | None = None, **attributes: Any) -> str:  # noqa: ANN401 - of any kind
        from onnx import helper

        name = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def constant(self, values: npt.NDArray[Any] | float | list[int]) -> str:
        from onnx import numpy_helper

        array = np.asarray(values, np.int64 if isinstance(values, list) else np.float32 if isinstance(values, float) else None)
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name))
        return name

    def cast(self, value: str, kind: str) -> str:
        from onnx import TensorProto

        return self.node("Cast", [value], to=TensorProto.DataType.Value(kind))

    def scaled(self, images: str, scaling: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]) -> str:
        """Subtract and multiply, each by one number or by one a pixel."""
        subtracted, factor = (self.constant(np.asarray(values, np.float32)) for values in scaling)
        return self.node("Mul", [self.node("Sub", [self.cast(images, "FLOAT"), subtracted]), factor])

    def hog(self, images: str) -> str:
        """Compute the histograms of oriented gradients, `mnist_dash.core.data.hog`, in float32."""
        orientations, lengths = gradient_tables()
        values = self.cast(images, "INT32")
        down, right = self._difference(values, axis=2), self._difference(values, axis=3)
        wide = self.constant(np.asarray(2 * MAX_GRADIENT + 1, np.int32))
        middle = self.constant(np.asarray(MAX_GRADIENT * (2 * MAX_GRADIENT + 1) + MAX_GRADIENT, np.int32))
        place = self.node("Add", [self.node("Add", [self.node("Mul", [down, wide]), right]), middle])
        # One plane an orientation: (N, 1, 28, 28) against (8, 1, 1).
        planes = self.constant(np.arange(N_ORIENTATIONS, dtype=np.int32).reshape(N_ORIENTATIONS, 1, 1))
        found = self.cast(self.node("Gather", [self.constant(orientations.astype(np.uint8)), place]), "INT32")
        of_plane = self.cast(self.node("Equal", [found, planes]), "FLOAT")
        weighted = self.node("Mul", [of_plane, self.node("Gather", [self.constant(lengths.astype(np.float32)), place])])
        cells = self.node("AveragePool", [weighted], kernel_shape=[CELL_PIXELS] * 2, strides=[CELL_PIXELS] * 2)
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
        squares = self.node("ReduceSum", [self.node("Mul", [cells, cells]), self.constant([1])], keepdims=1)
        return self.node("Div", [cells, self.node("Sqrt", [self.node("Add", [squares, self.constant(EPSILON**2)])])])

    def parameters(self, found: Weights, shapes: Mapping[str, Shape]) -> list[str]:
        for name, shape in shapes.items():
            own = found[name].shape if name in found else "none"
            if own != shape:
                raise ValueError(f"The weights have a {name} of the shape {shape}; got {own}. Use those of the same run.")
        return [self.constant(found[name].astype(np.float32)) for name in shapes]
