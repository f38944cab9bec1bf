"""`reproduce` with a real worker and real training, shortened."""

from __future__ import annotations

import json

import pytest

from mnist_dash.cli import main
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState

KEYS = (
    *(
        "preset",
        "parameters",
        "published_parameters",
        "test_accuracy",
        "published_test_accuracy",
        "test_loss",
        "published_test_loss",
    ),
    *("epochs", "seconds_per_epoch", "seed"),
)


@pytest.fixture
def staffed_home(staffed: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The module's home with a living worker, as the one that commands use."""
    monkeypatch.setenv("MNIST_DASH_HOME", str(staffed.settings.home))
    return staffed


def test_prints_one_object_a_run(staffed_home: Store, capfd: pytest.CaptureFixture[str]) -> None:
    """Two seeds of a linear network, an epoch each; the same again is shown, not trained."""
    command = ["reproduce", "linear_10_10", "--epochs-scale", "0.01", "--seeds", "2", "--json"]
    assert main(command) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [tuple(line)[: len(KEYS)] for line in lines] == [KEYS, KEYS]
    assert [(line["seed"], line["epochs"], line["published_test_accuracy"]) for line in lines] == [
        (0, 1, 0.916),
        (1, 1, 0.916),
    ]
    assert all(line["test_accuracy"] > 0.8 for line in lines)
    assert main(command) == 0
    assert [json.loads(line)["run"] for line in capfd.readouterr().out.splitlines()] == [
        line["run"] for line in lines
    ]
    assert staffed_home.count(states=[RunState.FINISHED]) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["mlp_quick"], "'mlp_quick' has no published result"),
        (["mlp_9"], "Did you mean mlp_784?"),
        (["--epochs-scale", "0"], "--epochs-scale: 0 is too small (above 0 and at most 10)"),
    ],
)
def test_refuses_what_cannot_be_reproduced(
    arguments: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """A sentence and exit code 2."""
    assert main(["reproduce", *arguments]) == 2
    assert said in capfd.readouterr().err
