"""`train` with real workers and real training."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import psutil
import pytest

from mnist_dash.cli import main
from mnist_dash.cli.runs.train import result_line
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.settings import Settings
from tests.cli.conftest import command
from tests.waiting import PATIENCE_SECONDS, wait_until

QUICK = (
    "train",
    "--preset",
    "linear_10_10",
    "--set",
    "epochs=2",
    "--set",
    "optimizer.learning_rate=0.1",
    "--set",
    "batch_size=500",
)
LONG = ("train", "--preset", "mlp_1500x3", "--json")
KEYS = ["run", "state", "test_accuracy", "test_loss", "parameters", "epochs", "seconds"]


@pytest.fixture
def staffed_home(staffed: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The module's home with a living worker, as the one that commands use."""
    monkeypatch.setenv("MNIST_DASH_HOME", str(staffed.settings.home))
    return staffed


def test_json_is_one_object_on_one_line(
    staffed_home: Store, capfd: pytest.CaptureFixture[str]
) -> None:
    """Standard output is the result and nothing else, and the result is the store's."""
    assert main([*QUICK, "--json"]) == 0
    out = capfd.readouterr().out
    assert out.count("\n") == 1
    values = json.loads(out)
    run = staffed_home.run(values["run"])
    assert list(values) == KEYS
    assert (values["state"], values["parameters"], values["epochs"]) == ("finished", 7_960, 2)
    assert values["test_accuracy"] == run.test_accuracy
    assert values["test_accuracy"] > 0.8
    assert values["seconds"] == pytest.approx(run.seconds_training, abs=1e-3)


def test_people_get_sentences(staffed_home: Store, capfd: pytest.CaptureFixture[str]) -> None:
    """Without --json the result is written for a person, epochs are told while they end."""
    assert main([*QUICK]) == 0
    said = capfd.readouterr()
    run = staffed_home.runs(limit=1)[0]
    assert f"Run {run.id} finished" in said.out
    assert "Test accuracy" in said.out
    assert "7,960 parameters, 2 epochs" in said.out
    assert f"run {run.id}: " in said.err


def test_diverged_run_exits_with_one(
    staffed_home: Store, capfd: pytest.CaptureFixture[str]
) -> None:
    """A loss that is not finite ends the run as diverged, with a reason and exit code 1."""
    assert (
        main(
            [*QUICK, "--set", "optimizer.learning_rate=50", "--set", "probability_clip=0", "--json"]
        )
        == 1
    )
    values = json.loads(capfd.readouterr().out)
    assert values["state"] == "diverged"
    assert staffed_home.run(values["run"]).reason


def test_unchanged_preset_is_recorded(
    staffed_home: Store, capfd: pytest.CaptureFixture[str]
) -> None:
    """A preset that was changed is not that preset any more."""
    assert main([*QUICK]) == 0
    assert staffed_home.runs(limit=1)[0].preset is None


def test_living_worker_is_used(staffed_home: Store, capfd: pytest.CaptureFixture[str]) -> None:
    """No second worker is started beside a living one."""
    assert main([*QUICK, "--json"]) == 0
    (worker,) = staffed_home.workers()
    assert staffed_home.run(json.loads(capfd.readouterr().out)["run"]).worker == worker.id


def test_ctrl_c_stops_the_run_and_keeps_it(staffed_home: Store) -> None:
    """The first Ctrl+C stops the run, says so, and prints what it reached; exit code 0."""
    with command(*LONG, home=staffed_home.settings.home) as process:
        wait_until(
            lambda: any(run.step > 0 for run in staffed_home.runs(states=[RunState.RUNNING]))
        )
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, said
    assert json.loads(out)["state"] == "stopped"
    assert "results are kept" in said
    assert staffed_home.run(json.loads(out)["run"]).step > 0


@pytest.mark.slow
def test_worker_of_its_own_is_replaced_when_killed(tmp_path: Path) -> None:
    """Where no worker is alive `train` starts one; when that is killed, another; and the last one ends by itself."""
    home = tmp_path / "alone"
    store = Store.open(
        Settings.from_environment({"MNIST_DASH_HOME": str(home), "MNIST_DASH_LEASE_SECONDS": "1"})
    )
    with command(
        *QUICK, "--set", "epochs=400", "--json", home=home, MNIST_DASH_LEASE_SECONDS="1"
    ) as process:
        wait_until(lambda: any(run.step > 0 for run in store.runs(states=[RunState.RUNNING])))
        (first,) = store.workers()
        os.kill(first.pid, signal.SIGKILL)
        wait_until(
            lambda: any(
                run.attempt == 2 and run.step > 0 for run in store.runs(states=[RunState.RUNNING])
            )
        )
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert json.loads(out)["state"] == "stopped", said
    second = next(worker for worker in store.workers() if worker.id != first.id)
    wait_until(lambda: not psutil.pid_exists(second.pid))
    assert next(worker for worker in store.workers() if worker.id == second.id).state == "gone"
    store.close()


def test_result_line_is_valid_json_without_figures(store: Store) -> None:
    """A run that was stopped before it began has nulls, not NaN."""
    run_id = run_actions.submit(store, RunConfig())
    run_actions.stop(store, run_id)
    values = json.loads(result_line(store.run(run_id)))
    assert list(values) == KEYS
    assert (values["state"], values["test_accuracy"], values["epochs"]) == ("stopped", None, 0)
