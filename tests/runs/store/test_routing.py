"""Which workers a run waits for, and which workers a machine runs."""

from __future__ import annotations

import pytest

from mnist_dash.core.config.run_config import Device
from mnist_dash.core.hardware.devices import VISIBLE_GPUS, DeviceKind, gpu_names
from mnist_dash.runs.execution.supervisor import Slot, slots
from mnist_dash.runs.store.routing import route
from mnist_dash.settings import Settings


@pytest.mark.parametrize(
    ("device", "alive", "gpu_here", "expected"),
    [
        ("cuda", {"cpu"}, False, "cuda"),
        ("cuda", set(), False, "cuda"),
        ("cpu", {"cpu", "cuda"}, True, "cpu"),
        ("cpu", {"cuda"}, False, "cuda"),
        ("cpu", set(), True, "cuda"),
        ("auto", {"cpu", "cuda"}, False, "cuda"),
        ("auto", {"cpu"}, True, "cpu"),
        ("auto", set(), True, "cuda"),
        ("auto", set(), False, "cpu"),
    ],
)
def test_run_waits_for_a_worker_that_can_do_it(
    device: Device, alive: set[str], expected: DeviceKind, *, gpu_here: bool
) -> None:
    """Living workers decide; while there are none, those that this machine would start."""
    assert route(device, alive, gpu_here=gpu_here) == expected


@pytest.mark.parametrize(
    ("workers", "threads", "gpus", "expected"),
    [
        ("", "8", [], [Slot("cpu", 8)]),
        ("3", "8", [], [Slot("cpu", 2)] * 3),
        ("9", "2", [], [Slot("cpu", 1)] * 2),
        ("0", "8", ["0"], []),
        ("", "8", ["0", "1"], [Slot("cuda", 4, "0"), Slot("cuda", 4, "1")]),
        ("3", "8", ["4", "7"], [Slot("cuda", 2, "4"), Slot("cuda", 2, "7"), Slot("cuda", 2, "4")]),
    ],
)
def test_every_worker_has_a_slot_of_its_own(
    workers: str, threads: str, gpus: list[str], expected: list[Slot]
) -> None:
    """One worker a GPU, each seeing its own; on the CPU never more threads than cores were given."""
    variables = (
        {"MNIST_DASH_WORKERS": workers, "MNIST_DASH_THREADS": threads}
        if workers
        else {"MNIST_DASH_THREADS": threads}
    )
    assert slots(Settings.from_environment(variables), gpus) == expected


def test_gpus_that_are_hidden_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty list of visible GPUs gives none."""
    monkeypatch.setenv(VISIBLE_GPUS, "")
    assert gpu_names() == []
