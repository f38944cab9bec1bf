"""How fast this device trains, measured in a moment, so that the very first estimate rests on something.

Two networks stand for all: a dense and a convolutional one, a few training steps each on random pixels, warmed up and timed.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import torch
from torch.nn import functional

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.layers import Conv, Dense, Flatten, Layer, MaxPool
from mnist_dash.core.network.torch_network import Network

N_WARM_STEPS = 2
_OUTPUT = Dense(units=10, activation="softmax")
_DENSE: tuple[Layer, ...] = (Flatten(), Dense(units=512), Dense(units=256), _OUTPUT)
_CONVOLUTIONAL: tuple[Layer, ...] = (
    Conv(filters=32),
    Conv(filters=64),
    MaxPool(),
    Flatten(),
    Dense(units=128),
    _OUTPUT,
)


@dataclass(frozen=True)
class Rate:
    """What a device does in a second on one kind of network."""

    family: str
    """``dense`` or ``conv``."""
    flops_per_second: float
    """Floating-point operations of training steps, three forward passes' worth a step, in a second."""


def benchmark(device: str) -> tuple[Rate, ...]:
    """Time a few training steps of both kinds of network in float32 on `device`; takes a fraction of a second."""
    dense = RunConfig(layers=_DENSE, batch_size=128)
    convolutional = RunConfig(layers=_CONVOLUTIONAL, batch_size=64)
    return (
        Rate("dense", _flops_per_second(dense, torch.device(device), n_steps=12)),
        Rate("conv", _flops_per_second(convolutional, torch.device(device), n_steps=3)),
    )


def _flops_per_second(config: RunConfig, device: torch.device, *, n_steps: int) -> float:
    network = Network(config, device, torch.Generator(device).manual_seed(0))
    parameters = [value.tensor for value in network.parameters]
    images = torch.rand(config.batch_size, 784, device=device)
    labels = torch.zeros(config.batch_size, dtype=torch.int64, device=device)
    seconds: list[float] = []
    for _ in range(N_WARM_STEPS + n_steps):
        started = time.perf_counter()
        loss = functional.cross_entropy(network.logits(images, training=True), labels)
        torch.autograd.grad(loss, parameters)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - started)
    forward = sum(layer.flops for layer in config.plan)
    return 3 * forward * config.batch_size / statistics.median(seconds[N_WARM_STEPS:])
