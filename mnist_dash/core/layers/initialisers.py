"""Initial values of kernels and biases, by Keras's definitions.

Every draw comes from the generator that is handed in, on the CPU, so that a seed gives the same network on every device.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mnist_dash.core.config.layers import (
    Constant,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    Initializer,
    Normal,
    TruncatedNormal,
    Zeros,
)

TRUNCATION_CORRECTION = 0.87962566103423978
"""Standard deviation of a unit normal cut at two; Keras divides by it, so that Glorot and He have the deviation that they promise."""


def fill(tensor: Tensor, initializer: Initializer, *, generator: torch.Generator) -> None:
    """Fill a kernel or a bias in place.

    Args:
        tensor: ``(outputs, inputs)``, ``(filters, channels, height, width)`` or ``(outputs,)``, float32 on the CPU.
        initializer: the specification.
        generator: the source of every draw.
    """
    with torch.no_grad():
        match initializer:
            case GlorotUniform():
                limit = math.sqrt(6 / sum(_fans(tensor)))
                tensor.uniform_(-limit, limit, generator=generator)
            case HeUniform():
                limit = math.sqrt(6 / _fans(tensor)[0])
                tensor.uniform_(-limit, limit, generator=generator)
            case GlorotNormal():
                _fill_truncated(tensor, math.sqrt(2 / sum(_fans(tensor))) / TRUNCATION_CORRECTION, generator)
            case HeNormal():
                _fill_truncated(tensor, math.sqrt(2 / _fans(tensor)[0]) / TRUNCATION_CORRECTION, generator)
            case Normal():
                tensor.normal_(0, initializer.std, generator=generator)
            case TruncatedNormal():
                _fill_truncated(tensor, initializer.std, generator)
            case Constant():
                tensor.fill_(initializer.value)
            case Zeros():
                tensor.zero_()


def _fans(tensor: Tensor) -> tuple[int, int]:
    """Inputs and outputs of one value, a convolution's times its window; a bias counts as a vector of both, as in Keras."""
    if tensor.dim() < 2:
        return tensor.shape[0], tensor.shape[0]
    window = math.prod(tensor.shape[2:])
    return tensor.shape[1] * window, tensor.shape[0] * window


def _fill_truncated(tensor: Tensor, std: float, generator: torch.Generator) -> None:
    """Draw from a normal, and again whatever lies beyond two standard deviations."""
    values = torch.empty(tensor.numel()).normal_(0, 1, generator=generator)
    outside = (values.abs() > 2).nonzero().squeeze(1)
    while len(outside):
        values[outside] = torch.empty(len(outside)).normal_(0, 1, generator=generator)
        outside = outside[values[outside].abs() > 2]
    tensor.copy_(values.view_as(tensor)).mul_(std)
