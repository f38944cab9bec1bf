"""Planned shapes and counts against torch's real ones, and the fast network against the plain one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_dash.core import layers as specs
from mnist_dash.core.config.presets import PRESETS
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.layers import ImpossibleLayer, Layer, plan
from mnist_dash.core.layers.dropout_mask import DropoutMask
from mnist_dash.core.network.torch_network import Network, build_sequential

OUTPUT = specs.Dense(units=10, activation="softmax")
CPU = torch.device("cpu")
activations = st.sampled_from(
    ["linear", "relu", "elu", "gelu", "silu", "leaky_relu", "tanh", "sigmoid"]
)
image_layers = st.one_of(
    st.builds(
        specs.Conv,
        filters=st.integers(1, 6),
        kernel=st.integers(1, 6),
        stride=st.integers(1, 3),
        padding=st.sampled_from(["valid", "same"]),
        activation=activations,
    ),
    st.builds(specs.MaxPool, size=st.integers(1, 3), stride=st.none() | st.integers(1, 3)),
    st.builds(specs.AvgPool, size=st.integers(1, 3), stride=st.none() | st.integers(1, 3)),
    st.builds(specs.BatchNorm),
    st.builds(specs.ActivationLayer, activation=activations),
    st.builds(specs.Dropout, rate=st.sampled_from([0.0, 0.25, 0.5])),
)
vector_layers = st.one_of(
    st.builds(specs.Dense, units=st.integers(1, 12), activation=activations),
    st.builds(specs.BatchNorm),
    st.builds(specs.ActivationLayer, activation=activations),
    st.builds(specs.Dropout, rate=st.sampled_from([0.0, 0.25, 0.5])),
)


@st.composite
def networks(draw: st.DrawFn) -> tuple[Layer, ...]:
    """Draw a network that fits: image layers as far as they do, a flatten, vector layers, the output."""
    chosen: list[Layer] = []
    for layer in draw(st.lists(image_layers, max_size=4)):
        try:
            plan((*chosen, layer), (28, 28, 1))
        except ImpossibleLayer:
            continue
        chosen.append(layer)
    return (*chosen, specs.Flatten(), *draw(st.lists(vector_layers, max_size=3)), OUTPUT)


@settings(max_examples=60, deadline=None)
@given(networks())
def test_plan_agrees_with_torch(layers: tuple[Layer, ...]) -> None:
    """Whatever the layers, the planned counts are those of the real modules and the planned shapes hold."""
    config = RunConfig(layers=layers)
    network = build_sequential(config).eval()
    assert sum(parameter.numel() for parameter in network.parameters()) == config.n_parameters
    shapes = {(28, 28, 1)} | {planned.output_shape for planned in config.plan}
    values = torch.zeros(2, 1, 28, 28)
    for module in network:
        values = module(values)
        found = (
            tuple(values.shape[1:]) if values.dim() == 2 else (*values.shape[2:], values.shape[1])
        )
        assert found in shapes or isinstance(module, torch.nn.ZeroPad2d)
    assert values.shape == (2, 10)


@settings(max_examples=60, deadline=None)
@given(networks())
def test_fast_network_computes_what_the_plain_one_does(layers: tuple[Layer, ...]) -> None:
    """Reordering, channels-last memory and in-place activations change no output; exported weights fit the plain network."""
    config = RunConfig(layers=layers)
    fast, plain = Network(config, CPU, torch.Generator()), build_sequential(config).eval()
    exported = fast.export()
    assert exported.keys() == plain.state_dict().keys()
    assert all(torch.equal(exported[name], value) for name, value in plain.state_dict().items())
    images = torch.rand(3, 784, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert torch.allclose(
            fast.logits(images, training=False), plain(images.view(3, 1, 28, 28)), atol=1e-4
        )


@pytest.mark.parametrize("name", list(PRESETS))
def test_every_preset_is_built(name: str) -> None:
    """Each ready network has the planned number of parameters in torch."""
    config = PRESETS[name].config
    assert (
        sum(parameter.numel() for parameter in build_sequential(config).parameters())
        == config.n_parameters
    )


def filled(initializer: specs.Initializer, *shape: int) -> np.ndarray:
    """Fill a tensor by an initialiser and a fixed seed."""
    tensor = torch.empty(shape)
    initializer.fill(tensor, torch.Generator().manual_seed(0))
    return tensor.double().numpy()


@pytest.mark.parametrize(
    ("initializer", "limit", "std"),
    [
        (specs.GlorotUniform(), (6 / 1500) ** 0.5, (2 / 1500) ** 0.5),
        (specs.HeUniform(), (6 / 1000) ** 0.5, (2 / 1000) ** 0.5),
        (specs.GlorotNormal(), 2 * (2 / 1500) ** 0.5 / 0.8796, (2 / 1500) ** 0.5),
        (specs.HeNormal(), 2 * (2 / 1000) ** 0.5 / 0.8796, (2 / 1000) ** 0.5),
        (specs.TruncatedNormal(std=0.01), 0.02, 0.0088),
        (specs.Normal(std=0.05), 1.0, 0.05),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_initialisers_have_their_spread(
    initializer: specs.Initializer, limit: float, std: float
) -> None:
    """Bounds and deviations of half a million draws are those of the definition; fan-in is 1000, fan-out 500."""
    values = filled(initializer, 500, 1000)
    assert abs(values.mean()) < 4 * std / 500_000**0.5
    assert values.std() == pytest.approx(std, rel=0.01)
    assert np.abs(values).max() <= limit * 1.001


def test_convolution_counts_its_window_as_fan() -> None:
    """A 5x5 kernel of 8 channels and 16 filters has fans of 200 and 400."""
    assert np.abs(filled(specs.GlorotUniform(), 16, 8, 5, 5)).max() == pytest.approx(
        (6 / 600) ** 0.5, rel=0.01
    )
    assert (filled(specs.Constant(value=0.1), 7) == np.float32(0.1)).all()
    assert (filled(specs.Zeros(), 7) == 0).all()


@pytest.mark.parametrize("rate", [0.25, 0.4, 0.5, 0.95])
def test_dropout_drops_its_rate_and_keeps_the_mean(rate: float) -> None:
    """The share of zeros and the mean are right to within sampling error, and gradients pass where values do."""
    dropout = DropoutMask(rate, torch.Generator().manual_seed(0))
    values = torch.ones(1000, 1000, requires_grad=True)
    dropped = dropout(values)
    n = values.numel()
    error = (rate * (1 - rate) / n) ** 0.5
    assert float((dropped == 0).float().mean()) == pytest.approx(rate, abs=5 * error + 1 / 65_536)
    assert float(dropped.detach().mean()) == pytest.approx(1, abs=5 * error / (1 - rate) + 1e-4)
    (gradient,) = torch.autograd.grad(dropped.sum(), values)
    assert torch.equal(gradient, dropped.detach())
    rows = (dropped == 0).float()
    assert abs(float(torch.corrcoef(torch.stack([rows[:, 0], rows[:, 1]]))[0, 1])) < 0.15, (
        "neighbours are dropped independently"
    )
