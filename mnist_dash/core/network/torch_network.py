"""Layer specifications -> the plain torch network that everyone knows, and the same network laid out for training.

`build_sequential` gives the standard form: an `nn.Sequential` that takes ``(N, 1, 28, 28)`` and returns logits ``(N, 10)``; the last
layer's softmax belongs to whoever wants probabilities. Exported weights are its `state_dict`.

`Network` computes the same function faster: images are channels-last in memory, maximum pooling comes before an activation that rises
(the two commute), and flattening keeps the channels-last order, for which the kernel behind it is permuted when weights are loaded and
exported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.config.seeds import stream_seed
from mnist_dash.core.layers import Conv


def build_sequential(config: RunConfig) -> nn.Sequential:
    """Build a configuration's network as plain torch modules, initialised by its seed.

    Returns:
        A network from ``(N, 1, 28, 28)`` float32 to logits ``(N, 10)``.
    """
    generator = torch.Generator().manual_seed(stream_seed(config.seed, "weights", 0))
    modules: list[nn.Module] = []
    for layer, planned in zip(config.layers, config.plan, strict=True):
        modules += layer.modules(planned.input_shape, generator)
    return nn.Sequential(*modules)


class Value(NamedTuple):
    """One trained or running tensor of a network."""

    name: str
    """Its name in the plain network's `state_dict`."""
    tensor: Tensor
    order: Tensor | None
    """Where the last axis of a `(…, features)` tensor is permuted: position in training -> position in the plain network."""
    l2: float


class Step(NamedTuple):
    """One operation of the forward pass; `run` takes the input and whether this is training."""

    run: Callable[[Tensor, bool], Tensor]
    rises: bool
    is_maximum: bool


class _Builder:
    """Takes the layers' values and operations; see `mnist_dash.core.layers.base.NetworkBuilder`."""

    def __init__(self, device: torch.device, dropout_generator: torch.Generator) -> None:
        self.device, self.dropout_generator = device, dropout_generator
        self.order: Tensor | None = None
        self.parameters: list[Value] = []
        self.buffers: list[Value] = []
        self.steps: list[Step] = []
        self._n_modules = 0

    def module(self) -> int:
        self._n_modules += 1
        return self._n_modules - 1

    def parameter(
        self, name: str, value: Tensor, *, order: Tensor | None = None, l2: float = 0.0
    ) -> Tensor:
        self.parameters.append(Value(name, value.requires_grad_(), order, l2))
        return value

    def buffer(self, name: str, value: Tensor, *, order: Tensor | None = None) -> Tensor:
        self.buffers.append(Value(name, value, order, 0.0))
        return value

    def step(
        self,
        run: Callable[[Tensor, bool], Tensor],
        *,
        rises: bool = False,
        is_maximum: bool = False,
    ) -> None:
        self.steps.append(Step(run, rises, is_maximum))


class Network:
    """A configuration's network, laid out for training on one device.

    Args:
        config: names the layers and the seed.
        device: where its parameters lie.
        dropout_generator: the source of dropout's draws, on `device`.
    """

    def __init__(
        self, config: RunConfig, device: torch.device, dropout_generator: torch.Generator
    ) -> None:
        self.layers = config.layers
        self.dropout_generator = dropout_generator
        self._input_shape = config.input_shape
        self.is_convolutional = any(isinstance(layer, Conv) for layer in config.layers)
        builder = _Builder(device, dropout_generator)
        for layer, planned in zip(config.layers, config.plan, strict=True):
            layer.add_to(builder, planned.input_shape)
        self.parameters, self.buffers = builder.parameters, builder.buffers
        self._runs = [step.run for step in _pool_first(builder.steps)]
        self.load(
            {
                name: tensor.detach()
                for name, tensor in build_sequential(config).state_dict().items()
            }
        )

    def arrange(self, inputs: Tensor) -> Tensor:
        """Turn scaled inputs, ``(B, 784)`` or ``(B, features)``, into what the first layer takes: images channels first, or themselves."""
        # With one channel the strides alone say channels-last, and torch keeps to them from here on.
        return (
            inputs.view(-1, *self._input_shape).permute(0, 3, 1, 2)
            if len(self._input_shape) == 3
            else inputs
        )

    def logits(self, inputs: Tensor, *, training: bool) -> Tensor:
        """Compute ``(B, 10)`` from scaled inputs, see `arrange`; dropout and batch statistics only when `training`."""
        values = self.arrange(inputs)
        for run in self._runs:
            values = run(values, training)
        return values

    def penalty(self) -> Tensor | None:
        """Add up ``l2 * sum(kernel ** 2)`` of every regularised kernel; None where there is none.

        It has no axes, float32.
        """
        terms = [
            value.l2 * torch.sum(value.tensor.detach() ** 2)
            for value in self.parameters
            if value.l2
        ]
        return torch.stack(terms).sum() if terms else None

    def export(self) -> dict[str, Tensor]:
        """Copy all values into the plain network's layout, on the CPU; ready for `load_state_dict` of `build_sequential`.

        Values keep their shape, such as ``(units, inputs)``, and are float32.
        """
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
        """Take values in the plain network's layout; the counterpart of `export`.

        Values have any shape that the layers have, such as ``(units, inputs)``, float32.
        """
        with torch.no_grad():
            for name, tensor, order, _ in [*self.parameters, *self.buffers]:
                tensor.copy_(weights[name] if order is None else weights[name][..., order])


def _pool_first(steps: list[Step]) -> list[Step]:
    """Move each maximum pooling before the rising activation in front of it: fewer values to activate."""
    ordered = list(steps)
    for position in range(1, len(ordered)):
        if ordered[position].is_maximum and ordered[position - 1].rises:
            ordered[position - 1], ordered[position] = ordered[position], ordered[position - 1]
    return ordered
