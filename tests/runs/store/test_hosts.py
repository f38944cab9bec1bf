"""Who trains where, and which runs nobody can take."""

from __future__ import annotations

import os

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.execution.doctor import Verdict, examine_store
from mnist_dash.runs.store.hosts import NOBODY, blocked, hosts
from mnist_dash.runs.store.run_store import Store
from tests.runs.conftest import new_worker


def test_workers_are_counted_by_host_and_device(store: Store) -> None:
    """Each kind of device of a host is a row; those that are gone are none."""
    for name in ("a", "b"):
        new_worker(store, name, pid=os.getpid())
    new_worker(store, "c", pid=os.getpid(), device="cuda")
    new_worker(store, "d", pid=os.getpid()).sign_off()
    assert [
        (host.name, host.device, host.n_slots, host.n_threads, host.n_running)
        for host in hosts(store.workers())
    ] == [
        ("here", "cpu", 2, 2, 0),
        ("here", "cuda", 1, 1, 0),
    ]


def test_run_without_any_worker_says_so(store: Store) -> None:
    """While nobody is alive every queued run waits for somebody to start a worker."""
    run_id = run_actions.submit(store, RunConfig(device="cpu"))
    assert blocked(store) == {run_id: NOBODY}
    new_worker(store, "a", pid=os.getpid())
    assert blocked(store) == {}


def test_run_for_a_device_that_is_gone_says_so(store: Store) -> None:
    """A run in the queue of GPU workers, the last of which has ended, is told to person and doctor; the others are not."""
    gpu = new_worker(store, "gpu", pid=os.getpid(), device="cuda")
    new_worker(store, "cpu", pid=os.getpid())
    for_gpu = run_actions.submit(store, RunConfig(device="cuda"))
    run_actions.submit(store, RunConfig(device="cpu"))
    assert blocked(store) == {}
    gpu.sign_off()
    assert list(blocked(store)) == [for_gpu]
    assert "on a machine with a GPU" in blocked(store)[for_gpu]
    (check,) = (check for check in examine_store(store.settings) if check.subject == "queue")
    assert check.verdict is Verdict.WARNING
    assert for_gpu in check.finding
