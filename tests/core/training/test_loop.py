"""The loop on real MNIST: the same numbers twice, the same after a resume, and an honest end whatever happens."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load

from mnist_dash.core.analysis.evaluation import accuracy
from mnist_dash.core.config.run_config import (
    EarlyStopping,
    RunConfig,
    TailSplit,
    TestAsValidation,
    with_overrides,
)
from mnist_dash.core.data.dataset import load_raw
from mnist_dash.core.layers import BatchNorm, Conv, Dense, Dropout, Flatten, MaxPool
from mnist_dash.core.network.torch_network import build_sequential
from mnist_dash.core.training.loop import is_kept, train
from mnist_dash.core.training.reports import (
    Checkpoint,
    Ending,
    EpochReport,
    StepReport,
    TrainingResult,
)
from mnist_dash.errors import ArtifactError

OUTPUT = Dense(units=10, activation="softmax")
SMALL = RunConfig(
    layers=(Flatten(), Dense(units=32, l2=1e-4), Dropout(rate=0.3), OUTPUT),
    split=TailSplit(fraction=0.9),
    batch_size=100,
    epochs=3,
)
CONVOLUTIONAL = SMALL.model_copy(
    update={
        "layers": (
            Conv(filters=4, stride=2),
            BatchNorm(),
            MaxPool(),
            Flatten(),
            Dense(units=16),
            OUTPUT,
        ),
        "epochs": 2,
    }
)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that the tests of this file share."""
    return tmp_path_factory.mktemp("data")


@dataclass
class Log:
    """Everything that a training said."""

    result: TrainingResult
    steps: list[StepReport] = field(default_factory=list)
    epochs: list[EpochReport] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)


def run(
    config: RunConfig,
    data_dir: Path,
    *,
    resume: bytes | None = None,
    stop_after: Callable[[int], bool] = lambda _: False,
) -> Log:
    """Train and keep every report; `stop_after` sees how often the loop has asked whether to stop."""
    steps: list[StepReport] = []
    epochs: list[EpochReport] = []
    checkpoints: list[Checkpoint] = []
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return stop_after(asked)

    result = train(
        config,
        data_dir=data_dir,
        resume=resume,
        on_step=steps.append,
        on_epoch=epochs.append,
        on_checkpoint=checkpoints.append,
        should_stop=should_stop,
    )
    return Log(result, steps, epochs, checkpoints)


def figures(report: EpochReport) -> tuple[float, ...]:
    """An epoch's figures without its times."""
    return (
        report.running_loss,
        report.train_loss,
        report.val_loss,
        report.running_accuracy,
        report.train_accuracy,
        report.val_accuracy,
    )


@pytest.mark.parametrize("config", [SMALL, CONVOLUTIONAL], ids=["dense", "convolutional"])
def test_same_seed_gives_the_same_bits(config: RunConfig, data_dir: Path) -> None:
    """Two trainings of one configuration agree in every bit of every weight and probability; another seed does not."""
    first, second = run(config, data_dir), run(config, data_dir)
    assert first.result.weights == second.result.weights
    assert np.array_equal(first.result.test_probabilities, second.result.test_probabilities)  # type: ignore[arg-type]
    assert [figures(report) for report in first.epochs] == [
        figures(report) for report in second.epochs
    ]
    other = run(with_overrides(config, [("seed", 1), ("epochs", 1)]), data_dir)
    assert figures(other.epochs[0]) != figures(first.epochs[0])


@pytest.mark.parametrize(
    "kind", ["sgd", "adam", "adamw", "nadam", "rmsprop", "adadelta", "adagrad", "lion"]
)
def test_resumed_run_equals_uninterrupted(kind: str, data_dir: Path) -> None:
    """Whatever the optimizer, going on from an epoch's checkpoint leads to the very same weights."""
    config = with_overrides(
        SMALL, [("optimizer.kind", kind), ("schedule.kind", "cosine"), ("augmentation.shift", 0.1)]
    )
    if kind == "sgd":
        config = with_overrides(config, [("optimizer.momentum", 0.9), ("optimizer.nesterov", True)])
    whole = run(config, data_dir)
    resumed = run(config, data_dir, resume=whole.checkpoints[0].payload)
    assert [report.epoch for report in resumed.epochs] == [2, 3]
    assert resumed.result.weights == whole.result.weights
    assert [figures(report) for report in resumed.epochs] == [
        figures(report) for report in whole.epochs[1:]
    ]
    assert resumed.steps[0].seconds >= whole.epochs[0].seconds_training


def test_checkpoint_of_another_configuration_is_refused(data_dir: Path) -> None:
    """A state that belongs to other settings is not continued silently."""
    payload = run(with_overrides(SMALL, [("epochs", 1)]), data_dir).checkpoints[0].payload
    with pytest.raises(ArtifactError):
        run(with_overrides(SMALL, [("batch_size", 50)]), data_dir, resume=payload)
    with pytest.raises(ArtifactError):
        run(SMALL, data_dir, resume=payload[:1000])


def test_divergence_keeps_the_epochs_before(data_dir: Path) -> None:
    """A loss that is no number ends the run as diverged, with the step, a remedy, and no test figures."""
    config = with_overrides(
        SMALL,
        [
            ("optimizer.kind", "sgd"),
            ("optimizer.learning_rate", 0.5),
            ("schedule.kind", "constant"),
            ("schedule.warmup_steps", 0),
        ],
    )
    log = run(
        with_overrides(config, [("optimizer.learning_rate", 100), ("optimizer.momentum", 0.99)]),
        data_dir,
    )
    assert log.result.ending is Ending.DIVERGED
    assert "learning rate" in log.result.reason
    assert log.result.test_accuracy is None
    assert log.result.epochs == len(log.epochs) == len(log.checkpoints)
    assert all(math.isfinite(step.loss) for step in log.steps)


def test_stop_evaluates_what_there_is(data_dir: Path) -> None:
    """A stop in the second epoch keeps the first and evaluates the weights of that moment."""
    steps_per_epoch = SMALL.steps_per_epoch
    log = run(SMALL, data_dir, stop_after=lambda asked: asked > 2 * steps_per_epoch)
    assert log.result.ending is Ending.STOPPED
    assert [report.epoch for report in log.epochs] == [1]
    assert log.result.test_accuracy is not None
    assert log.result.test_accuracy > 0.5


def test_stop_is_obeyed_during_evaluation(data_dir: Path) -> None:
    """A stop that comes after the epoch's last step ends the evaluation before its next batch; the epoch does not count."""
    log = run(
        CONVOLUTIONAL, data_dir, stop_after=lambda asked: asked > CONVOLUTIONAL.steps_per_epoch + 3
    )
    assert log.result.ending is Ending.STOPPED
    assert (log.result.epochs, log.epochs, log.checkpoints) == (0, [], [])
    assert log.result.test_accuracy is None
    assert load(log.result.weights).keys() == build_sequential(CONVOLUTIONAL).state_dict().keys()


def test_step_reports_are_bounded(data_dir: Path) -> None:
    """However many steps a run has, its step reports stay few, in order, and include the first."""
    log = run(with_overrides(SMALL, [("batch_size", 2), ("epochs", 2)]), data_dir)
    assert log.epochs[-1].step == 6000
    assert len(log.steps) <= 2000
    assert log.steps[0].step == 1
    assert all(
        later.step - earlier.step >= 3
        for earlier, later in zip(log.steps[1:], log.steps[2:], strict=False)
    )


def test_bfloat16_learns_as_float32_does(data_dir: Path) -> None:
    """In bfloat16 the same run ends within two points of float32, and says which precision it used."""
    full, half = (
        run(with_overrides(SMALL, [("precision", precision)]), data_dir).result
        for precision in ("float32", "bfloat16")
    )
    assert (full.precision, half.precision) == ("float32", "bfloat16")
    assert full.test_accuracy is not None
    assert half.test_accuracy == pytest.approx(full.test_accuracy, abs=0.02)


def test_early_stopping_restores_the_best_epoch(data_dir: Path) -> None:
    """Training ends when the monitored figure stays, and the weights are those of its best epoch."""
    config = SMALL.model_copy(
        update={
            "early_stopping": EarlyStopping(monitor="val_accuracy", patience=1, min_delta=0.5),
            "epochs": 9,
        }
    )
    log = run(config, data_dir)
    assert log.result.ending is Ending.FINISHED
    assert "Early stopping" in log.result.reason
    assert (log.result.epochs, log.result.best_epoch) == (2, 1)
    best = run(with_overrides(SMALL, [("epochs", 1)]), data_dir)
    assert load(log.result.weights).keys() == load(best.result.weights).keys()
    assert all(
        torch.equal(value, load(best.result.weights)[name])
        for name, value in load(log.result.weights).items()
    )


def test_reports_say_what_happened(data_dir: Path) -> None:
    """The first step is reported, epochs count from one, steps add up, and figures are where they belong."""
    log = run(SMALL, data_dir)
    assert log.steps[0].step == 1
    assert [(report.epoch, report.step) for report in log.epochs] == [(1, 60), (2, 120), (3, 180)]
    assert all(step.epoch == math.ceil(step.step / 60) for step in log.steps)
    assert all(
        later.seconds > earlier.seconds
        for earlier, later in zip(log.steps, log.steps[1:], strict=False)
    )
    last = log.epochs[-1]
    assert last.train_accuracy > last.running_accuracy, (
        "dropout is off when the whole set is evaluated"
    )
    assert last.learning_rate == 0.001


@pytest.mark.parametrize("config", [SMALL, CONVOLUTIONAL], ids=["dense", "convolutional"])
def test_weights_fit_the_plain_network(config: RunConfig, data_dir: Path) -> None:
    """The exported weights give the stored probabilities in a plain nn.Sequential, built from the configuration alone."""
    result = run(config, data_dir).result
    network = build_sequential(config)
    network.load_state_dict(load(result.weights))
    network.eval()
    raw = load_raw("mnist", data_dir)
    with torch.inference_mode():
        expected = network(raw.test_images.float().div(255).unsqueeze(1)).softmax(1).numpy()
    assert result.test_probabilities is not None
    assert np.allclose(result.test_probabilities, expected, atol=1e-4)
    assert result.test_accuracy == pytest.approx(
        accuracy(raw.test_labels.numpy(), result.test_probabilities)
    )


def test_default_network_learns_real_digits(data_dir: Path) -> None:
    """One epoch of the ready network on all of MNIST is right about more than 95 of 100 test images."""
    result = run(RunConfig(epochs=1, split=TestAsValidation()), data_dir).result
    assert result.test_accuracy is not None
    assert result.test_accuracy > 0.95
    assert np.array_equal(result.test_probabilities, result.validation_probabilities)  # type: ignore[arg-type]


def test_test_set_is_watched_and_kept_evenly(data_dir: Path) -> None:
    """Every epoch has its test figures; probabilities are kept of some, and say the same."""
    kept = {n: [epoch for epoch in range(1, n + 1) if is_kept(epoch, n)] for n in (1, 20, 50)}
    assert kept[1] == [1]
    assert len(kept[20]) == 20
    assert len(kept[50]) == 17
    assert kept[50][-1] == 50
    outcome = run(SMALL, data_dir)
    labels = load_raw("mnist", data_dir).test_labels.numpy()
    for report, saved in zip(outcome.epochs, outcome.checkpoints, strict=True):
        assert saved.test_probabilities is not None
        assert np.mean(saved.test_probabilities.argmax(1) == labels) == pytest.approx(
            report.test_accuracy
        )


def test_times_are_those_of_the_clock(data_dir: Path) -> None:
    """A clock that counts its readings: what a training says it took is what passed on it, and nothing else of it changes."""
    readings, ticks = iter(range(10**6)), list[int]()

    def clock() -> float:
        ticks.append(next(readings))
        return float(ticks[-1])

    config = SMALL.model_copy(update={"epochs": 1})
    result = train(
        config,
        data_dir=data_dir,
        on_step=lambda _: None,
        on_epoch=lambda _: None,
        on_checkpoint=lambda _: None,
        should_stop=lambda: False,
        clock=clock,
    )
    assert result.seconds_training == int(result.seconds_training) >= config.n_steps
    assert result.seconds_training + result.seconds_evaluation <= ticks[-1]
    assert result.weights == run(config, data_dir).result.weights
