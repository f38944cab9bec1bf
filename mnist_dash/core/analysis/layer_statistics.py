"""What a network has learned, layer by layer, in numbers: its kernels, and the units that never answer. no torch."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mnist_dash.core.analysis.predictor import BATCH, Images, Predictor, Values
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.export.onnx_model import Weights

N_BINS = 61
QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
"""Where a `Spread` is read; the first and the last are the least and the greatest value."""
N_SAMPLED = 16_384
"""Values that the other figures of a `Spread` are computed from, at most, drawn evenly."""
WIDEST_SHARE = 0.999
"""Histograms of weights reach as far as this share of them; the rest is counted in the outermost bins."""


@dataclass(frozen=True)
class Kernel:
    """The trained kernel and bias of one layer."""

    index: int
    """The layer's index in the configuration."""
    name: str
    """As the plan names it, such as ``conv_1``."""
    weights: Values
    """``(filters, channels, rows, columns)`` or ``(units, inputs)``."""
    bias: Values
    """``(filters,)`` or ``(units,)``."""


@dataclass(frozen=True)
class Summary:
    """A few figures of many values."""

    n: int
    mean: float
    std: float
    low: float
    high: float
    norm: float
    """Square root of the sum of squares."""


@dataclass(frozen=True)
class Spread:
    """How many values lie where."""

    mean: float
    std: float
    quantiles: tuple[float, ...]
    """At `QUANTILES`."""


@dataclass(frozen=True)
class LayerMeasurement:
    """One layer after one epoch."""

    weights: Spread | None
    """Of its kernel; None where it has none."""
    activations: Spread
    """Of its output, that of the last layer before the softmax."""
    dead: float | None
    """Share of its units that are zero for every image asked, in [0, 1]; None where it does not end in ReLU."""


@dataclass(frozen=True)
class Histograms:
    """Distributions over the same bins."""

    centers: npt.NDArray[np.float64]
    """``(N_BINS,)``, the middle of each bin."""
    shares: dict[str, npt.NDArray[np.float64]]
    """Name -> ``(N_BINS,)``, the share of the values in each bin; each adds up to 1."""


def kernels(config: RunConfig, weights: Weights) -> tuple[Kernel, ...]:
    """Find the kernels of all layers that have one, convolutions and dense layers, input side first.

    Weights are float32: ``(filters, channels, rows, columns)`` or ``(units, inputs)``, biases ``(filters,)`` or ``(units,)``.

    Raises:
        ValueError: the weights are not those of this network.
    """
    found: list[Kernel] = []
    for layer, planned, module in zip(
        config.layers, config.plan, config.module_numbers, strict=True
    ):
        if layer.kernel_name is not None:
            values, bias = (
                weights.get(f"{module}.{layer.kernel_name}"),
                weights.get(f"{module}.bias"),
            )
            if values is None or bias is None or values.size + bias.size != planned.n_parameters:
                raise ValueError(
                    f"The weights do not fit {planned.name}, which has {planned.n_parameters:,} values. Use those of the same run."
                )
            found.append(Kernel(planned.index, planned.name, values, bias))
    return tuple(found)


def summarise(values: Values) -> Summary:
    """Compute a few figures of an array of any shape; NaN where it has no values."""
    flat = values.ravel().astype(np.float64)
    if not flat.size:
        return Summary(0, np.nan, np.nan, np.nan, np.nan, 0.0)
    low, high = float(flat.min()), float(flat.max())
    return Summary(
        flat.size, float(flat.mean()), float(flat.std()), low, high, float(np.linalg.norm(flat))
    )


def histograms(named: Mapping[str, Values]) -> Histograms:
    """Count values over common bins that lie evenly around zero and hold nearly all of every array.

    Arrays may be of any shape, float32.
    """
    widest = (
        max(
            (
                float(np.quantile(np.abs(values), WIDEST_SHARE))
                for values in named.values()
                if values.size
            ),
            default=0.0,
        )
        or 1.0
    )
    edges = np.linspace(-widest, widest, N_BINS + 1)
    shares = {}
    for name, values in named.items():
        counts, _ = np.histogram(np.clip(values, -widest, widest), edges)
        shares[name] = counts / max(values.size, 1)
    return Histograms((edges[:-1] + edges[1:]) / 2, shares)


def relu_layers(config: RunConfig) -> tuple[int, ...]:
    """Find the layers that end in ReLU, the activation whose units can die, by their index."""
    return tuple(index for index, layer in enumerate(config.layers) if layer.ends_in_relu)


def dead_units(
    config: RunConfig, predictor: Predictor, images: Images
) -> dict[int, npt.NDArray[np.bool_]]:
    """Find the units that are zero for every image, and the filters that are zero everywhere in every image.

    A unit whose input to ReLU is negative for all of the training data has no gradient any more and stays as it is. Here fewer images are
    asked, so that a unit that answers rarely may be counted too.

    Args:
        config: names the layers.
        predictor: the trained network.
        images: ``(B, 28, 28)``, grey values 0 to 255.

    Returns:
        Index of each layer that ends in ReLU -> ``(units,)`` or ``(filters,)``, True where dead.
    """
    wanted = relu_layers(config)
    dead = {index: np.ones(config.plan[index].output_shape[-1], dtype=np.bool_) for index in wanted}
    for start in range(0, len(images), BATCH):
        if not any(units.any() for units in dead.values()):
            break  # every unit has answered already
        outputs = predictor.activations(images[start : start + BATCH])
        for index in wanted:
            units = outputs[index].reshape(-1, len(dead[index]))
            dead[index][(units > 0).any(0)] = False
    return dead


def order_by_norm(rows: Sequence[Values] | Values) -> npt.NDArray[np.intp]:
    """Order filters or units by the norm of their weights, the greatest first; equal ones stay in order.

    Rows ``(N, ...)`` float32 -> their indices ``(N,)``.
    """
    flat = np.asarray(rows).reshape(len(rows), -1)
    return np.argsort(-np.linalg.norm(flat, axis=1), kind="stable")


def spread(values: Values) -> Spread:
    """Compute where the values of an array of any shape lie: its ends of all of them, the rest of `N_SAMPLED` drawn evenly."""
    flat = values.ravel()
    sample = flat if flat.size <= N_SAMPLED else flat[_places(flat.size)]
    return spread_of(sample, float(flat.min()), float(flat.max()))


def spread_of(sample: Values, low: float, high: float) -> Spread:
    """Compute where values lie from an even sample of them, ``(n,)``, and their ends."""
    with np.errstate(all="ignore"):  # a network that is about to diverge
        inner = np.quantile(sample, QUANTILES[1:-1])
        return Spread(
            float(sample.mean()),
            float(sample.std()),
            (low, *(float(value) for value in inner), high),
        )


@functools.lru_cache(maxsize=64)
def _places(n: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng(0).integers(0, n, N_SAMPLED)


def pack(measured: Mapping[str, LayerMeasurement]) -> str:
    """Write the layers' measurements as JSON, four digits each."""
    return json.dumps(
        {name: _packed(layer) for name, layer in measured.items()}, separators=(",", ":")
    )


def unpack(text: str) -> dict[str, LayerMeasurement]:
    """Read what `pack` wrote; a value that was not finite is NaN."""
    return {
        name: LayerMeasurement(
            _spread(layer["weights"]) if layer["weights"] else None,
            _spread(layer["activations"]),
            layer["dead"],
        )
        for name, layer in json.loads(text).items()
    }


def _packed(layer: LayerMeasurement) -> dict[str, object]:
    return {
        "weights": None if layer.weights is None else _numbers(layer.weights),
        "activations": _numbers(layer.activations),
        "dead": layer.dead,
    }


def _numbers(found: Spread) -> list[float | None]:
    return [
        float(f"{value:.4g}") if math.isfinite(value) else None
        for value in (found.mean, found.std, *found.quantiles)
    ]


def _spread(numbers: Sequence[float | None]) -> Spread:
    mean, std, *quantiles = (math.nan if number is None else number for number in numbers)
    return Spread(mean, std, tuple(quantiles))
