"""Which device a run computes on, and in which precision."""

from __future__ import annotations

import functools
import time
from contextlib import AbstractContextManager
from typing import Literal

import torch
from torch.nn import functional

from mnist_dash.core.config.run_config import Device, RunConfig
from mnist_dash.core.layers import Conv, Dense
from mnist_dash.errors import DeviceUnavailable

Arithmetic = Literal["float32", "bfloat16"]
NARROW_UNITS = 64
"""Dense networks whose every kernel is narrower on one side are bound by dispatch, where bfloat16 only adds conversions."""


def resolve_device(device: Device) -> torch.device:
    """Turn a configuration's device into torch's; `auto` is CUDA where there is a device.

    Raises:
        DeviceUnavailable: CUDA is asked for and there is none; there is no silent fallback.
    """
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise DeviceUnavailable(
            "device: there is no CUDA device on this machine. Choose auto or cpu, or start a worker with a GPU."
        )
    return torch.device("cuda" if available and device != "cpu" else "cpu")


def resolve_precision(config: RunConfig, device: torch.device) -> Arithmetic:
    """Turn a configuration's precision into the one that is used; `auto` takes bfloat16 where this device computes it faster.

    Networks of narrow dense layers stay in float32. For the others one probe a process and kind of network times a product of a matrix
    or a convolution; it must be 1.2 times faster in bfloat16.
    """
    if config.precision != "auto":
        return config.precision
    if any(isinstance(layer, Conv) for layer in config.layers):
        return "bfloat16" if _bfloat16_gain(device, "conv") >= 1.2 else "float32"
    dense = [
        pair for pair in zip(config.layers, config.plan, strict=True) if isinstance(pair[0], Dense)
    ]
    sides = [min(planned.input_shape[0], planned.output_shape[0]) for _, planned in dense]
    if max(sides) < NARROW_UNITS:
        return "float32"
    return "bfloat16" if _bfloat16_gain(device, "dense") >= 1.2 else "float32"


def exact_arithmetic() -> AbstractContextManager[None]:
    """Have cuDNN compute float32 in float32, not in TF32 with its ten bits, and by algorithms that give the same bits each time."""
    manager: AbstractContextManager[None] = torch.backends.cudnn.flags(
        enabled=torch.backends.cudnn.enabled, benchmark=False, deterministic=True, allow_tf32=False
    )
    return manager


@functools.cache
def _bfloat16_gain(device: torch.device, kind: Literal["conv", "dense"]) -> float:
    """Time the same work in both precisions, alternating: seconds in float32 by seconds in bfloat16, the best of five each."""
    dtypes = (torch.float32, torch.bfloat16)
    seconds = dict.fromkeys(dtypes, float("inf"))
    generator = torch.Generator(device).manual_seed(0)
    inputs = torch.randn(
        (64, 32, 12, 12) if kind == "conv" else (256, 512), device=device, generator=generator
    )
    kernel = torch.randn(
        (64, 32, 3, 3) if kind == "conv" else (512, 512), device=device, generator=generator
    )
    with torch.inference_mode():
        for _ in range(6):
            for dtype in dtypes:
                seconds[dtype] = min(seconds[dtype], _time(inputs.to(dtype), kernel.to(dtype)))
    return seconds[torch.float32] / seconds[torch.bfloat16]


def _time(inputs: torch.Tensor, kernel: torch.Tensor) -> float:
    if inputs.dim() == 4:
        inputs, kernel = (
            values.contiguous(memory_format=torch.channels_last) for values in (inputs, kernel)
        )
    _synchronise(inputs.device)
    start = time.perf_counter()
    for _ in range(3):
        if inputs.dim() == 4:
            functional.conv2d(inputs, kernel, padding=1)
        else:
            functional.linear(inputs, kernel)
    _synchronise(inputs.device)
    return time.perf_counter() - start


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
