"""Shapes, parameter counts and operations against torch's own, and the arithmetic in words."""

from __future__ import annotations

import math
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from mnist_dash.core.layers import (
    LAYERS,
    AvgPool,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    ImpossibleLayer,
    Layer,
    MaxPool,
    format_shape,
    plan,
)

IMAGE = (28, 28, 1)
CONVOLUTIONS = st.builds(
    Conv,
    filters=st.integers(1, 8),
    kernel=st.integers(1, 7),
    stride=st.integers(1, 3),
    padding=st.sampled_from(("valid", "same")),
)
POOLS = st.builds(MaxPool, size=st.integers(1, 4), stride=st.none() | st.integers(1, 3))
AVERAGES = st.builds(AvgPool, size=st.integers(1, 4), stride=st.none() | st.integers(1, 3))
IMAGE_LAYERS = st.lists(
    CONVOLUTIONS | POOLS | AVERAGES | st.just(BatchNorm()) | st.just(Dropout()), max_size=5
)


def _torch(layer: Layer, shape: tuple[int, ...]) -> nn.Module:
    """Build torch's own layer; `same` with a stride is padded to size, as TensorFlow does."""
    match layer:
        case Conv(padding="valid"):
            return nn.Conv2d(shape[2], layer.filters, layer.kernel, layer.stride)
        case Conv():
            total = [
                max((math.ceil(side / layer.stride) - 1) * layer.stride + layer.kernel - side, 0)
                for side in shape[:2]
            ]
            pad = nn.ZeroPad2d(
                (total[1] // 2, total[1] - total[1] // 2, total[0] // 2, total[0] - total[0] // 2)
            )
            return nn.Sequential(
                pad, nn.Conv2d(shape[2], layer.filters, layer.kernel, layer.stride)
            )
        case MaxPool():
            return nn.MaxPool2d(layer.size, layer.stride)
        case AvgPool():
            return nn.AvgPool2d(layer.size, layer.stride)
        case Flatten():
            return nn.Flatten()
        case Dense():
            return nn.Linear(shape[0], layer.units)
        case BatchNorm():
            return nn.BatchNorm2d(shape[-1]) if len(shape) == 3 else nn.BatchNorm1d(shape[-1])
        case _:
            return nn.Identity()


def _follow(layers: tuple[Layer, ...]) -> None:
    """Send an image through torch's layers and compare each step with the plan."""
    values = torch.zeros(2, 1, 28, 28)
    for planned, layer in zip(plan(layers, IMAGE), layers, strict=True):
        module = _torch(layer, planned.input_shape)
        values = module(values)
        found = (
            tuple(values.shape[1:]) if values.dim() == 2 else (*values.shape[2:], values.shape[1])
        )
        assert planned.output_shape == found, planned.summary
        assert planned.n_parameters == sum(
            parameter.numel() for parameter in module.parameters()
        ), planned.summary


@given(images=IMAGE_LAYERS, units=st.lists(st.integers(1, 40), max_size=3))
def test_plan_agrees_with_torch(images: list[Layer], units: list[int]) -> None:
    """Whatever fits together has the shapes and parameters that torch gives it."""
    layers = (
        *images,
        Flatten(),
        *(Dense(units=n) for n in units),
        Dense(units=10, activation="softmax"),
    )
    try:
        plan(layers, IMAGE)
    except ImpossibleLayer as error:
        layer = layers[error.index]
        assert isinstance(layer, Conv | MaxPool | AvgPool)
        return
    _follow(layers)


@pytest.mark.parametrize("kernel", range(1, 29))
def test_every_kernel_that_fits_is_allowed(kernel: int) -> None:
    """A valid convolution may be as large as its input, and leaves what is left."""
    (planned,) = plan((Conv(kernel=kernel),), IMAGE)
    assert planned.output_shape == (29 - kernel, 29 - kernel, 32)


@pytest.mark.parametrize(
    ("layers", "index", "words"),
    [
        (
            (MaxPool(size=14), Conv(kernel=3)),
            1,
            ["conv_1", "3x3 kernel", "2 x 2 x 1", "at most 2", "'same'"],
        ),
        (
            (MaxPool(size=14), MaxPool(size=3)),
            1,
            ["max_pool_2", "3x3 window", "2 x 2 x 1", "at most 2"],
        ),
        ((Dense(),), 0, ["dense_1", "a vector", "28 x 28 x 1", "flatten"]),
        ((Flatten(), Conv()), 1, ["conv_1", "an image", "784", "before the flatten"]),
        ((Flatten(), Dense(units=5), AvgPool()), 2, ["avg_pool_1", "an image", "vector of 5"]),
    ],
)
def test_impossible_layer_names_itself_and_the_shapes(
    layers: tuple[Layer, ...], index: int, words: list[str]
) -> None:
    """The sentence has the layer's name, the rule, the shapes that do not fit, and the remedy."""
    with pytest.raises(ImpossibleLayer) as refused:
        plan(layers, IMAGE)
    assert refused.value.index == index
    assert [word for word in words if word not in str(refused.value)] == []


@given(images=IMAGE_LAYERS)
def test_names_are_unique_and_arithmetic_adds_up(images: list[Layer]) -> None:
    """Layers are numbered by kind, and the arithmetic in words ends with the number that it explains."""
    try:
        plans = plan((*images, Flatten(), Dense(units=10)), IMAGE)
    except ImpossibleLayer:
        return
    assert len({planned.name for planned in plans}) == len(plans)
    for planned in plans:
        numbers = [
            int(text.replace(",", ""))
            for text in re.findall(r"[\d,]*\d", planned.parameter_arithmetic)
        ]
        assert (numbers[-1] if numbers else 0) == planned.n_parameters


def test_multiply_adds_count_twice() -> None:
    """A dense layer takes two operations a weight; a convolution as many at each place."""
    conv, _, dense = plan((Conv(filters=4, kernel=5), Flatten(), Dense(units=10)), IMAGE)
    assert conv.flops == 2 * 25 * 4 * 24 * 24
    assert dense.flops == 2 * (24 * 24 * 4) * 10


def test_flattening_a_vector_changes_nothing() -> None:
    """A second flatten is allowed, says so, and has nothing to train."""
    planned = plan((Flatten(), Flatten()), IMAGE)[1]
    assert (planned.output_shape, planned.n_parameters) == ((784,), 0)
    assert "already" in planned.shape_arithmetic


def test_every_kind_has_a_summary_and_a_docstring() -> None:
    """Each kind of layer is told apart in one short line."""
    summaries = [kind().summary() for kind in LAYERS.values()]
    assert len(set(summaries)) == len(LAYERS)
    assert all(
        len(line) < 60 and kind.__doc__
        for line, kind in zip(summaries, LAYERS.values(), strict=True)
    )


def test_summary_tells_what_differs() -> None:
    """Stride, padding, activation and L2 are in the line where they matter."""
    assert (
        Conv(filters=8, kernel=5, stride=2, padding="same", activation="elu", l2=0.001).summary()
        == "conv 8, 5x5 same, stride 2, elu, l2 0.001"
    )
    assert MaxPool(size=3, stride=2).summary() == "max pool 3x3, stride 2"
    assert Dense(units=512, l2=1e-4).summary() == "dense 512, relu, l2 0.0001"
    assert format_shape((26, 26, 32)) == "26 x 26 x 32"
