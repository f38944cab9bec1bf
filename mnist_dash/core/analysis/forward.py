"""The forward pass of a trained network in numpy, from stored weights: for pages, which do not load torch.

Values are float32 and channels-last, ``(B, height, width, channels)`` or ``(B, features)``; what comes out equals the plain torch network
to rounding. Convolutions are matrix products over windows (im2col: Chellapilla et al., 2006).
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mnist_dash.core import layers as specs
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.data.hog import hog
from mnist_dash.core.data.idx import read_images, read_labels
from mnist_dash.core.data.splits import training_indices
from mnist_dash.core.layers import Shape
from mnist_dash.core.scalings import SCALINGS

Values = npt.NDArray[np.float32]
Images = npt.NDArray[np.uint8] | Values
Weights = Mapping[str, npt.NDArray[np.float32]]
Scale = Callable[[Images], Values]
Operation = Callable[[Values], Values]
BATCH = 100
"""Images that go through the network together: the windows of a convolution are many times its input."""


def activations(config: RunConfig, weights: Weights, images: Images, scale: Scale) -> list[Values]:
    """Compute the output of every layer, its activation included; dropout is off, batch normalisation uses its running statistics.

    All of them are kept: ask for a few hundred images at most, and use `layer_output` for more.

    Args:
        config: names the layers.
        weights: as exported, named and laid out as the plain torch network has them.
        images: ``(B, 28, 28)``, grey values 0 to 255, 0 is background.
        scale: from `numpy_scaling` or `fitted_scaling`.

    Returns:
        One array a layer, channels-last; the last holds the probabilities, ``(B, 10)``. Behind a flatten of several channels the features
        are in the plain network's order: channels outside, columns inside.

    Raises:
        ValueError: the weights are not those of this network.
    """
    operations = _operations(config, weights)
    batches = [list(_outputs(operations, batch)) for batch in _batches(config, images, scale)]
    return [np.concatenate(parts) for parts in zip(*batches, strict=True)]


def layer_output(config: RunConfig, weights: Weights, images: Images, scale: Scale, *, layer: int) -> Values:
    """Compute the output of one layer alone, for any number of images; see `activations`.

    Args:
        config: names the layers.
        weights: as exported.
        images: ``(B, 28, 28)``, grey values 0 to 255.
        scale: from `numpy_scaling` or `fitted_scaling`.
        layer: the layer's index; -1 is the last.

    Raises:
        ValueError: the weights are not those of this network.
        IndexError: there is no such layer.
    """
    operations = _operations(config, weights)
    wanted = operations[: range(len(operations))[layer] + 1]
    return np.concatenate([functools.reduce(lambda values, run: run(values), wanted, batch) for batch in _batches(config, images, scale)])


def probabilities(config: RunConfig, weights: Weights, images: Images, scale: Scale) -> Values:
    """Compute the probabilities of the classes, ``(B, 10)``, for any number of images; arguments and errors as for `layer_output`."""
    return layer_output(config, weights, images, scale, layer=-1)


def numpy_scaling(config: RunConfig, train_images: npt.NDArray[np.uint8], train_labels: npt.NDArray[np.int64] | None = None) -> Scale:
    """Fit a configuration's scaling as training does: to the training part of the archive.

    Args:
        config: names the scaling and the split.
        train_images: the whole training archive, ``(N, 28, 28)``.
        train_labels: ``(N,)``; only needed for a stratified split.

    Returns:
        A function from ``(B, 28, 28)`` grey values, 0 to 255, to what the network takes: scaled float32 of the same shape, or features
        ``(B, features)``.
    """
    if config.features == "hog":
        return lambda images: hog(np.rint(images).astype(np.uint8))
    if config.scaling == "unit":
        return lambda images: images.astype(np.float32) / np.float32(255)
    subtracted, factor = SCALINGS[config.scaling]().fit_values(_training_part(config, train_images, train_labels))
    return lambda images: (images.astype(np.float32) - subtracted) * factor


def scaling_values(config: RunConfig, data_dir: Path) -> tuple[Values, Values]:
    """Give a configuration's fitted scaling as numbers: what is subtracted from a grey value, and what the rest is multiplied by.

    Returns:
        Two arrays, of no axes or ``(28, 28)``; 0 and 1 where the network takes features, which are not scaled.

    Raises:
        DataError: the data set is missing or damaged.
    """
    if config.features != "pixels":
        return np.asarray(0, np.float32), np.asarray(1, np.float32)
    scaling = SCALINGS[config.scaling]()
    if not scaling.needs_data:
        return scaling.fit_values(np.empty((0, 28, 28), np.uint8))
    labels = read_labels(config.dataset, "train", data_dir) if config.split.kind == "stratified" else None
    return scaling.fit_values(_training_part(config, read_images(config.dataset, "train", data_dir), labels))


def _training_part(config: RunConfig, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64] | None) -> npt.NDArray[np.uint8]:
    chosen = training_indices(config, labels)
    return images if chosen is None else images[chosen]


def fitted_scaling(config: RunConfig, data_dir: Path) -> Scale:
    """Fit a configuration's scaling to its data set, once a process; reads nothing where the scaling needs no data.

    Raises:
        DataError: the data set is missing or damaged.
    """
    if config.scaling == "unit":
        return numpy_scaling(config, np.empty((0, 28, 28), np.uint8))
    fields = {"dataset": config.dataset, "split": config.split, "scaling": config.scaling}
    return _fitted(RunConfig(**fields, batch_size=1), data_dir)


@functools.lru_cache(maxsize=32)
def _fitted(config: RunConfig, data_dir: Path) -> Scale:
    labels = read_labels(config.dataset, "train", data_dir) if config.split.kind == "stratified" else None
    return numpy_scaling(config, read_images(config.dataset, "train", data_dir), labels)


def _batches(config: RunConfig, images: Images, scale: Scale) -> Iterator[Values]:
    for start in range(0, max(len(images), 1), BATCH):
        batch = images[start : start + BATCH]
        yield scale(batch).reshape(len(batch), *config.input_shape)


def _outputs(operations: list[Operation], values: Values) -> Iterator[Values]:
    for run in operations:
        values = run(values)
        yield values


def _operations(config: RunConfig, weights: Weights) -> list[Operation]:
    """Make one function a layer, activation included."""
    layers = zip(config.layers, config.plan, config.module_numbers, strict=True)
    try:
        return [_operation(layer, planned.input_shape, weights, module) for layer, planned, module in layers]
    except KeyError as error:
        raise ValueError(
            f"The weights hold a tensor for every layer of the configuration; got none named {error}. Use those of the same run."
        ) from error


def _operation(layer: specs.Layer, shape: Shape, weights: Weights, module: int) -> Operation:
    match layer:
        case specs.Conv():
            return _conv(layer, shape, weights, module)
        case specs.Dense():
            kernel, bias = _kernel_and_bias(weights, module, (layer.units, *shape))
            activate = _ACTIVATIONS[layer.activation]
            return lambda values: activate(values @ kernel.T + bias)
        case specs.MaxPool():
            return lambda values: functools.reduce(np.maximum, _shifted(values, layer.size, layer.stride or layer.size))
        case specs.AvgPool():
            share = np.float32(1 / layer.size**2)
            return lambda values: functools.reduce(np.add, _shifted(values, layer.size, layer.stride or layer.size)) * share
        case specs.BatchNorm():
            return _batch_norm(layer, weights, module)
        case specs.ActivationLayer():
            return _ACTIVATIONS[layer.activation]
        case specs.Flatten():
            return lambda values: (values.transpose(0, 3, 1, 2) if values.ndim == 4 else values).reshape(len(values), math.prod(shape))
        case specs.Dropout():
            return lambda values: values
        case _:
            raise NotImplementedError(layer.kind)


def _conv(layer: specs.Conv, shape: Shape, weights: Weights, module: int) -> Operation:
    before, after = layer.zeros_around(shape)
    kernel, bias = _kernel_and_bias(weights, module, (layer.filters, shape[2], layer.kernel, layer.kernel))
    matrix = kernel.transpose(2, 3, 1, 0).reshape(-1, layer.filters)  # window row, window column, channel -> filter
    activate = _ACTIVATIONS[layer.activation]

    def convolve(values: Values) -> Values:
        padded = np.pad(values, ((0, 0), (before, after), (before, after), (0, 0))) if before or after else values
        windows = np.lib.stride_tricks.sliding_window_view(padded, (layer.kernel, layer.kernel), (1, 2))
        windows = windows[:, :: layer.stride, :: layer.stride].transpose(0, 1, 2, 4, 5, 3)
        rows = windows.reshape(-1, len(matrix)) @ matrix
        rows += bias
        return activate(rows.reshape(*windows.shape[:3], layer.filters))

    return convolve


def _shifted(values: Values, size: int, stride: int) -> Iterator[Values]:
    """Give, for each place in a pooling window, the values that stand there in all windows."""
    height, width = ((side - size) // stride * stride + 1 for side in values.shape[1:3])
    for row, column in itertools.product(range(size), repeat=2):
        yield values[:, row : row + height : stride, column : column + width : stride]


def _batch_norm(layer: specs.BatchNorm, weights: Weights, module: int) -> Operation:
    scale, shift, mean, variance = (weights[f"{module}.{name}"] for name in ("weight", "bias", "running_mean", "running_var"))
    factor = scale / np.sqrt(variance + np.float32(layer.epsilon))
    offset = shift - mean * factor
    return lambda values: values * factor + offset


def _kernel_and_bias(weights: Weights, module: int, shape: tuple[int, ...]) -> tuple[Values, Values]:
    kernel, bias = weights[f"{module}.weight"], weights[f"{module}.bias"]
    if kernel.shape != shape:
        raise ValueError(f"The kernel {module}.weight has the shape {shape}; got {kernel.shape}. Use the weights of the same run.")
    return kernel, bias


def _softmax(values: Values) -> Values:
    powers: Values = np.exp(values - values.max(-1, keepdims=True))
    total: Values = powers.sum(-1, keepdims=True)
    return powers / total


def _sigmoid(values: Values) -> Values:
    half: Values = np.tanh(np.float32(0.5) * values)
    return (half + np.float32(1)) * np.float32(0.5)


def _elu(values: Values) -> Values:
    return np.where(values > 0, values, np.expm1(np.minimum(values, 0)))


def _gelu(values: Values) -> Values:
    """Compute x times the normal distribution function, by formula 7.1.26 of Abramowitz and Stegun (1964): within 2e-7 times x."""
    scaled = np.abs(values) * np.float32(math.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * scaled)
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    error_function = np.copysign(1 - series * np.exp(-scaled * scaled), values)
    product: Values = (0.5 * values * (1 + error_function)).astype(np.float32)
    return product


_ACTIVATIONS: dict[str, Operation] = {
    "linear": lambda values: values,
    "relu": lambda values: np.maximum(values, 0),
    "elu": _elu,
    "gelu": _gelu,
    "silu": lambda values: values * _sigmoid(values),
    "leaky_relu": lambda values: np.where(values > 0, values, np.float32(0.01) * values),
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "softmax": _softmax,
}
