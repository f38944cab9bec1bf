"""Ready configurations: a quick one to begin with, and published experiments as their reports describe them.

The reports were written for Keras 2, whose defaults a faithful preset spells out: kernels from `GlorotUniform`, biases of zero, Adam and
Adadelta with an epsilon of 1e-7, a validation split that is the last part of the archive. Where a report flattens its images before the
network, the network here begins with `Flatten`. Precision is float32 wherever a published number is compared.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mnist_dash.core.config import SGD, Adadelta, Adam, RandomSplit, RunConfig, TailSplit, TestAsValidation
from mnist_dash.core.layers import Constant, Conv, Dense, Dropout, Flatten, GlorotUniform, Layer, MaxPool, TruncatedNormal, Zeros
from mnist_dash.errors import UnknownPreset

PublishedValue = float | int | str | tuple[float, ...]


@dataclass(frozen=True)
class Preset:
    """A configuration with a name, and the numbers that its report printed."""

    name: str
    """How the command line and links name it, such as ``mlp_512_256``."""
    title: str
    """One line a person recognises the experiment by."""
    summary: str
    """What it is good for, in a sentence or two."""
    config: RunConfig
    """Everything that decides the result."""
    published: Mapping[str, PublishedValue] | None = None
    """The report's own numbers: fractions for accuracies, nats for losses, seconds for times; None when nothing was published.

    A tuple is a history by epoch. ``..._first_last`` are the first and the last epoch, ``seconds_per_epoch`` the least and the most.
    """


_SOFTMAX = Dense(units=10, activation="softmax", kernel_init=GlorotUniform(), bias_init=Zeros())
_NARROW = TruncatedNormal(std=0.01)
_SMALL_POSITIVE = Constant(value=0.1)
_ADAM_EPSILON_8 = Adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-8)


def _dense(units: int) -> Dense:
    return Dense(units=units, activation="relu", kernel_init=GlorotUniform(), bias_init=Zeros())


def _conv(filters: int, kernel: int, *, same: bool) -> Conv:
    return Conv(filters=filters, kernel=kernel, padding="same" if same else "valid", activation="relu")


def _narrow_dense(units: int) -> Dense:
    return Dense(units=units, activation="relu", kernel_init=_NARROW, bias_init=_SMALL_POSITIVE)


def _narrow_conv(filters: int) -> Conv:
    return Conv(filters=filters, kernel=5, padding="same", activation="relu", kernel_init=_NARROW, bias_init=_SMALL_POSITIVE)


def _mlp_quick() -> Preset:
    return Preset(
        name="mlp_quick",
        title="First look: 512-256 ReLU network",
        summary="Trains in seconds on any computer and reaches about 98 %. The one to press Train on.",
        config=RunConfig(),
    )


def _mlp_512_256() -> Preset:
    layers: tuple[Layer, ...] = (Flatten(), _dense(512), _dense(256), _SOFTMAX)
    return Preset(
        name="mlp_512_256",
        title="512-256 ReLU network, Adam",
        summary="Two hidden layers on pixels scaled by their own minimum and maximum; 30 % of the training images validate.",
        config=RunConfig(
            layers=layers,
            split=RandomSplit(fraction=0.3),
            scaling="minmax",
            optimizer=Adam(),
            batch_size=512,
            epochs=50,
        ),
        published=_published(source="002_dd98726ad56dbca4.txt", test_loss=0.0977, test_accuracy=0.9805, seconds_per_epoch=(3.0, 3.0)),
    )


def _cnn_32_64_adadelta() -> Preset:
    layers: tuple[Layer, ...] = (
        _conv(32, 3, same=False),
        _conv(64, 3, same=False),
        MaxPool(size=2),
        Dropout(rate=0.25),
        Flatten(),
        _dense(128),
        Dropout(rate=0.5),
        _SOFTMAX,
    )
    return Preset(
        name="cnn_32_64_adadelta",
        title="Two 3x3 convolutions, pooling, dropout (Adadelta)",
        summary="The classic small convolutional network; slow by design of its report, three epochs are enough.",
        config=RunConfig(layers=layers, split=TailSplit(fraction=0.3), optimizer=Adadelta(), batch_size=256, epochs=3),
        published=_published(
            source="001_27fa97532926dfbe.txt",
            train_loss=(0.4280, 0.1306, 0.0941),
            train_accuracy=(0.8660, 0.9605, 0.9714),
            val_loss=(0.1187, 0.0901, 0.0641),
            val_accuracy=(0.9652, 0.9714, 0.9823),
            score_on_training_set_loss=0.0494,
            score_on_training_set_accuracy=0.98538,
            test_accuracy=0.9850,
            test_accuracy_note="measured after ten more epochs of the report's two sweeps",
            seconds_per_epoch=(79.0, 93.0),
        ),
    )


def _cnn_32_64_5x5() -> Preset:
    layers: tuple[Layer, ...] = (_narrow_conv(32), MaxPool(size=2), _narrow_conv(64), MaxPool(size=2), Flatten(), _SOFTMAX)
    return Preset(
        name="cnn_32_64_5x5",
        title="Two 5x5 convolutions and one dense layer",
        summary="The most accurate of the ready networks: above 98 % after two epochs, 99 % after a few more. Validates on the test set.",
        config=RunConfig(layers=layers, split=TestAsValidation(), optimizer=_ADAM_EPSILON_8, batch_size=100, epochs=34),
        published=_published(
            source="003_ee605c3ae73e91a4.txt",
            val_accuracy_epoch_3=0.9855,
            val_accuracy_last=0.9917,
            train_accuracy_last=0.9992,
            test_accuracy=0.992,
            seconds_per_epoch=(79.0, 85.0),
        ),
    )


def _cnn_9_9_16() -> Preset:
    layers: tuple[Layer, ...] = (
        _conv(9, 5, same=True),
        MaxPool(size=2),
        _conv(9, 5, same=True),
        MaxPool(size=2),
        _conv(16, 3, same=True),
        MaxPool(size=2),
        Flatten(),
        _dense(300),
        Dropout(rate=0.4),
        _dense(30),
        Dropout(rate=0.4),
        _SOFTMAX,
    )
    return Preset(
        name="cnn_9_9_16",
        title="Small CNN 9-9-16",
        summary="Three thin convolutions, 56,420 parameters: 99 % with a tenth of the weights. Validates on the test set.",
        config=RunConfig(layers=layers, split=TestAsValidation(), optimizer=Adam(), batch_size=128, epochs=10),
        published=_published(
            source="004_39825a20372fb585.txt", test_loss=0.0336, test_accuracy=0.9904, mainly_confused="9->7, 9->4, 7->3, 6->0"
        ),
    )


def _linear_10_10() -> Preset:
    layers: tuple[Layer, ...] = (
        Flatten(),
        Dense(units=10, activation="linear", kernel_init=Zeros(), bias_init=Zeros()),
        _SOFTMAX,
    )
    return Preset(
        name="linear_10_10",
        title="Two linear layers, SGD",
        summary="How far a network without any non-linearity goes: about 92 %. At this rate most seeds diverge, the preset's does not.",
        config=RunConfig(layers=layers, split=TestAsValidation(), optimizer=SGD(learning_rate=0.5), batch_size=100, epochs=17),
        published=_published(
            source="003_ee605c3ae73e91a4.txt",
            val_accuracy=(
                *(0.8886, 0.9027, 0.9148, 0.9156, 0.9185, 0.9142, 0.9122, 0.9151, 0.9089),
                *(0.9189, 0.8951, 0.9055, 0.9188, 0.9219, 0.9174, 0.9188, 0.9159),
            ),
            train_accuracy_first_last=(0.8652, 0.9200),
            test_accuracy=0.916,
        ),
    )


def _mlp_1500x3() -> Preset:
    layers: tuple[Layer, ...] = (Flatten(), *(_narrow_dense(1500) for _ in range(3)), _SOFTMAX)
    return Preset(
        name="mlp_1500x3",
        title="Three hidden layers of 1500",
        summary="Nearly six million parameters, to see what width buys and how it overfits. Validates on the test set.",
        config=RunConfig(layers=layers, split=TestAsValidation(), optimizer=_ADAM_EPSILON_8, batch_size=100, epochs=34),
        published=_published(
            source="003_ee605c3ae73e91a4.txt",
            val_accuracy_first_last=(0.9665, 0.9842),
            train_accuracy_first_last=(0.9182, 0.9981),
            test_accuracy=0.984,
            seconds_per_epoch=(73.0, 76.0),
        ),
    )


def _published(**values: PublishedValue) -> Mapping[str, PublishedValue]:
    return MappingProxyType(values)


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        ready.name: ready
        for ready in (
            _mlp_quick(),
            _mlp_512_256(),
            _cnn_32_64_5x5(),
            _cnn_32_64_adadelta(),
            _cnn_9_9_16(),
            _linear_10_10(),
            _mlp_1500x3(),
        )
    }
)
"""All ready configurations by name, the one to begin with first."""

DEFAULT_PRESET = next(iter(PRESETS.values()))
"""What Train starts with when nothing was chosen."""


def preset(name: str) -> Preset:
    """Find a preset by its name.

    Raises:
        UnknownPreset: no preset has this name; the message offers the nearest ones.
    """
    if name in PRESETS:
        return PRESETS[name]
    near = difflib.get_close_matches(name, PRESETS, n=3, cutoff=0.4)
    remedy = f"Did you mean {' or '.join(near)}?" if near else f"Choose one of {', '.join(PRESETS)}."
    message = f"a preset has one of the known names; got {name!r}. {remedy}"
    raise UnknownPreset(message)
