"""The ONNX model gives the probabilities of the network that was trained, from bytes as the archives hold them."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch

from mnist_dash.core.config.presets import PRESETS
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.data.archives import PACKAGED_ARCHIVES
from mnist_dash.core.data.hog import hog
from mnist_dash.core.data.idx import read_images, read_labels
from mnist_dash.core.data.scaling import scaling_values
from mnist_dash.core.data.splits import training_indices
from mnist_dash.core.export.onnx_model import onnx_model
from mnist_dash.core.layers import Activation, Dense, Flatten
from mnist_dash.core.network.torch_network import build_sequential
from mnist_dash.core.scalings import SCALINGS
from tests.core.export.test_script import EVERYTHING

IMAGES = read_images("mnist", "test", PACKAGED_ARCHIVES)[:300]
ACTIVATIONS: tuple[Activation, ...] = (
    "linear",
    "relu",
    "elu",
    "gelu",
    "silu",
    "leaky_relu",
    "tanh",
    "sigmoid",
)


def activated(name: Activation) -> RunConfig:
    """Make a small network with one activation."""
    return RunConfig(
        layers=(Flatten(), Dense(units=20, activation=name), Dense(units=10, activation="softmax"))
    )


CONFIGS: dict[str, RunConfig] = {
    **{name: PRESETS[name].config for name in ("cnn_9_9_16", "mlp_300_30_hog")},
    **{str(name): activated(name) for name in ACTIVATIONS},
    "everything": EVERYTHING,
    "minmax": RunConfig(scaling="minmax"),
}


def scaled(config: RunConfig) -> torch.Tensor:
    """Scale the images as training does, fitted to the training part."""
    training = training_indices(config, read_labels("mnist", "train", PACKAGED_ARCHIVES))
    flat = torch.from_numpy(read_images("mnist", "train", PACKAGED_ARCHIVES)[training]).view(
        -1, 784
    )
    return (
        SCALINGS[config.scaling]()
        .fit(flat)(torch.from_numpy(IMAGES).view(-1, 784))
        .view(-1, 1, 28, 28)
    )


@pytest.mark.parametrize("name", CONFIGS)
def test_gives_torch_s_probabilities(name: str) -> None:
    """Every kind of layer, activation, scaling and feature, within 1e-4 of the plain torch network."""
    config = CONFIGS[name]
    network = build_sequential(config)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in network.state_dict().values():  # statistics of batch normalisation included
            if value.dtype.is_floating_point and value.dim() == 1:
                value.copy_(torch.rand(value.shape, generator=generator) + 0.1)
        network.eval()
        inputs = torch.from_numpy(hog(IMAGES)) if config.features == "hog" else scaled(config)
        expected = network(inputs).softmax(1).numpy()
    weights = {key: value.numpy() for key, value in network.state_dict().items()}
    content = onnx_model(
        config, weights, scaling=scaling_values(config, PACKAGED_ARCHIVES), about={"run": "1a2b"}
    )
    session = onnxruntime.InferenceSession(content)
    (found,) = session.run(None, {"images": IMAGES[:, None]})
    assert np.abs(found - expected).max() < 1e-4
    assert expected.std(axis=0).max() > 1e-3, "a network that says one thing would compare nothing"
    assert session.get_modelmeta().custom_metadata_map == {"run": "1a2b"}


def test_weights_of_another_network_are_refused() -> None:
    """Both shapes and the remedy are named."""
    config = activated("relu")
    weights = {
        key: value.numpy()
        for key, value in build_sequential(PRESETS["linear_10_10"].config).state_dict().items()
    }
    with pytest.raises(
        ValueError, match=r"\(10, 784\)\. Here it has the shape \(20, 784\)\. Use .*same run"
    ):
        onnx_model(config, weights, scaling=scaling_values(config, PACKAGED_ARCHIVES))
