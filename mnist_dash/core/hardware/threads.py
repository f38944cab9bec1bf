"""How many threads a training uses, and on which cores they stay.

A barrier of OpenMP's that sleeps (``OMP_WAIT_POLICY=PASSIVE``) wakes its threads on the core that called them, where they wait for one
another: two threads are then no faster than one. Threads that keep to a core of their own do not have that trouble, and short spins
(``GOMP_SPINCOUNT``) carry them from one operation to the next.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from mnist_dash.core.config.run_config import RunConfig

SMALL_STEP_FLOPS = 50_000_000
"""Floating-point operations of a step, forward and backward, below which one thread is fastest (about half a millisecond's work)."""


def worthwhile_threads(config: RunConfig, n_available: int) -> int:
    """Threads that a step can use: one where it is so small that sharing it out would cost more than doing it."""
    forward = sum(planned.flops for planned in config.plan)
    return 1 if 3 * forward * config.batch_size < SMALL_STEP_FLOPS else n_available


@contextmanager
def threads_for(config: RunConfig) -> Iterator[None]:
    """Set the number of threads for a training; where it has the whole machine, each keeps to a core. Undone at the end.

    Only the calling thread and those that torch starts, once a process, are bound.
    """
    import torch  # a worker asks for `worthwhile_threads` and loads no torch

    n_available = torch.get_num_threads()
    n_threads = worthwhile_threads(config, n_available)
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    torch.set_num_threads(n_threads)
    try:
        if n_threads > 1 and n_threads == len(cores):
            _bind(cores)
        yield
    finally:
        if cores:
            os.sched_setaffinity(0, cores)
        torch.set_num_threads(n_available)


def _bind(cores: list[int]) -> None:
    """Start torch's threads on all cores but the first, which is for the calling thread; they inherit its mask when they start."""
    import torch

    os.sched_setaffinity(0, cores[1:])
    torch.ones(1 << 20).add_(1)
    os.sched_setaffinity(0, cores[:1])
