"""The numpy forward pass against torch: every layer, every activation, every preset, and the scalings."""

from __future__ import annotations

import time
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt
import pytest
import torch

from mnist_dash.core import layers as specs
from mnist_dash.core.analysis.forward import activations, fitted_scaling, layer_output, probabilities
from mnist_dash.core.config.presets import PRESETS
from mnist_dash.core.config.run_config import RandomSplit, RunConfig, Split, StratifiedSplit, TailSplit, TestAsValidation
from mnist_dash.core.data.dataset import load_raw, split_indices
from mnist_dash.core.data.idx import read_images
from mnist_dash.core.layers import Activation, Layer
from mnist_dash.core.network.torch_network import build_sequential
from mnist_dash.core.scalings import SCALINGS, Scaling

OUTPUT = specs.Dense(units=10, activation="softmax")
NOWHERE = Path("nowhere")  # MNIST comes with the package
IMAGES = read_images("mnist", "test", NOWHERE)
Weights = dict[str, npt.NDArray[np.float32]]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the package may copy its archives."""
    return tmp_path_factory.mktemp("data")


def unit(images: npt.NDArray[np.uint8] | npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Scale as `unit` does."""
    return images.astype(np.float32) / np.float32(255)


def trained_like(config: RunConfig) -> tuple[torch.nn.Sequential, Weights]:
    """Build the plain network with random biases and running statistics too, as training leaves them."""
    network = build_sequential(config).eval()
    generator = torch.Generator().manual_seed(1)
    for name, tensor in network.state_dict().items():
        if name.endswith(("bias", "running_mean")):
            tensor.uniform_(-0.2, 0.2, generator=generator)
        elif name.endswith("running_var"):
            tensor.uniform_(0.2, 2, generator=generator)
    return network, {name: tensor.numpy() for name, tensor in network.state_dict().items()}


def outputs_of_torch(network: torch.nn.Sequential, images: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
    """Collect what every module gives, channels-last, and the probabilities."""
    values = torch.from_numpy(images[:, None] if images.ndim == 3 else images)
    outputs = []
    with torch.inference_mode():
        for module in network:
            values = module(values)
            outputs.append((values.permute(0, 2, 3, 1) if values.dim() == 4 else values).numpy())
        outputs.append(torch.softmax(values, 1).numpy())
    return outputs


def assert_equals_torch(config: RunConfig, n_images: int = 8) -> None:
    """Every layer's output is what torch computes at the same place, to 1e-5 of its size."""
    network, weights = trained_like(config)
    scale = unit if config.features == "pixels" else fitted_scaling(config, NOWHERE)
    expected = outputs_of_torch(network, scale(IMAGES[:n_images]))
    found = activations(config, weights, IMAGES[:n_images], scale)
    assert [values.shape[1:] for values in found] == [planned.output_shape for planned in config.plan]
    assert all(values.dtype == np.float32 for values in found)
    position = 0
    for values in found:
        while expected[position].shape != values.shape or not np.allclose(
            values, expected[position], rtol=1e-5, atol=1e-5 * max(1, float(np.abs(expected[position]).max()))
        ):
            position += 1
            assert position < len(expected), "a layer gives what no module of torch does"
    np.testing.assert_allclose(found[-1], expected[-1], atol=1e-5)


@pytest.mark.parametrize("name", list(PRESETS))
def test_presets_give_what_torch_gives(name: str) -> None:
    """Every ready network, layer by layer."""
    assert_equals_torch(PRESETS[name].config)


@pytest.mark.parametrize("activation", get_args(Activation))
def test_activations_give_what_torch_gives(activation: Activation) -> None:
    """Every activation, within a layer and on its own."""
    layers: tuple[Layer, ...] = (
        specs.Conv(filters=3, kernel=3, activation=activation),
        specs.BatchNorm(),
        specs.ActivationLayer(activation=activation),
        specs.Flatten(),
        specs.Dense(units=12, activation=activation),
        specs.BatchNorm(epsilon=0.1),
        OUTPUT,
    )
    assert_equals_torch(RunConfig(layers=layers))


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (2, 1), (4, 2), (5, 3), (3, 2), (7, 1)])
def test_convolutions_give_what_torch_gives(kernel: int, stride: int, padding: specs.Padding) -> None:
    """Even and odd kernels, strides, and the padding that is uneven."""
    conv = specs.Conv(filters=4, kernel=kernel, stride=stride, padding=padding, activation="tanh")
    assert_equals_torch(RunConfig(layers=(conv, conv, specs.Dropout(), specs.Flatten(), OUTPUT)))


@pytest.mark.parametrize("pool", [specs.MaxPool, specs.AvgPool])
@pytest.mark.parametrize(("size", "stride"), [(2, None), (3, None), (3, 2), (2, 3), (1, 2)])
def test_pooling_gives_what_torch_gives(pool: type[specs.MaxPool | specs.AvgPool], size: int, stride: int | None) -> None:
    """Windows that overlap, leave gaps, or do not divide the side."""
    layers: tuple[Layer, ...] = (
        specs.Conv(filters=3, kernel=2, activation="linear"),
        pool(size=size, stride=stride),
        specs.Flatten(),
        specs.Flatten(),
        specs.BatchNorm(),
        OUTPUT,
    )
    assert_equals_torch(RunConfig(layers=layers))


@pytest.mark.parametrize("scaling", list(SCALINGS))
@pytest.mark.parametrize("split", [TailSplit(), RandomSplit(fraction=0.3, seed=7), StratifiedSplit(seed=3), TestAsValidation()])
def test_scalings_are_those_of_training(data_dir: Path, scaling: Scaling, split: Split) -> None:
    """Fitted to the training part and equal to the scaling of the training engine."""
    config = RunConfig(scaling=scaling, split=split)
    raw = load_raw("mnist", data_dir)
    training = raw.train_images.flatten(1)[split_indices(config, raw.train_labels).training]
    expected = SCALINGS[scaling]().fit(training)(torch.from_numpy(IMAGES[:50]).flatten(1)).numpy()
    scale = fitted_scaling(config, NOWHERE)
    np.testing.assert_allclose(scale(IMAGES[:50]).reshape(50, 784), expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(scale(IMAGES[:3].astype(np.float32)), scale(IMAGES[:3]))


def test_one_layer_of_many_images() -> None:
    """Batches are put together in order, whatever their number; the last layer is the default of `probabilities`."""
    config = PRESETS["cnn_9_9_16"].config
    _, weights = trained_like(config)
    whole = activations(config, weights, IMAGES[:230], unit)
    assert all(len(values) == 230 for values in whole)
    np.testing.assert_allclose(layer_output(config, weights, IMAGES[:230], unit, layer=3), whole[3], atol=1e-6)
    np.testing.assert_allclose(probabilities(config, weights, IMAGES[:230], unit), whole[-1], atol=1e-6)
    assert probabilities(config, weights, IMAGES[:0], unit).shape == (0, 10)


def test_weights_of_another_network_are_refused() -> None:
    """The message says what was expected, what was got and what to do."""
    config = PRESETS["mlp_quick"].config
    _, weights = trained_like(PRESETS["linear_10_10"].config)
    with pytest.raises(ValueError, match=r"got \(10, 784\).*same run"):
        activations(config, weights, IMAGES[:1], unit)
    with pytest.raises(ValueError, match=r"none named '1.weight'"):
        activations(config, {}, IMAGES[:1], unit)


def test_hundred_images_take_no_time() -> None:
    """A page can afford a forward pass of the widest convolutional preset."""
    config = PRESETS["cnn_32_64_adadelta"].config
    _, weights = trained_like(config)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        activations(config, weights, IMAGES[:100], unit)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 1.5, "a fifth of that on an idle machine"
