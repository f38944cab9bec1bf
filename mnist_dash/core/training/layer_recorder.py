"""Measures the layers of a network in training: its weights, what it makes of some validation images, and its dead units."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mnist_dash.core.analysis.layer_statistics import (
    N_SAMPLED,
    LayerMeasurement,
    Spread,
    relu_layers,
    spread,
    spread_of,
)
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.data.dataset import PreparedData
from mnist_dash.core.network.torch_network import build_sequential

N_IMAGES = 500
"""Validation images that go through the network for a measurement, the first ones."""
BATCH = 100
"""As in evaluation: activations stay in the processor's caches."""


class LayerRecorder:
    """The plain network of a run, and the images that it is asked.

    Args:
        config: names the layers.
        data: the run's; its first validation images are used.
    """

    def __init__(self, config: RunConfig, data: PreparedData) -> None:
        images = data.scale(data.validation.images[:N_IMAGES])
        self._inputs = images.view(-1, 1, 28, 28) if len(config.input_shape) == 3 else images
        self._network = build_sequential(config).eval()
        self._relu = relu_layers(config)
        self._names = [planned.name for planned in config.plan]
        self._measured: dict[int, int] = {}
        """Module at whose end a layer stands -> the layer."""
        self._kernels: dict[int, str] = {}
        for layer, planned, module in zip(
            config.layers, config.plan, config.module_numbers, strict=True
        ):
            shape = planned.input_shape
            last = module - layer.own_module(shape) + layer.n_modules(shape) - 1
            if layer.kernel_name is not None:
                self._kernels[planned.index] = f"{module}.{layer.kernel_name}"
            if layer.is_measured and last >= module:
                self._measured[last] = planned.index

    def measure(self, weights: Mapping[str, Tensor]) -> dict[str, LayerMeasurement]:
        """Measure every layer that computes something, by name; pooling, dropout and flattening only pass on.

        Weights are float32 of any shape that the layers have.

        Args:
            weights: as exported.
        """
        device = self._inputs.device
        self._network.load_state_dict(
            {name: tensor.to(device) for name, tensor in weights.items()}, assign=True
        )
        outputs = {index: _Outputs() for index in self._measured.values()}
        with torch.inference_mode():
            for values in torch.split(self._inputs, BATCH):
                for number, module in enumerate(self._network):
                    values = module(values)  # noqa: PLW2901 - the batch on its way
                    if number in self._measured:
                        outputs[self._measured[number]].add(values)
        return {
            self._names[index]: self._measurement(index, outputs[index], weights)
            for index in outputs
        }

    def _measurement(
        self, index: int, outputs: _Outputs, weights: Mapping[str, Tensor]
    ) -> LayerMeasurement:
        kernel = spread(weights[self._kernels[index]].numpy()) if index in self._kernels else None
        return LayerMeasurement(
            kernel, outputs.spread(), outputs.dead() if index in self._relu else None
        )


class _Outputs:
    """What a layer gave for the batches so far: its ends by unit, and a sample."""

    def __init__(self) -> None:
        self._low = self._high = torch.empty(0)
        self._sample: list[Tensor] = []

    def add(self, values: Tensor) -> None:
        others = [axis for axis in range(values.dim()) if axis != 1]
        low, high = values.amin(others), values.amax(others)
        self._low, self._high = (
            (torch.minimum(self._low, low), torch.maximum(self._high, high))
            if self._sample
            else (low, high)
        )
        places = torch.linspace(
            0,
            values.numel() - 1,
            min(values.numel(), N_SAMPLED * BATCH // N_IMAGES),
            device=values.device,
        ).long()
        self._sample.append(values.flatten()[places])

    def spread(self) -> Spread:
        return spread_of(
            torch.cat(self._sample).cpu().numpy(), float(self._low.min()), float(self._high.max())
        )

    def dead(self) -> float:
        """Find the share of units that are zero in all images and at all places."""
        return float((self._high <= 0).float().mean())
