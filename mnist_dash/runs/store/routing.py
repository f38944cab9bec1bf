"""Which kind of device a run waits for: decided when its job is added, from the workers that are alive."""

from __future__ import annotations

from collections.abc import Collection

from mnist_dash.core.config.run_config import Device
from mnist_dash.core.hardware.devices import DeviceKind


def route(device: Device, alive: Collection[str], *, gpu_here: bool) -> DeviceKind:
    """Choose the queue of a run.

    A run that asks for CUDA waits for a worker that has it. A run for the CPU goes to a CPU worker, or to a GPU's where there are no
    others, since those have a processor too. `auto` takes a GPU where there is one.

    Args:
        device: what the configuration asks for.
        alive: devices of the workers that are alive.
        gpu_here: whether this machine has a GPU, and so whether the workers that it starts will have one; asked while none is alive.
    """
    gpu = "cuda" in alive if alive else gpu_here
    processor = "cpu" in alive if alive else not gpu_here
    if device == "cuda" or not processor:
        return "cuda"
    return "cuda" if gpu and device == "auto" else "cpu"
