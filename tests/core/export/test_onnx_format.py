"""Our ONNX files are, byte for byte, what the package `onnx` writes, and it finds nothing wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, checker, helper, numpy_helper

from mnist_dash.core.config.presets import PRESETS
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.data.archives import PACKAGED_ARCHIVES
from mnist_dash.core.data.scaling import scaling_values
from mnist_dash.core.export import onnx_format
from mnist_dash.core.export.onnx_format import Attribute
from mnist_dash.core.export.onnx_model import layered_model, onnx_model
from mnist_dash.core.layers import Activation, ActivationLayer, BatchNorm, Conv, Dense, Flatten
from mnist_dash.core.network.torch_network import build_sequential
from tests.core.export.test_script import EVERYTHING

CONFIGS = {
    **{name: preset.config for name, preset in PRESETS.items()},
    "everything": EVERYTHING,
    **{
        str(name): RunConfig(
            layers=(
                Conv(filters=2, kernel=4, padding="same", activation=name),
                BatchNorm(),
                ActivationLayer(activation=name),
                Flatten(),
                Dense(units=10, activation="softmax"),
            )
        )
        for name in get_args(Activation)
    },
}


@pytest.mark.parametrize("name", CONFIGS)
def test_files_are_those_of_the_library(name: str) -> None:
    """Read by `onnx` and written again, a file is the same; its checker, shapes included, passes it and that with all layers."""
    config = CONFIGS[name]
    weights = {key: value.numpy() for key, value in build_sequential(config).state_dict().items()}
    scaling = scaling_values(config, PACKAGED_ARCHIVES)
    content = onnx_model(
        config, weights, scaling=scaling, about={"run": "1a2b", "classes": "ä", "empty": ""}
    )
    layered = layered_model(config, weights, scaling=scaling).content
    for written in (content, layered):
        assert rewritten(onnx.load_from_string(written)) == written
        checker.check_model(onnx.load_from_string(written), full_check=True)
    assert {entry.key: entry.value for entry in onnx.load_from_string(content).metadata_props} == {
        "run": "1a2b",
        "classes": "ä",
        "empty": "",
    }


def rewritten(model: onnx.ModelProto) -> bytes:
    """Build a model anew from what it holds, with the library's own functions."""
    graph = model.graph
    nodes = [
        helper.make_node(
            node.op_type,
            node.input,
            node.output,
            **{a.name: helper.get_attribute_value(a) for a in node.attribute},
        )
        for node in graph.node
    ]
    constants = [
        numpy_helper.from_array(numpy_helper.to_array(constant), constant.name)
        for constant in graph.initializer
    ]
    again = helper.make_model(
        helper.make_graph(nodes, graph.name, list(graph.input), list(graph.output), constants),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
        producer_name="MNIST Dash",
    )
    helper.set_model_props(again, {entry.key: entry.value for entry in model.metadata_props})
    return bytes(again.SerializeToString())


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["alpha", "axis", "pads", "perm", "to"]),
    st.one_of(
        INTEGERS, st.floats(width=32, allow_nan=False), st.lists(INTEGERS, min_size=1, max_size=5)
    ),
)


@given(operator=NAMES, inputs=st.lists(NAMES, max_size=3), output=NAMES, attributes=ATTRIBUTES)
def test_nodes_are_those_of_the_library(
    operator: str, inputs: list[str], output: str, attributes: dict[str, Attribute]
) -> None:
    """Any name, any integer of 64 bits, any float32."""
    expected = helper.make_node(operator, inputs, [output])
    expected.attribute.extend(
        helper.make_attribute(key, attributes[key]) for key in sorted(attributes)
    )
    assert onnx_format.node(operator, inputs, [output], attributes) == expected.SerializeToString()


@pytest.mark.parametrize(
    "values",
    [
        np.float32(0.1) * np.ones((), np.float32),
        np.arange(6, dtype=np.float32).reshape(2, 3).T,
        np.empty((0, 3), np.float32),
        np.array([-1, 2**40], np.int64),
        np.arange(300, dtype=np.int32)[::3],
        np.arange(200, dtype=np.uint8),
    ],
)
def test_tensors_are_those_of_the_library(values: npt.NDArray[np.generic]) -> None:
    """Scalars, arrays that lie otherwise in memory, and empty ones, of every type."""
    expected = numpy_helper.from_array(
        np.ascontiguousarray(values).reshape(values.shape), "name"
    ).SerializeToString()
    assert onnx_format.tensor("name", values) == expected


@pytest.mark.parametrize("sizes", [(), ("N", 1, 28, 300)])
def test_free_and_fixed_sizes_are_those_of_the_library(sizes: Sequence[int | str]) -> None:
    """A size is a number or a name; there may be none."""
    expected = helper.make_tensor_value_info("images", TensorProto.UINT8, sizes).SerializeToString()
    assert onnx_format.value("images", "uint8", sizes) == expected
