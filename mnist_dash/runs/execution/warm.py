"""Imported once by the server that trainers are forked from: torch, the training engine and the data, ready in memory.

Everything here runs on one thread: a forked child hangs in a pool of threads that only its parent had. Nothing here touches CUDA, which
cannot be forked after it was.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import torch

import mnist_dash.core.training.loop  # noqa: F401 - this import is the point
from mnist_dash.core.data.dataset import load_raw
from mnist_dash.errors import MnistDashError
from mnist_dash.settings import Settings


def _warm_up() -> None:
    torch.set_num_threads(1)
    # A damaged archive is reported by the run that needs it.
    with contextlib.suppress(MnistDashError, OSError):
        load_raw("mnist", Settings.from_environment().data_dir)
    if not Path(
        "/dev/nvidia0"
    ).exists():  # with a GPU, the first backward pass starts threads that cannot be forked
        layer = torch.nn.Linear(4, 4)
        optimizer = torch.optim.Adam(layer.parameters(), fused=True)
        layer(torch.zeros(1, 4)).sum().backward()
        optimizer.step()


_warm_up()
