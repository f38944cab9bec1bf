"""`stop`, `worker` and `doctor` from a terminal."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from mnist_dash.cli import main
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.hardware.devices import n_cuda_devices
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from tests.cli.conftest import command
from tests.waiting import PATIENCE_SECONDS, wait_until


def test_queued_run_is_stopped_at_once(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """A queued run needs no worker to be stopped; stopping it again is refused."""
    run_id = run_actions.submit(store, RunConfig())
    assert main(["stop", run_id]) == 0
    assert store.run(run_id).state is RunState.STOPPED
    assert main(["stop", run_id]) == 2
    assert "stopped" in capsys.readouterr().err


def test_worker_takes_a_run_and_ends_when_idle(store: Store) -> None:
    """A worker trains what is queued and ends by itself when asked to."""
    run_id = run_actions.submit(store, RunConfig(epochs=1, batch_size=5000))
    with command(
        "worker",
        "--device",
        "cpu",
        "--threads",
        "1",
        "--exit-when-idle",
        "1",
        home=store.settings.home,
    ) as process:
        wait_until(lambda: store.run(run_id).state.is_terminal)
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, said
    assert store.run(run_id).state is RunState.FINISHED, store.run(run_id).reason
    assert [worker.state for worker in store.workers()] == ["gone"]


@pytest.mark.slow
def test_terminated_worker_gives_its_run_back(store: Store) -> None:
    """SIGTERM ends a worker in mid-epoch; its run is queued again for the next attempt."""
    run_id = run_actions.submit(store, RunConfig(epochs=5000))
    with command(
        "worker", "--device", "cpu", "--threads", "1", home=store.settings.home
    ) as process:
        wait_until(lambda: store.run(run_id).step > 0)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_SECONDS)
    run = store.run(run_id)
    assert (run.state, run.worker) == (RunState.QUEUED, None)
    assert "shut down" in run.reason


@pytest.mark.skipif(
    n_cuda_devices() > 0, reason="this machine has what the test wants to be missing"
)
def test_worker_without_its_device_is_refused(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """A worker for CUDA where there is none does not start."""
    assert main(["worker", "--device", "cuda"]) == 2
    assert "CUDA" in capsys.readouterr().err
    assert store.workers() == ()


def test_doctor_is_content_with_a_new_store(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every check has a line, and all is well."""
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert all(
        f"{subject}: " in out
        for subject in (
            "data",
            "disk",
            "processor",
            "torch",
            "database",
            "artifacts",
            "queue",
            "workers",
        )
    )
    assert "All is well." in out


@pytest.mark.slow
def test_doctor_says_what_to_do(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A problem gives exit code 1 and a remedy; with --json too."""
    own_home.mkdir()
    (own_home / "mnist_dash.db").write_bytes(b"no database" * 100)
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "PROBLEM database:" in out
    assert "-> Restore it from a backup" in out
    assert main(["doctor", "--json"]) == 1
    values = json.loads(capsys.readouterr().out)
    assert values["well"] is False
    assert {check["verdict"] for check in values["checks"]} >= {"ok", "problem"}
