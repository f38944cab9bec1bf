"""Which devices this machine has; no torch, which takes two seconds to load and more to ask."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from typing import Literal

from mnist_dash.core.config.run_config import Device
from mnist_dash.errors import DeviceUnavailable

DeviceKind = Literal["cpu", "cuda"]
"""What a worker computes on."""
VISIBLE_GPUS = "CUDA_VISIBLE_DEVICES"
"""The environment variable by which CUDA shows a process some of the GPUs."""


@cache
def n_cuda_devices() -> int:
    """Count the CUDA devices that the driver offers; 0 where there is no driver.

    Asks libcuda itself (``cuInit``, ``cuDeviceGetCount``) in a process that must not be forked afterwards.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def gpu_names() -> list[str]:
    """Name the GPUs that this process may use as `VISIBLE_GPUS` does: by number or by UUID."""
    shown = os.environ.get(VISIBLE_GPUS)
    return (
        [str(index) for index in range(n_cuda_devices())]
        if shown is None
        else shown.split(",")[: n_cuda_devices()]
    )


def check_device(device: Device, *, n_cuda: int | None = None) -> None:
    """Check that a configuration's device is there; there is no silent fallback.

    Args:
        device: what the configuration asks for.
        n_cuda: CUDA devices that can be had, counted on this machine by default.

    Raises:
        DeviceUnavailable: CUDA is asked for and there is none.
    """
    found = n_cuda_devices() if n_cuda is None else n_cuda
    if device == "cuda" and found == 0:
        raise DeviceUnavailable(
            "device: there is no CUDA device on this machine. Choose auto or cpu, or start a worker with a GPU."
        )
