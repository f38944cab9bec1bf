"""Kernels, their distributions and dead units, on networks small enough to know the answer."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch

from mnist_dash.core.analysis.layer_statistics import (
    N_BINS,
    QUANTILES,
    LayerMeasurement,
    Spread,
    dead_units,
    histograms,
    kernels,
    order_by_norm,
    pack,
    spread,
    summarise,
    unpack,
)
from mnist_dash.core.analysis.predictor import Predictor
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.data.dataset import Part, PreparedData
from mnist_dash.core.layers import ActivationLayer, BatchNorm, Conv, Dense, Flatten
from mnist_dash.core.network.torch_network import build_sequential
from mnist_dash.core.training.layer_recorder import LayerRecorder

OUTPUT = Dense(units=10, activation="softmax")
Weights = dict[str, npt.NDArray[np.float32]]


UNIT = (np.zeros((), np.float32), np.asarray(1 / 255, np.float32))
"""The scaling `unit`."""


def ones(*shape: int) -> npt.NDArray[np.float32]:
    """Make an array of ones."""
    return np.ones(shape, dtype=np.float32)


def test_dead_units_are_those_that_never_answer() -> None:
    """A unit that answers one bright image out of 150 is alive; one whose input is never positive is dead; so with filters."""
    config = RunConfig(layers=(Conv(filters=2, kernel=28), Flatten(), Dense(units=3), OUTPUT))
    weights: Weights = {
        "0.weight": np.stack([ones(1, 28, 28), -ones(1, 28, 28)]),
        "0.bias": np.zeros(2, np.float32),
        "3.weight": np.array([[1, 0], [0, 1], [1, 0]], np.float32),
        "3.bias": np.array([-700, 0, -1e6], np.float32),
        "5.weight": ones(10, 3),
        "5.bias": ones(10),
    }
    images = np.zeros((150, 28, 28), np.uint8)
    images[149] = 255  # the filter of ones sums it to 784
    dead = dead_units(config, Predictor(config, weights, UNIT), images)
    assert {index: units.tolist() for index, units in dead.items()} == {
        0: [False, True],
        2: [False, True, True],
    }


def test_kernels_are_found_behind_padding_and_activations() -> None:
    """Modules that have no weights are counted, and batch normalisation is no kernel."""
    config = RunConfig(
        layers=(
            Conv(filters=2, kernel=2, padding="same"),
            BatchNorm(),
            ActivationLayer(activation="linear"),
            ActivationLayer(activation="relu"),
            Flatten(),
            Dense(units=10, activation="softmax"),
        )
    )
    weights: Weights = {
        "1.weight": ones(2, 1, 2, 2),
        "1.bias": ones(2),
        "6.weight": ones(10, 1568),
        "6.bias": ones(10),
    }
    found = kernels(config, weights)
    assert [(kernel.index, kernel.name, kernel.weights.shape) for kernel in found] == [
        (0, "conv_1", (2, 1, 2, 2)),
        (5, "dense_1", (10, 1568)),
    ]
    with pytest.raises(ValueError, match=r"do not fit conv_1, which has 10 values.*same run"):
        kernels(config, {})


def test_histograms_count_every_weight() -> None:
    """Shares add up to one for each array, on bins that lie evenly around zero."""
    rng = np.random.default_rng(0)
    spread = histograms(
        {
            "wide": rng.normal(size=5000).astype(np.float32),
            "narrow": rng.normal(scale=0.1, size=70).astype(np.float32),
        }
    )
    assert [float(shares.sum()) for shares in spread.shares.values()] == pytest.approx([1, 1])
    np.testing.assert_allclose(spread.centers, -spread.centers[::-1], atol=1e-12)
    assert len(spread.centers) == N_BINS
    assert float(histograms({"zeros": np.zeros(5, np.float32)}).shares["zeros"][N_BINS // 2]) == 1


def test_summary_is_numpy_s() -> None:
    """The figures of a known array."""
    summary = summarise(np.array([[3, -4]], np.float32))
    assert (summary.n, summary.mean, summary.std, summary.low, summary.high, summary.norm) == (
        2,
        -0.5,
        3.5,
        -4,
        3,
        5,
    )
    assert summarise(np.empty(0, np.float32)).n == 0


def test_greatest_norm_comes_first() -> None:
    """Equal ones stay in order."""
    assert order_by_norm(np.array([[1, 0], [3, 4], [0, 1]], np.float32)).tolist() == [1, 0, 2]


def test_measurements_survive_their_packing() -> None:
    """Four digits are kept; a value that is not finite becomes NaN; layers without a kernel or ReLU have none."""
    values = np.random.default_rng(0).normal(size=100_000).astype(np.float32)
    found = spread(values)
    assert found.quantiles[0] == float(values.min())
    np.testing.assert_allclose(
        found.quantiles[1:-1], np.quantile(values, QUANTILES[1:-1]), atol=0.05
    )
    broken = Spread(math.inf, 0.0, (0.0,) * 9)
    packed = unpack(
        pack({"a": LayerMeasurement(found, broken, 0.25), "b": LayerMeasurement(None, found, None)})
    )
    assert packed["a"].weights is not None
    assert packed["a"].weights.std == pytest.approx(found.std, rel=1e-3)
    assert math.isnan(packed["a"].activations.mean)
    assert (packed["a"].dead, packed["b"].weights, packed["b"].dead) == (0.25, None, None)


def test_recorder_measures_what_the_forward_pass_gives() -> None:
    """Ends, dead share and names agree with the predictor over the same images."""
    config = RunConfig(
        layers=(
            Conv(filters=3, kernel=4, padding="same", activation="tanh"),
            BatchNorm(),
            ActivationLayer(activation="relu"),
            Flatten(),
            Dense(units=20),
            OUTPUT,
        )
    )
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (230, 784), dtype=np.uint8))
    part = Part(images, torch.zeros(230, dtype=torch.int64))
    recorder = LayerRecorder(
        config, PreparedData(part, part, part, lambda batch: batch.float() / 255)
    )
    weights = build_sequential(config).state_dict()
    measured = recorder.measure(weights)
    arrays = {name: tensor.numpy() for name, tensor in weights.items()}
    predictor = Predictor(config, arrays, UNIT)
    outputs = predictor.activations(images.numpy().reshape(-1, 28, 28))
    dead = dead_units(config, predictor, images.numpy().reshape(-1, 28, 28))
    assert list(measured) == ["conv_1", "batch_norm_1", "activation_1", "dense_1", "dense_2"]
    for index, name in ((0, "conv_1"), (1, "batch_norm_1"), (2, "activation_1"), (4, "dense_1")):
        ends = measured[name].activations.quantiles
        assert (ends[0], ends[-1]) == pytest.approx(
            (float(outputs[index].min()), float(outputs[index].max())), abs=1e-4
        )
        assert measured[name].dead == (
            pytest.approx(float(dead[index].mean())) if index in dead else None
        )
    assert measured["batch_norm_1"].weights is None
    kernel = measured["dense_2"].weights
    assert kernel is not None
    assert kernel.quantiles[-1] == pytest.approx(float(weights["8.weight"].max()))
