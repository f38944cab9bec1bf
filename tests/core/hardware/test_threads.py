"""How many threads a training gets, and that it leaves the process as it found it."""

from __future__ import annotations

import os

import torch

from mnist_dash.core.config.presets import PRESETS
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.hardware.threads import threads_for, worthwhile_threads


def test_only_tiny_steps_get_one_thread() -> None:
    """The linear network's step is over before a second thread is awake; all the other ready networks use what there is."""
    threads = {name: worthwhile_threads(preset.config, 4) for name, preset in PRESETS.items()}
    assert threads.pop("linear_10_10") == 1
    assert set(threads.values()) == {4}


def test_threads_and_cores_are_given_back() -> None:
    """Inside, a training that has the whole machine is bound to a core; after it, everything is as before."""
    cores, n_threads = os.sched_getaffinity(0), torch.get_num_threads()
    torch.set_num_threads(len(cores))
    try:
        with threads_for(RunConfig(batch_size=512)):
            assert len(os.sched_getaffinity(0)) == 1
        assert os.sched_getaffinity(0) == cores
        with threads_for(PRESETS["linear_10_10"].config):
            assert torch.get_num_threads() == 1
            assert os.sched_getaffinity(0) == cores
        assert torch.get_num_threads() == len(cores)
    finally:
        torch.set_num_threads(n_threads)
