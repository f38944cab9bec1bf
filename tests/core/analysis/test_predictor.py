"""Networks that pages ask, against torch: every layer, every activation, every preset."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from subprocess import run
from typing import get_args

import numpy as np
import numpy.typing as npt
import pytest
import torch

from mnist_dash.core import layers as specs
from mnist_dash.core.analysis import predictor as module
from mnist_dash.core.analysis.predictor import MAX_SESSIONS, Predictor
from mnist_dash.core.config.presets import PRESETS
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.data.archives import PACKAGED_ARCHIVES
from mnist_dash.core.data.hog import hog
from mnist_dash.core.data.idx import read_images
from mnist_dash.core.data.scaling import scaling_values
from mnist_dash.core.layers import Activation, Layer
from mnist_dash.core.network.torch_network import build_sequential
from mnist_dash.core.scalings import SCALINGS, Scaling
from tests.waiting import PATIENCE_SECONDS

OUTPUT = specs.Dense(units=10, activation="softmax")
IMAGES = read_images("mnist", "test", PACKAGED_ARCHIVES)
Weights = dict[str, npt.NDArray[np.float32]]


def predictor(config: RunConfig, weights: Weights) -> Predictor:
    """Make one with the configuration's own scaling."""
    return Predictor(config, weights, scaling_values(config, PACKAGED_ARCHIVES))


def inputs_of(config: RunConfig, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Give what the network takes of images."""
    if config.features == "hog":
        return hog(images)
    subtracted, factor = scaling_values(config, PACKAGED_ARCHIVES)
    return (images - subtracted) * factor


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


def outputs_of_torch(
    network: torch.nn.Sequential, images: npt.NDArray[np.float32]
) -> list[npt.NDArray[np.float32]]:
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
    expected = outputs_of_torch(network, inputs_of(config, IMAGES[:n_images]))
    found = predictor(config, weights).activations(IMAGES[:n_images])
    assert [values.shape[1:] for values in found] == [
        planned.output_shape for planned in config.plan
    ]
    assert all(values.dtype == np.float32 for values in found)
    position = 0
    for values in found:
        while expected[position].shape != values.shape or not np.allclose(
            values,
            expected[position],
            rtol=1e-5,
            atol=1e-5 * max(1, float(np.abs(expected[position]).max())),
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
def test_convolutions_give_what_torch_gives(
    kernel: int, stride: int, padding: specs.Padding
) -> None:
    """Even and odd kernels, strides, and the padding that is uneven."""
    conv = specs.Conv(filters=4, kernel=kernel, stride=stride, padding=padding, activation="tanh")
    assert_equals_torch(RunConfig(layers=(conv, conv, specs.Dropout(), specs.Flatten(), OUTPUT)))


@pytest.mark.parametrize("pool", [specs.MaxPool, specs.AvgPool])
@pytest.mark.parametrize(("size", "stride"), [(2, None), (3, None), (3, 2), (2, 3), (1, 2)])
def test_pooling_gives_what_torch_gives(
    pool: type[specs.MaxPool | specs.AvgPool], size: int, stride: int | None
) -> None:
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
def test_scalings_give_what_torch_gives(scaling: Scaling) -> None:
    """What is fitted to the training part is inside the network."""
    assert_equals_torch(RunConfig(scaling=scaling))


def test_layers_that_only_pass_on_have_an_output_of_their_own() -> None:
    """Dropout and a linear activation give what comes in, the first layer the scaled image."""
    layers: tuple[Layer, ...] = (
        specs.Dropout(),
        specs.ActivationLayer(activation="linear"),
        specs.Flatten(),
        OUTPUT,
    )
    config = RunConfig(layers=layers)
    _, weights = trained_like(config)
    found = predictor(config, weights).activations(IMAGES[:3])
    np.testing.assert_allclose(found[0][..., 0], IMAGES[:3] / np.float32(255), atol=1e-7)
    np.testing.assert_array_equal(found[1], found[0])


def test_one_layer_of_many_images() -> None:
    """Batches are put together in order, whatever their number; one layer is the same alone, and nothing of nothing."""
    config = PRESETS["cnn_9_9_16"].config
    network = predictor(config, trained_like(config)[1])
    whole = network.activations(IMAGES[:230])
    assert all(len(values) == 230 for values in whole)
    np.testing.assert_array_equal(network.layer_output(IMAGES[:230], layer=3), whole[3])
    np.testing.assert_array_equal(network.probabilities(IMAGES[:230]), whole[-1])
    np.testing.assert_allclose(network.probabilities(IMAGES[200:230]), whole[-1][200:], atol=1e-6)
    assert network.probabilities(IMAGES[:0]).shape == (0, 10)
    with pytest.raises(IndexError):
        network.layer_output(IMAGES[:1], layer=len(config.layers))


def test_weights_of_another_network_are_refused() -> None:
    """The message says what was expected, what was got and what to do."""
    config = PRESETS["mlp_quick"].config
    with pytest.raises(ValueError, match=r"of the shape \(10, 784\).*same run"):
        predictor(config, trained_like(PRESETS["linear_10_10"].config)[1])
    with pytest.raises(ValueError, match=r"hold no weight.*same run"):
        predictor(config, {})


def test_threads_share_one_session_and_get_the_same_numbers() -> None:
    """Eight pages that open the same network at once wait for one session, and each gets every bit alike."""
    config = PRESETS["cnn_9_9_16"].config
    _, weights = trained_like(config)
    together = threading.Barrier(8)

    def ask(_: int) -> tuple[Predictor, bytes]:
        together.wait(PATIENCE_SECONDS)
        network = predictor(config, weights)
        return network, b"".join(network.probabilities(IMAGES[:300]).tobytes() for _ in range(3))

    with ThreadPoolExecutor(8) as pool:
        asked = list(pool.map(ask, range(8)))
    assert len({bits for _, bits in asked}) == 1
    assert len({id(network._session) for network, _ in asked}) == 1


def test_few_sessions_are_kept() -> None:
    """One for each of the networks asked last; other weights are another network."""
    config = RunConfig(layers=(specs.Flatten(), OUTPUT))
    _, weights = trained_like(config)
    networks = [
        predictor(config, {**weights, "1.bias": np.full(10, value, np.float32)})
        for value in range(MAX_SESSIONS + 1)
    ]
    assert len({id(network._session) for network in networks}) == MAX_SESSIONS + 1
    assert len(module._sessions._kept) == MAX_SESSIONS
    again = predictor(config, {**weights, "1.bias": np.full(10, MAX_SESSIONS, np.float32)})
    assert again._session is networks[-1]._session


def test_one_thread_computes() -> None:
    """A network that is asked takes no core from a training: its session has one thread, that of whoever asks."""
    config = RunConfig(
        layers=(specs.Flatten(), specs.Dense(units=2048), specs.Dense(units=2048), OUTPUT)
    )
    options = predictor(config, trained_like(config)[1])._session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)


def test_runtime_is_imported_when_a_network_is_asked() -> None:
    """Importing the pages' module loads neither ONNX Runtime nor the package `onnx`."""
    code = "import sys, mnist_dash.ui.components.trained_network; sys.exit(bool({'onnx', 'onnxruntime', 'torch'} & set(sys.modules)))"
    assert run([sys.executable, "-c", code], check=False).returncode == 0
