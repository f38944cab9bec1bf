"""The ready configurations are what their reports describe."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mnist_dash.core.config.experiments import Preset
from mnist_dash.core.config.presets import DEFAULT_PRESET, PRESETS, preset
from mnist_dash.core.config.published import EXPERIMENTS
from mnist_dash.core.config.run_config import RandomSplit, RunConfig, TailSplit, parse_config
from mnist_dash.core.data.dataset import Part, PreparedData, prepare
from mnist_dash.core.layers import Constant, Dense, GlorotUniform, TruncatedNormal, Zeros
from mnist_dash.core.optimizers import SGD, Adadelta, Adam
from mnist_dash.core.training.loop import train
from mnist_dash.core.training.reports import Ending, EpochReport, StepReport
from mnist_dash.errors import UnknownPreset

PARAMETERS_BY_LAYER = {
    "mlp_512_256": [0, 401_920, 131_328, 2_570],
    "cnn_32_64_adadelta": [320, 18_496, 0, 0, 0, 1_179_776, 0, 1_290],
    "cnn_9_9_16": [234, 0, 2_034, 0, 1_312, 0, 0, 43_500, 0, 9_030, 0, 310],
    "cnn_32_64_5x5": [832, 0, 51_264, 0, 0, 31_370],
    "linear_10_10": [0, 7_850, 110],
    "mlp_1500x3": [0, 1_177_500, 2_251_500, 2_251_500, 15_010],
}
"""As the reports print them, or by hand where they do not: inputs times outputs plus biases."""

OUTPUT_SHAPES = {
    "cnn_32_64_adadelta": [
        (26, 26, 32),
        (24, 24, 64),
        (12, 12, 64),
        (12, 12, 64),
        (9216,),
        (128,),
        (128,),
        (10,),
    ],
    "cnn_9_9_16": [
        *[(28, 28, 9), (14, 14, 9), (14, 14, 9), (7, 7, 9), (7, 7, 16), (3, 3, 16)],
        *[(144,), (300,), (300,), (30,), (30,), (10,)],
    ],
}


def test_default_is_first_and_quick() -> None:
    """What Train starts with is the configuration that needs no choice."""
    assert next(iter(PRESETS)) == DEFAULT_PRESET.name
    assert DEFAULT_PRESET.config == RunConfig()
    assert DEFAULT_PRESET.config.epochs <= 5


@pytest.mark.parametrize("name", PARAMETERS_BY_LAYER)
def test_parameters_are_the_published_ones(name: str) -> None:
    """Each layer has as many parameters as its report says."""
    assert [layer.n_parameters for layer in preset(name).config.plan] == PARAMETERS_BY_LAYER[name]


@pytest.mark.parametrize("name", OUTPUT_SHAPES)
def test_output_shapes_are_the_published_ones(name: str) -> None:
    """Each layer gives the shape that its report prints."""
    assert [layer.output_shape for layer in preset(name).config.plan] == OUTPUT_SHAPES[name]


@pytest.mark.parametrize(
    ("name", "n_training", "n_validation", "batch_size", "epochs"),
    [
        ("mlp_512_256", 42_000, 18_000, 512, 50),
        ("cnn_32_64_adadelta", 42_000, 18_000, 256, 3),
        ("cnn_32_64_5x5", 60_000, 10_000, 100, 34),
        ("cnn_9_9_16", 60_000, 10_000, 128, 10),
        ("linear_10_10", 60_000, 10_000, 100, 17),
        ("mlp_1500x3", 60_000, 10_000, 100, 34),
    ],
)
def test_sizes_are_the_published_ones(
    name: str, n_training: int, n_validation: int, batch_size: int, epochs: int
) -> None:
    """Parts, batches and epochs are the report's."""
    config = preset(name).config
    assert (config.n_training, config.n_validation, config.batch_size, config.epochs) == (
        n_training,
        n_validation,
        batch_size,
        epochs,
    )


def test_optimizers_are_the_published_ones() -> None:
    """Optimizers have Keras 2's defaults where the report gives none, and its epsilon where it does."""
    keras, report = (
        Adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7),
        Adam(epsilon=1e-8),
    )
    expected = {
        "mlp_512_256": keras,
        "cnn_9_9_16": keras,
        "cnn_32_64_adadelta": Adadelta(learning_rate=1.0, rho=0.95, epsilon=1e-7),
        "linear_10_10": SGD(learning_rate=0.5),
        "mlp_1500x3": report,
        "cnn_32_64_5x5": report,
    }
    assert {name: PRESETS[name].config.optimizer for name in expected} == expected


def test_splits_and_scalings_are_the_published_ones() -> None:
    """One report splits at random and scales by pixel; one takes the tail; the others validate on the test set."""
    random, tail = PRESETS["mlp_512_256"].config, PRESETS["cnn_32_64_adadelta"].config
    assert isinstance(random.split, RandomSplit)
    assert isinstance(tail.split, TailSplit)
    assert (random.scaling, tail.scaling) == ("minmax", "unit")
    leaking = {name for name, ready in PRESETS.items() if ready.config.leaks_test_set}
    dense = {"linear_10_10", "mlp_1500x3", "mlp_1500x3_dropout", "mlp_300_30", "mlp_300_30_hog"}
    assert leaking == {"cnn_32_64_5x5", "cnn_9_9_16"} | dense


@pytest.mark.parametrize("name", ["mlp_1500x3", "cnn_32_64_5x5"])
def test_initialisers_are_the_published_ones(name: str) -> None:
    """Hidden kernels are narrow truncated normals with small positive biases; the output's are Keras's defaults."""
    *hidden, last = [
        layer for layer in preset(name).config.layers if layer.kind in ("conv", "dense")
    ]
    assert isinstance(last, Dense)
    assert (last.kernel_init, last.bias_init) == (GlorotUniform(), Zeros())
    for layer in hidden:
        values = layer.model_dump()
        assert values["kernel_init"] == TruncatedNormal(std=0.01).model_dump()
        assert values["bias_init"] == Constant(value=0.1).model_dump()


def test_linear_network_begins_with_zeros() -> None:
    """The first layer of the linear network starts at zero, the second at Keras's default."""
    _, first, second = PRESETS["linear_10_10"].config.layers
    assert isinstance(first, Dense)
    assert isinstance(second, Dense)
    assert (first.kernel_init, first.bias_init, first.activation) == (Zeros(), Zeros(), "linear")
    assert second.kernel_init == GlorotUniform()


@pytest.mark.parametrize("ready", PRESETS.values(), ids=PRESETS)
def test_every_preset_survives_json(ready: Preset) -> None:
    """A preset written as JSON is read back as itself, with the same hash, in float32."""
    config = ready.config
    again = parse_config(config.model_dump_json())
    assert again == config
    assert again.hash == config.hash
    assert config.precision == "float32"


@pytest.fixture(scope="module")
def published_systems() -> dict[str, dict[str, Any]]:
    """The reports' own numbers, by experiment, with what an entry takes from its base."""
    entries = json.loads((Path(__file__).parent / "published.json").read_text())
    bases = entries_by_id(entries)
    return {
        entry["id"]: {**bases.get(entry.get("base", ""), {}), "published": {}, **entry}
        for entry in entries
    }


def entries_by_id(entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Find entries by their name."""
    return {entry["id"]: entry for entry in entries}


def test_every_published_experiment_is_there(published_systems: dict[str, dict[str, Any]]) -> None:
    """Seventeen experiments, and one sound variant of the one whose printed code is not that of its log."""
    assert {ready.name for ready in EXPERIMENTS} == set(published_systems) | {"mlp_784_adam"}
    assert len(published_systems) == 17
    assert [name for name, ready in PRESETS.items() if ready.published is None] == [
        DEFAULT_PRESET.name
    ]


@pytest.mark.parametrize("ready", EXPERIMENTS, ids=[ready.name for ready in EXPERIMENTS])
def test_published_numbers_are_the_reports(
    ready: Preset, published_systems: dict[str, dict[str, Any]]
) -> None:
    """Every number of a report's entry stands in the preset, and the network has the published counts and shapes."""
    entry = published_systems[ready.name.removesuffix("_adam")]
    assert ready.published is not None
    wanted, found = entry.get("published", {}), ready.published
    assert found.source == entry["source"]
    counts = entry.get("parameters", {})
    if counts:
        assert found.n_parameters == counts["total"]
        assert ready.config.n_parameters == counts["total"]
    plans = ready.config.plan[ready.config.layers[0].kind == "flatten" :]
    assert [layer.n_parameters for layer in plans] == counts.get(
        "by_layer", [layer.n_parameters for layer in plans]
    )
    shapes = [list(layer.output_shape) for layer in plans]
    assert shapes == entry.get("output_shapes", shapes)
    for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy"):
        if name in wanted:
            assert [value for _, value in getattr(found, name)] == wanted[name]
    test_accuracy = wanted.get(
        "test_accuracy", 1 - wanted["test_error"] if "test_error" in wanted else None
    )
    assert found.test_accuracy == (None if test_accuracy is None else pytest.approx(test_accuracy))
    assert found.test_loss == wanted.get("test_loss")
    for path, values in entry.get("grid", {}).items():
        assert ready.grid is not None
        assert ready.grid.values == tuple(values)
        assert ready.grid.path in (path, "split.fraction")
    for setting in ("batch_size", "epochs"):
        if setting in entry and setting not in entry.get("grid", {}):
            assert getattr(ready.config, setting) == entry[setting]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("mlp_512", "mlp_512_256"), ("cnn_9916", "cnn_9_9_16"), ("???", "mlp_1500x3")],
)
def test_unknown_preset_offers_near_names(typed: str, offered: str) -> None:
    """A wrong name is answered with the nearest ones, or with all."""
    with pytest.raises(UnknownPreset, match=offered):
        preset(typed)


@pytest.fixture
def few_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluate on every tenth validation and test image: nine tenths of the time would go into the others."""

    def shortened(config: RunConfig, data_dir: Path, device: torch.device) -> PreparedData:
        data = prepare(config, data_dir, device)
        return replace(data, validation=_tenth(data.validation), test=_tenth(data.test))

    monkeypatch.setattr("mnist_dash.core.training.loop.prepare", shortened)


def _tenth(part: Part) -> Part:
    return Part(part.images[::10], part.labels[::10])


@pytest.mark.slow
@pytest.mark.usefixtures("few_evaluated")
@pytest.mark.parametrize("ready", EXPERIMENTS, ids=[ready.name for ready in EXPERIMENTS])
def test_every_experiment_trains_and_improves(
    ready: Preset, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One epoch on a tenth of the images brings the loss down from its first batch's."""
    data_dir = tmp_path_factory.getbasetemp() / "experiments"
    config = ready.config.model_copy(
        update={
            "split": TailSplit(fraction=0.9),
            "epochs": 1,
            "batch_size": min(ready.config.batch_size, 200),
        }
    )
    steps: list[StepReport] = []
    epochs: list[EpochReport] = []
    result = train(
        config,
        data_dir=data_dir,
        on_step=steps.append,
        on_epoch=epochs.append,
        on_checkpoint=lambda _: None,
        should_stop=lambda: False,
    )
    assert result.ending is Ending.FINISHED
    assert epochs[0].train_loss < 0.9 * steps[0].loss
    assert epochs[0].test_accuracy > 0.5
