"""Hand-written gradients against autograd's, and both against what the definitions of clipping, L2 and smoothing say."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from mnist_dash.core import layers as specs
from mnist_dash.core.config.presets import PRESETS
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.layers import ImpossibleLayer, Layer, plan
from mnist_dash.core.network.torch_network import Network
from mnist_dash.core.optimizers import SGD
from mnist_dash.core.training.backprop import HandwrittenUpdate, is_supported
from mnist_dash.core.training.update import AutogradUpdate, Measured, clip_by_global_norm

CPU = torch.device("cpu")
OUTPUT = specs.Dense(units=10, activation="softmax")
activations = st.sampled_from(["linear", "relu"])
image_layers = st.one_of(
    st.builds(
        specs.Conv,
        filters=st.integers(1, 6),
        kernel=st.sampled_from([1, 3, 5]),
        stride=st.integers(1, 2),
        padding=st.sampled_from(["valid", "same"]),
        activation=activations,
        l2=st.sampled_from([0.0, 0.01]),
    ),
    st.builds(specs.MaxPool, size=st.integers(1, 3), stride=st.none() | st.integers(1, 3)),
    st.builds(specs.Dropout, rate=st.sampled_from([0.0, 0.25, 0.4])),
)
vector_layers = st.one_of(
    st.builds(
        specs.Dense,
        units=st.integers(1, 12),
        activation=activations,
        l2=st.sampled_from([0.0, 0.01]),
    ),
    st.builds(specs.Dropout, rate=st.sampled_from([0.0, 0.5])),
    st.builds(specs.Flatten),
)


@st.composite
def configurations(draw: st.DrawFn) -> RunConfig:
    """Draw a network of layers that have hand-written gradients, with or without clipping and smoothing."""
    chosen: list[Layer] = []
    for layer in draw(st.lists(image_layers, max_size=4)):
        try:
            plan((*chosen, layer), (28, 28, 1))
        except ImpossibleLayer:
            continue
        chosen.append(layer)
    layers = (*chosen, specs.Flatten(), *draw(st.lists(vector_layers, max_size=3)), OUTPUT)
    return RunConfig(
        layers=layers,
        optimizer=SGD(momentum=0.9),
        label_smoothing=draw(st.sampled_from([0.0, 0.1])),
        gradient_clip_norm=draw(st.sampled_from([None, 0.5])),
        probability_clip=draw(st.sampled_from([0.0, 0.01])),
        seed=draw(st.integers(0, 100)),
    )


def three_updates(
    kind: type[AutogradUpdate | HandwrittenUpdate], config: RunConfig, precision: str
) -> tuple[list[Measured], list[Tensor]]:
    """Do three updates on random batches; what they measured and the parameters after them."""
    network = Network(config, CPU, torch.Generator().manual_seed(1))
    optimizer = config.optimizer.build([value.tensor for value in network.parameters])
    update = kind(config, network, optimizer, precision=precision)
    generator = torch.Generator().manual_seed(2)
    measured = []
    for t in (1, 2, 3):
        images, labels = (
            torch.rand(16, 784, generator=generator),
            torch.randint(10, (16,), generator=generator),
        )
        measured.append(update.step(images, labels, rate=0.01, t=t))
    return measured, [value.tensor.detach() for value in network.parameters]


@settings(max_examples=80, deadline=None)
@given(configurations())
def test_gradients_by_hand_equal_autograds(config: RunConfig) -> None:
    """Whatever the supported layers, three updates lead to the same losses and parameters, up to rounding."""
    assume(is_supported(config))
    by_autograd, expected = three_updates(AutogradUpdate, config, "float32")
    by_hand, found = three_updates(HandwrittenUpdate, config, "float32")
    assert [float(step.loss) for step in by_hand] == pytest.approx(
        [float(step.loss) for step in by_autograd], rel=1e-4
    )
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=2e-5)


STRIDED = RunConfig(
    layers=(
        specs.Conv(filters=4, kernel=1, padding="same", activation="linear"),
        specs.Conv(filters=5, kernel=1, stride=2, activation="relu"),
        specs.Flatten(),
        OUTPUT,
    ),
    optimizer=SGD(momentum=0.9),
)


@pytest.mark.parametrize("kind", [AutogradUpdate, HandwrittenUpdate])
def test_strided_kernel_of_one_pixel_repeats_bit_for_bit(
    kind: type[AutogradUpdate | HandwrittenUpdate],
) -> None:
    """OneDNN wrote outside of its memory for such a layer, so that results differed from time to time, until the process died."""
    _, expected = three_updates(kind, STRIDED, "float32")
    for _ in range(50):
        _, found = three_updates(kind, STRIDED, "float32")
        assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("name", ["mlp_512_256", "cnn_9_9_16"])
def test_wide_layers_by_hand_equal_autograds(name: str) -> None:
    """Wide dense layers take another library's products, and come to the same."""
    config = PRESETS[name].config.model_copy(update={"optimizer": SGD(momentum=0.9)})
    by_autograd, expected = three_updates(AutogradUpdate, config, "float32")
    by_hand, found = three_updates(HandwrittenUpdate, config, "float32")
    assert [float(step.loss) for step in by_hand] == pytest.approx(
        [float(step.loss) for step in by_autograd], rel=1e-5
    )
    assert all(
        torch.allclose(one, other, atol=1e-5) for one, other in zip(found, expected, strict=True)
    )


@pytest.mark.parametrize("name", ["mlp_512_256", "cnn_9_9_16", "linear_10_10"])
def test_gradients_by_hand_equal_autograds_in_bfloat16(name: str) -> None:
    """With eight bits of mantissa both lead to the same losses to about a hundredth, and master weights stay in float32."""
    config = PRESETS[name].config
    by_autograd, _ = three_updates(AutogradUpdate, config, "bfloat16")
    by_hand, parameters = three_updates(HandwrittenUpdate, config, "bfloat16")
    assert [float(step.loss) for step in by_hand] == pytest.approx(
        [float(step.loss) for step in by_autograd], rel=0.02
    )
    assert all(parameter.dtype == torch.float32 for parameter in parameters)


@pytest.mark.parametrize("name", list(PRESETS))
def test_every_preset_has_gradients_by_hand(name: str) -> None:
    """The ready networks all take the fast path on the CPU, but for the one with exponential linear units."""
    assert is_supported(PRESETS[name].config) is (name != "cnn_elu_sgd")


@pytest.mark.parametrize(
    "layer",
    [
        specs.BatchNorm(),
        specs.AvgPool(),
        specs.Conv(activation="gelu"),
        specs.Conv(kernel=4, padding="same"),
    ],
    ids=lambda layer: layer.summary(),
)
def test_other_layers_go_through_autograd(layer: Layer) -> None:
    """What has no gradient of its own here is refused, so that autograd takes it."""
    assert not is_supported(RunConfig(layers=(layer, specs.Flatten(), OUTPUT)))


def test_clipping_scales_to_the_global_norm() -> None:
    """Gradients of norm 13 are scaled to norm 2 together; smaller ones stay."""
    grads = [torch.tensor([3.0, 4.0]), torch.tensor([[12.0]])]
    clip_by_global_norm(grads, 2.0)
    assert np.allclose(
        torch.cat([grad.flatten() for grad in grads]), np.array([3.0, 4.0, 12.0]) * 2 / 13
    )
    small = [torch.tensor([0.3, 0.4])]
    clip_by_global_norm(small, 2.0)
    assert np.allclose(small[0], [0.3, 0.4])


@pytest.mark.parametrize("kind", [AutogradUpdate, HandwrittenUpdate])
def test_penalty_is_lambda_times_the_sum_of_squares(
    kind: type[AutogradUpdate | HandwrittenUpdate],
) -> None:
    """With L2 the loss grows by lambda * sum(w^2) of the kernel alone, and plain descent shrinks the kernel by 2 * rate * lambda."""
    plain = RunConfig(layers=(specs.Flatten(), OUTPUT), optimizer=SGD())
    regularised = RunConfig(
        layers=(specs.Flatten(), OUTPUT.model_copy(update={"l2": 0.5})), optimizer=SGD()
    )
    kernel = Network(plain, CPU, torch.Generator()).parameters[0].tensor.detach()
    results = {}
    for config in (plain, regularised):
        network = Network(config, CPU, torch.Generator())
        update = kind(
            config,
            network,
            config.optimizer.build([value.tensor for value in network.parameters]),
            precision="float32",
        )
        loss = update.step(torch.zeros(4, 784), torch.arange(4), rate=0.1, t=1).loss
        results[config] = float(loss), network.parameters[0].tensor.detach()
    assert results[regularised][0] - results[plain][0] == pytest.approx(
        0.5 * float((kernel**2).sum()), rel=1e-5
    )
    assert torch.allclose(results[regularised][1], kernel * (1 - 2 * 0.1 * 0.5), atol=1e-6)


@pytest.mark.parametrize("kind", [AutogradUpdate, HandwrittenUpdate])
def test_label_smoothing_mixes_in_all_classes(
    kind: type[AutogradUpdate | HandwrittenUpdate],
) -> None:
    """The loss with smoothing s is (1 - s) times that of the label plus s times the mean over all classes."""
    config = RunConfig(layers=(specs.Flatten(), OUTPUT), optimizer=SGD(), label_smoothing=0.2)
    network = Network(config, CPU, torch.Generator())
    images, labels = torch.rand(5, 784, generator=torch.Generator().manual_seed(0)), torch.arange(5)
    with torch.no_grad():
        logs = network.logits(images, training=False).log_softmax(1).double()
    expected = -(0.8 * logs[torch.arange(5), labels] + 0.2 * logs.mean(1)).mean()
    update = kind(
        config,
        network,
        config.optimizer.build([value.tensor for value in network.parameters]),
        precision="float32",
    )
    assert float(update.step(images, labels, rate=0.1, t=1).loss) == pytest.approx(
        float(expected), rel=1e-5
    )


@pytest.mark.parametrize("kind", [AutogradUpdate, HandwrittenUpdate])
def test_clipped_probabilities_pull_at_nothing(
    kind: type[AutogradUpdate | HandwrittenUpdate],
) -> None:
    """An image whose class has a probability below the clip costs its logarithm and changes no weight, as in Keras 2."""
    config = RunConfig(layers=(specs.Flatten(), OUTPUT), optimizer=SGD(), probability_clip=1e-7)
    network = Network(config, CPU, torch.Generator())
    kernel, bias = (value.tensor for value in network.parameters)
    with torch.no_grad():
        kernel.zero_()
        bias.copy_(torch.tensor([30.0] + [0.0] * 9))
    update = kind(config, network, config.optimizer.build([kernel, bias]), precision="float32")
    measured = update.step(torch.ones(2, 784), torch.tensor([5, 5]), rate=1.0, t=1)
    assert float(measured.loss) == pytest.approx(-math.log(1e-7), rel=1e-5)
    assert float(kernel.detach().abs().max()) == 0
    assert bias.tolist() == [30.0] + [0.0] * 9
