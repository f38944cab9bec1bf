"""The training script: complete, runnable, and the same network as the engine's."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
import warnings
from pathlib import Path

import nbclient
import nbformat
import pytest
import torch
from safetensors.torch import load

from mnist_dash.core.config.presets import PRESETS
from mnist_dash.core.config.run_config import (
    Augmentation,
    EarlyStopping,
    RunConfig,
    StratifiedSplit,
)
from mnist_dash.core.data.archives import PACKAGED_ARCHIVES
from mnist_dash.core.export.notebook import notebook
from mnist_dash.core.export.script import training_script
from mnist_dash.core.layers import (
    ActivationLayer,
    AvgPool,
    BatchNorm,
    Constant,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlorotNormal,
    HeNormal,
    MaxPool,
    TruncatedNormal,
)
from mnist_dash.core.network.torch_network import build_sequential
from mnist_dash.core.optimizers import OPTIMIZERS, Lion
from mnist_dash.core.schedules import OneCycleSchedule
from mnist_dash.core.training.loop import train
from mnist_dash.core.training.reports import TrainingResult
from tests.waiting import PATIENCE_SECONDS

EVERYTHING = RunConfig(
    layers=(
        Conv(
            filters=4,
            kernel=4,
            stride=2,
            padding="same",
            kernel_init=HeNormal(),
            l2=1e-4,
            activation="leaky_relu",
        ),
        BatchNorm(),
        ActivationLayer(activation="linear"),
        ActivationLayer(activation="gelu"),
        MaxPool(size=2),
        AvgPool(size=3, stride=2),
        Dropout(rate=0.2),
        Flatten(),
        BatchNorm(momentum=0.9),
        Dense(
            units=12, activation="silu", kernel_init=GlorotNormal(), bias_init=Constant(value=0.1)
        ),
        Dense(units=10, activation="softmax", kernel_init=TruncatedNormal(std=0.02)),
    ),
    optimizer=Lion(),
    schedule=OneCycleSchedule(warmup_steps=3),
    split=StratifiedSplit(fraction=0.1),
    scaling="standard",
    augmentation=Augmentation(shift=0.1, rotation=10, elastic=5),
    early_stopping=EarlyStopping(patience=1),
    gradient_clip_norm=1.0,
    label_smoothing=0.1,
    precision="bfloat16",
    epochs=2,
)
CONFIGS = {name: preset.config for name, preset in PRESETS.items()} | {"everything": EVERYTHING}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Lay the archives out as torchvision has them, so that nothing is downloaded."""
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for archive in PACKAGED_ARCHIVES.glob("*.gz"):
        (raw / archive.name).write_bytes(archive.read_bytes())
    return tmp_path / "data"


@pytest.mark.parametrize("name", CONFIGS)
def test_builds_the_engine_s_network(name: str, tmp_path: Path) -> None:
    """Names and shapes of all values agree, so that a run's weights load into the script's network."""
    path = tmp_path / "train.py"
    path.write_text(training_script(CONFIGS[name]))
    network = runpy.run_path(str(path))["build"]()
    expected = {
        key: value.shape for key, value in build_sequential(CONFIGS[name]).state_dict().items()
    }
    assert {key: value.shape for key, value in network.state_dict().items()} == expected


@pytest.mark.parametrize(
    "name",
    [
        "mlp_quick",
        pytest.param("everything", marks=pytest.mark.slow),
        pytest.param("mlp_300_30_hog", marks=pytest.mark.slow),
    ],
)
def test_trains_in_a_process_of_its_own(name: str, data_dir: Path, tmp_path: Path) -> None:
    """A few steps run, figures are printed and weights are saved."""
    path = tmp_path / "train.py"
    path.write_text(training_script(CONFIGS[name]))
    command = [
        sys.executable,
        str(path),
        "--data",
        str(data_dir),
        "--epochs",
        "1",
        "--steps",
        "2",
        "--weights",
        str(tmp_path / "weights.pt"),
    ]
    finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert "epoch 1: training loss" in finished.stdout
    assert "test loss" in finished.stdout
    assert torch.load(tmp_path / "weights.pt", weights_only=True)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_makes_every_optimizer(kind: str, tmp_path: Path) -> None:
    """Every kind becomes a torch optimizer with the configured rate."""
    config = RunConfig.model_validate({"optimizer": {"kind": kind}})
    path = tmp_path / "train.py"
    path.write_text(training_script(config))
    names = runpy.run_path(str(path))
    optimizer = names["make_optimizer"]([torch.nn.Parameter(torch.zeros(2))])
    assert optimizer.param_groups[0]["lr"] == config.optimizer.learning_rate


@pytest.mark.parametrize("schedule", ["constant", "step", "exponential", "cosine", "one_cycle"])
def test_rates_are_the_engine_s(schedule: str, tmp_path: Path) -> None:
    """The script's schedule gives the engine's rate at every step."""
    from mnist_dash.core.training.schedules import learning_rate

    config = RunConfig.model_validate(
        {"schedule": {"kind": schedule, "warmup_steps": 20}, "epochs": 3, "batch_size": 5000}
    )
    path = tmp_path / "train.py"
    path.write_text(training_script(config))
    rate = runpy.run_path(str(path))["rate"]
    steps = range(config.epochs * config.steps_per_epoch)
    assert [rate(step) for step in steps] == pytest.approx(
        [learning_rate(config, step) for step in steps]
    )


def test_imports_torch_and_torchvision_only(tmp_path: Path) -> None:
    """The script runs where this package is not installed."""
    text = training_script(EVERYTHING)
    modules = {
        line.split()[1].split(".")[0]
        for line in text.splitlines()
        if line.strip().startswith(("import ", "from "))
    }
    assert modules <= {
        "argparse",
        "functools",
        "hashlib",
        "json",
        "math",
        "pathlib",
        "time",
        "typing",
        "numpy",
        "torch",
        "torchvision",
    }
    assert json.dumps(EVERYTHING.hash) in text or EVERYTHING.hash in text


REPEATED = RunConfig(
    layers=(
        Conv(filters=4, kernel=5, stride=3, kernel_init=HeNormal()),
        Dropout(rate=0.25),
        Flatten(),
        Dense(units=10, activation="softmax", l2=1e-4),
    ),
    split=StratifiedSplit(fraction=0.8, seed=3),
    scaling="standard",
    augmentation=Augmentation(shift=0.1, rotation=5),
    epochs=1,
    device="cpu",
    precision="float32",
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    """What the engine makes of the configuration, in a second."""
    folder = tmp_path_factory.mktemp("data")
    return train(
        REPEATED,
        data_dir=folder,
        on_step=_ignore,
        on_epoch=_ignore,
        on_checkpoint=_ignore,
        should_stop=lambda: False,
    )


STEERED: dict[str, dict[str, object]] = {
    "rate, batch and dropout": {
        "optimizer": {
            "kind": "sgd",
            "momentum": 0.9,
            "nesterov": True,
            "learning_rate": 0.05,
            "decay": 1e-3,
        },
        "changes": [
            {"after_epoch": 1, "learning_rate": 0.01, "batch_size": 700},
            {"after_epoch": 2, "dropout_rate": 0.0},
            {"after_epoch": 3, "dropout_rate": 0.5, "learning_rate": 0.02},
        ],
    },
    "another optimizer, then its own options": {
        "schedule": {"kind": "cosine", "warmup_steps": 5},
        "changes": [
            {"after_epoch": 1, "optimizer": {"kind": "rmsprop", "learning_rate": 0.001}},
            {
                "after_epoch": 2,
                "optimizer": {"kind": "rmsprop", "learning_rate": 0.0005, "momentum": 0.8},
                "restart_schedule": True,
            },
            {"after_epoch": 3, "optimizer": {"kind": "adam", "beta_2": 0.99, "epsilon": 1e-4}},
        ],
    },
    "a schedule begun anew": {
        "optimizer": {"kind": "adam", "epsilon": 1e-3},
        "schedule": {"kind": "one_cycle"},
        "changes": [
            {"after_epoch": 2, "restart_schedule": True, "batch_size": 350},
            {
                "after_epoch": 3,
                "optimizer": {
                    "kind": "adam",
                    "learning_rate": 0.002,
                    "beta_1": 0.8,
                    "epsilon": 1e-5,
                },
            },
        ],
    },
    "steps and Lion": {
        "optimizer": {"kind": "lion", "learning_rate": 3e-4},
        "schedule": {"kind": "step", "every_epochs": 1, "factor": 0.5},
        "changes": [
            {"after_epoch": 1, "batch_size": 900},
            {"after_epoch": 3, "optimizer": {"kind": "lion", "learning_rate": 1e-4}},
        ],
    },
    "a velocity under a schedule": {
        "optimizer": {"kind": "sgd", "momentum": 0.9, "learning_rate": 0.05},
        "schedule": {"kind": "cosine"},
        "changes": [],
    },
}


def steered(name: str) -> RunConfig:
    """Make a small training whose settings change."""
    layers = (
        Flatten(),
        Dense(units=20, activation="relu"),
        Dropout(rate=0.25),
        Dense(units=10, activation="softmax"),
    )
    base = RunConfig(
        layers=layers,
        split=StratifiedSplit(fraction=0.9),
        epochs=4,
        batch_size=1000,
        device="cpu",
        precision="float32",
    )
    return RunConfig.model_validate(base.model_dump() | STEERED[name])


@pytest.mark.parametrize("name", STEERED)
def test_changes_settings_where_the_run_did(name: str, data_dir: Path, tmp_path: Path) -> None:
    """Rates are the engine's at every step, and so are the weights after the last, up to rounding."""
    from mnist_dash.core.training.schedules import learning_rate

    config = steered(name)
    (tmp_path / "train.py").write_text(training_script(config))
    names = runpy.run_path(str(tmp_path / "train.py"))
    steps = range(config.steps_until(config.epochs))
    assert [names["rate"](step) for step in steps] == pytest.approx(
        [learning_rate(config, step) for step in steps]
    )
    run = train(
        config,
        data_dir=tmp_path,
        on_step=_ignore,
        on_epoch=_ignore,
        on_checkpoint=_ignore,
        should_stop=lambda: False,
    )
    again, weights = names["train"](names["prepare"](str(data_dir))).state_dict(), load(run.weights)
    assert {
        key: float((again[key] - weights[key]).abs().max()) for key in weights
    } == pytest.approx(dict.fromkeys(weights, 0.0), abs=2e-4)


def _ignore(_report: object) -> None:
    """Let a report go."""


def test_gives_the_run_s_test_accuracy(
    trained: TrainingResult, data_dir: Path, tmp_path: Path
) -> None:
    """Alone in a folder, with nobody's packages but torch's: trained anew within an image in a thousand, the run's own weights exactly."""
    (tmp_path / "train.py").write_text(training_script(REPEATED))
    (tmp_path / "run.safetensors").write_bytes(trained.weights)
    found = []
    for more in ([], ["--evaluate", "run.safetensors"]):
        command = [sys.executable, "-I", "train.py", *more]
        said = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout
        found.append([float(word) for word in said.splitlines()[-1].split() if word[0].isdigit()])
    assert trained.test_accuracy is not None
    (_, again), (loss, same) = found
    assert same == pytest.approx(trained.test_accuracy, abs=5e-5)
    assert loss == pytest.approx(trained.test_loss, abs=1e-4)
    assert again == pytest.approx(trained.test_accuracy, abs=1e-3)
    assert trained.test_accuracy > 0.5


@pytest.mark.slow
def test_notebook_gives_the_run_s_test_accuracy(
    trained: TrainingResult, data_dir: Path, tmp_path: Path
) -> None:
    """Executed in a kernel of its own it trains to the run's accuracy; what its title says is text."""
    cells = nbformat.reads(notebook(REPEATED, title="<b>*mine*</b>\n# yours"), as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(cells)
    assert cells.cells[0].source.splitlines()[0] == r"# \<b\>\*mine\*\</b\>␊\# yours"
    # As ipykernel warns about its own way of talking to the notebook.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nbclient.NotebookClient(
            cells,
            timeout=int(PATIENCE_SECONDS),
            kernel_name="python3",
            resources={"metadata": {"path": str(tmp_path)}},
        ).execute()
    (said,) = [output.text for output in cells.cells[-1].outputs]
    assert float(said.split()[-1]) == pytest.approx(trained.test_accuracy, abs=1e-3)
