"""Settings that shape a whole network: how many layers of each kind, and how wide they are.

A path into a configuration can change a layer but not add one. These words can: a network that is shaped has blocks of a convolution with
padding and a max pooling of 2, then hidden dense layers each followed by dropout where a rate is given, then the dense layer with softmax.
What is not named is taken from the configuration that the search starts from: its convolutions, its hidden dense layers, its first dropout
rate.

    conv.n_layers  conv.filters  conv.<i>.filters  conv.kernel  conv.batch_norm
    dense.n_layers  dense.units  dense.<i>.units  dense.dropout  dense.activation
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mnist_dash.core.config.run_config import N_CLASSES, RunConfig
from mnist_dash.core.layers import BatchNorm, Conv, Dense, Dropout, Flatten, MaxPool

MAX_BLOCKS = {"conv": 4, "dense": 8}
"""Layers of a kind at most; four poolings leave one pixel of 28."""
_COMMON = {
    "conv": ("n_layers", "filters", "kernel", "batch_norm"),
    "dense": ("n_layers", "units", "dropout", "activation"),
}
_PATTERN = re.compile(r"(?P<part>conv|dense)\.(?:(?P<index>\d+)\.)?(?P<leaf>\w+)$")
WORDS = (
    *(f"{part}.{leaf}" for part, leaves in _COMMON.items() for leaf in leaves),
    "conv.0.filters",
    "dense.0.units",
)
"""Examples of all settings that shape a network."""


def is_shape_setting(path: str) -> bool:
    """Say whether a path is one of these words, right or wrong, and not one into the configuration."""
    return path.split(".", maxsplit=1)[0] in _COMMON


def width_of(path: str) -> tuple[str, int] | None:
    """Read ``dense.1.units`` as the setting that counts its kind, ``dense.n_layers``, and its index; None for other settings."""
    found = _PATTERN.match(path)
    if found is None or found["index"] is None or found["leaf"] not in ("units", "filters"):
        return None
    return f"{found['part']}.n_layers", int(found["index"])


def is_known(path: str) -> bool:
    """Say whether such a setting exists."""
    found = _PATTERN.match(path)
    if found is None:
        return False
    if found["index"] is not None:
        return (
            found["leaf"] == {"conv": "filters", "dense": "units"}[found["part"]]
            and int(found["index"]) < MAX_BLOCKS[found["part"]]
        )
    return found["leaf"] in _COMMON[found["part"]]


def shaped_layers(base: RunConfig, settings: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """Build the layers, as JSON that a configuration validates.

    Args:
        base: what is not named is taken from here.
        settings: values by their words.
    """
    convs = [layer for layer in base.layers if isinstance(layer, Conv)]
    dense = [layer for layer in base.layers[:-1] if isinstance(layer, Dense)]
    rates = [layer.rate for layer in base.layers if isinstance(layer, Dropout)]
    normed = any(isinstance(layer, BatchNorm) for layer in base.layers)
    built: list[dict[str, Any]] = []
    for index in range(_count(settings, "conv.n_layers", len(convs))):
        like = (
            convs[min(index, len(convs) - 1)]
            if convs
            else Conv(filters=32, kernel=3, padding="same")
        )
        changes = {
            "filters": settings.get(
                f"conv.{index}.filters", settings.get("conv.filters", like.filters)
            ),
            "kernel": settings.get("conv.kernel", like.kernel),
            "padding": "same",
        }
        built.append(like.model_dump(mode="json") | changes)
        if settings.get("conv.batch_norm", normed):
            built.append(BatchNorm().model_dump(mode="json"))
        built.append(MaxPool().model_dump(mode="json"))
    if base.features == "pixels":
        built.append(Flatten().model_dump(mode="json"))
    rate = settings.get("dense.dropout", rates[0] if rates else 0.0)
    for index in range(_count(settings, "dense.n_layers", len(dense))):
        like_dense = dense[min(index, len(dense) - 1)] if dense else Dense(units=128)
        width = settings.get(f"dense.{index}.units", settings.get("dense.units", like_dense.units))
        activation = settings.get("dense.activation", like_dense.activation)
        built.append(
            like_dense.model_dump(mode="json") | {"units": width, "activation": activation}
        )
        if rate:
            built.append(Dropout().model_dump(mode="json") | {"rate": rate})
    last = (
        base.layers[-1]
        if isinstance(base.layers[-1], Dense)
        else Dense(units=N_CLASSES, activation="softmax")
    )
    return (*built, last.model_dump(mode="json"))


def _count(settings: Mapping[str, Any], path: str, default: int) -> int:
    """Read a number of layers; a width of one that does not exist is left to the rules of the space."""
    return int(settings.get(path, default))
