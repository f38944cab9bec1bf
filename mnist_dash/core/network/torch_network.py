"""Layer specifications -> the plain torch network that everyone knows, and the same network laid out for training.

`build_sequential` gives the standard form: an `nn.Sequential` that takes ``(N, 1, 28, 28)`` and returns logits ``(N, 10)``; the last
layer's softmax belongs to whoever wants probabilities. Exported weights are its `state_dict`.

`Network` computes the same function faster: images are channels-last in memory, maximum pooling comes before an activation that rises
(the two commute), and flattening keeps the channels-last order, for which the kernel behind it is permuted when weights are loaded and
exported.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from mnist_dash.core.config import layers as specs
from mnist_dash.core.config.layers import Shape
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.config.seeds import stream_seed
from mnist_dash.core.network.dropout import Dropout
from mnist_dash.core.network.initialisers import fill

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "leaky_relu": nn.LeakyReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}
_IN_PLACE: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu_,
    "elu": functional.elu_,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "leaky_relu": functional.leaky_relu_,
    "tanh": torch.tanh_,
    "sigmoid": torch.sigmoid_,
}
"""For use on what nothing else needs for its gradient: the output of a convolution, a dense layer or a pooling behind them."""
_OUT_OF_PLACE: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "elu": functional.elu,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "leaky_relu": functional.leaky_relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}
_RISING = ("linear", "relu", "elu", "leaky_relu", "tanh", "sigmoid")
"""Activations that never fall, so that the maximum of a window may be taken before them."""


def build_sequential(config: RunConfig) -> nn.Sequential:
    """Build a configuration's network as plain torch modules, initialised by its seed.

    Returns:
        A network from ``(N, 1, 28, 28)`` float32 to logits ``(N, 10)``.
    """
    generator = torch.Generator().manual_seed(stream_seed(config.seed, "weights", 0))
    modules: list[nn.Module] = []
    for layer, planned in zip(config.layers, config.plan, strict=True):
        modules += _modules(layer, planned.input_shape, generator)
    return nn.Sequential(*modules)


def _modules(layer: specs.Layer, shape: Shape, generator: torch.Generator) -> list[nn.Module]:
    """Make one layer's modules: padding where torch's own cannot be used, the layer, its activation."""
    match layer:
        case specs.Conv():
            before, after = specs.same_padding(shape[0], layer) if layer.padding == "same" else (0, 0)
            even = before == after
            conv = nn.Conv2d(shape[2], layer.filters, layer.kernel, layer.stride, before if even else 0)
            _fill_module(conv, layer, generator)
            padding = [] if even else [nn.ZeroPad2d((before, after, before, after))]
            return [*padding, conv, *_activation(layer.activation)]
        case specs.Dense():
            dense = nn.Linear(shape[0], layer.units)
            _fill_module(dense, layer, generator)
            return [dense, *_activation(layer.activation)]
        case specs.MaxPool():
            return [nn.MaxPool2d(layer.size, layer.stride)]
        case specs.AvgPool():
            return [nn.AvgPool2d(layer.size, layer.stride)]
        case specs.Dropout():
            return [nn.Dropout(layer.rate)]
        case specs.BatchNorm():
            kind = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
            return [kind(shape[-1], eps=layer.epsilon, momentum=1 - layer.momentum)]
        case specs.ActivationLayer():
            return _activation(layer.activation)
        case specs.Flatten():
            return [nn.Flatten()]


def _fill_module(module: nn.Conv2d | nn.Linear, layer: specs.Conv | specs.Dense, generator: torch.Generator) -> None:
    assert module.bias is not None
    fill(module.weight, layer.kernel_init, generator=generator)
    fill(module.bias, layer.bias_init, generator=generator)


def _activation(name: str) -> list[nn.Module]:
    return [ACTIVATIONS[name]()] if name in ACTIVATIONS else []


class Value(NamedTuple):
    """One trained or running tensor of a network."""

    name: str
    """Its name in the plain network's `state_dict`."""
    tensor: Tensor
    order: Tensor | None
    """Where the last axis of a `(…, features)` tensor is permuted: position in training -> position in the plain network."""
    l2: float


class Step(NamedTuple):
    """One operation of the forward pass, and the layer that it ends; `run` takes the input and whether this is training."""

    layer: int
    run: Callable[[Tensor, bool], Tensor]


class Network:
    """A configuration's network, laid out for training on one device.

    Args:
        config: names the layers and the seed.
        device: where its parameters lie.
        dropout_generator: the source of dropout's draws, on `device`.
    """

    def __init__(self, config: RunConfig, device: torch.device, dropout_generator: torch.Generator) -> None:
        self.layers = config.layers
        self._input_shape = config.input_shape
        self.is_convolutional = any(isinstance(layer, specs.Conv) for layer in config.layers)
        self.parameters: list[Value] = []
        self.buffers: list[Value] = []
        self._steps: list[Step] = []
        self._device = device
        self.dropout_generator = dropout_generator
        self._order: Tensor | None = None
        names = itertools.count()
        plans = config.plan
        for index, (layer, planned) in enumerate(zip(config.layers, plans, strict=True)):
            self._add(index, layer, planned.input_shape, names)
        self._steps = _pool_first(self._steps, config.layers)
        self.load({name: tensor.detach() for name, tensor in build_sequential(config).state_dict().items()})

    def arrange(self, inputs: Tensor) -> Tensor:
        """Turn scaled inputs, ``(B, 784)`` or ``(B, features)``, into what the first layer takes: images channels first, or themselves."""
        # With one channel the strides alone say channels-last, and torch keeps to them from here on.
        return inputs.view(-1, *self._input_shape).permute(0, 3, 1, 2) if len(self._input_shape) == 3 else inputs

    def logits(self, inputs: Tensor, *, training: bool) -> Tensor:
        """Compute ``(B, 10)`` from scaled inputs, see `arrange`; dropout and batch statistics only when `training`."""
        values = self.arrange(inputs)
        for step in self._steps:
            values = step.run(values, training)
        return values

    def penalty(self) -> Tensor | None:
        """Add up ``l2 * sum(kernel ** 2)`` of every regularised kernel; None where there is none."""
        terms = [value.l2 * torch.sum(value.tensor.detach() ** 2) for value in self.parameters if value.l2]
        return torch.stack(terms).sum() if terms else None

    def export(self) -> dict[str, Tensor]:
        """Copy all values into the plain network's layout, on the CPU; ready for `load_state_dict` of `build_sequential`."""
        exported: dict[str, Tensor] = {}
        for name, tensor, order, _ in [*self.parameters, *self.buffers]:
            plain = tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
            if order is not None:
                plain[..., order] = tensor.detach().cpu()
            exported[name] = plain
            if name.endswith(".running_var"):
                exported[name.replace("running_var", "num_batches_tracked")] = torch.tensor(0)
        return exported

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Take values in the plain network's layout; the counterpart of `export`."""
        with torch.no_grad():
            for name, tensor, order, _ in [*self.parameters, *self.buffers]:
                tensor.copy_(weights[name] if order is None else weights[name][..., order])

    def _add(self, index: int, layer: specs.Layer, shape: Shape, names: itertools.count[int]) -> None:
        """Add one layer's values and operations; `names` counts the modules of the plain network."""
        match layer:
            case specs.Conv():
                self._add_conv(index, layer, shape, names)
            case specs.Dense():
                kernel, bias = self._values(next(names), (layer.units, shape[0]), l2=layer.l2)
                self._order = None
                self._steps.append(Step(index, lambda x, _: functional.linear(x, kernel, bias)))
                self._add_activation(index, layer.activation, names)
            case specs.MaxPool() | specs.AvgPool():
                next(names)
                size, stride = layer.size, layer.stride or layer.size
                pool = functional.max_pool2d if isinstance(layer, specs.MaxPool) else functional.avg_pool2d
                self._steps.append(Step(index, lambda x, _: pool(x, size, stride)))
            case specs.Dropout():
                next(names)
                dropout = Dropout(layer.rate, self.dropout_generator)
                self._steps.append(Step(index, lambda x, training: dropout(x) if training else x))
            case specs.BatchNorm():
                self._add_batch_norm(index, layer, shape, names)
            case specs.ActivationLayer():
                self._add_activation(index, layer.activation, names)
            case specs.Flatten():
                next(names)
                if len(shape) == 3:
                    height, width, channels = shape
                    order = torch.arange(math.prod(shape)).view(channels, height, width).permute(1, 2, 0).flatten()
                    self._order = order if channels > 1 and height * width > 1 else None
                self._steps.append(Step(index, _flatten))

    def _values(self, module: int, shape: tuple[int, ...], *, l2: float) -> tuple[Tensor, Tensor]:
        """Make a kernel and its bias, zero as yet."""
        kernel = torch.zeros(shape, device=self._device)
        if len(shape) == 4:
            kernel = kernel.contiguous(memory_format=torch.channels_last)
        bias = torch.zeros(shape[0], device=self._device)
        self.parameters += [
            Value(f"{module}.weight", kernel.requires_grad_(), self._order if len(shape) == 2 else None, l2),
            Value(f"{module}.bias", bias.requires_grad_(), None, 0.0),
        ]
        return kernel, bias

    def _add_conv(self, index: int, layer: specs.Conv, shape: Shape, names: itertools.count[int]) -> None:
        before, after = specs.same_padding(shape[0], layer) if layer.padding == "same" else (0, 0)
        stride, padding = layer.stride, before if before == after else 0
        if before != after:
            next(names)
            self._steps.append(Step(index, lambda x, _: functional.pad(x, (before, after, before, after))))
        kernel, bias = self._values(next(names), (layer.filters, shape[2], layer.kernel, layer.kernel), l2=layer.l2)
        self._steps.append(Step(index, lambda x, _: functional.conv2d(x, kernel, bias, stride, padding)))
        self._add_activation(index, layer.activation, names)

    def _add_batch_norm(self, index: int, layer: specs.BatchNorm, shape: Shape, names: itertools.count[int]) -> None:
        name, order = next(names), self._order
        scale, shift = torch.ones(shape[-1], device=self._device), torch.zeros(shape[-1], device=self._device)
        mean, variance = torch.zeros_like(shift), torch.ones_like(scale)
        self.parameters += [
            Value(f"{name}.weight", scale.requires_grad_(), order, 0.0),
            Value(f"{name}.bias", shift.requires_grad_(), order, 0.0),
        ]
        self.buffers += [Value(f"{name}.running_mean", mean, order, 0.0), Value(f"{name}.running_var", variance, order, 0.0)]
        momentum, epsilon = 1 - layer.momentum, layer.epsilon

        def normalise(x: Tensor, training: bool) -> Tensor:  # noqa: FBT001 - the signature of every step
            return functional.batch_norm(x, mean, variance, scale, shift, training, momentum, epsilon)

        self._steps.append(Step(index, normalise))

    def _add_activation(self, index: int, name: str, names: itertools.count[int]) -> None:
        if name in ACTIVATIONS:
            next(names)
            activate = _OUT_OF_PLACE[name] if isinstance(self.layers[index], specs.ActivationLayer) else _IN_PLACE[name]
            self._steps.append(Step(index, lambda x, _: activate(x)))


def _flatten(x: Tensor, _training: bool) -> Tensor:  # noqa: FBT001 - the signature of every step
    return x.permute(0, 2, 3, 1).flatten(1) if x.dim() == 4 else x


def _pool_first(steps: list[Step], layers: tuple[specs.Layer, ...]) -> list[Step]:
    """Move each maximum pooling before the rising activation in front of it: fewer values to activate."""
    ordered = list(steps)
    for position in range(1, len(ordered)):
        layer, before = layers[ordered[position].layer], layers[ordered[position - 1].layer]
        rising = isinstance(before, specs.Conv | specs.ActivationLayer) and before.activation in _RISING and before.activation != "linear"
        if isinstance(layer, specs.MaxPool) and rising:
            ordered[position - 1], ordered[position] = ordered[position], ordered[position - 1]
    return ordered
