"""Configurations: JSON both ways, hashes, hard bounds, and sentences for whatever breaks them."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_dash.core.config.run_config import (
    DATASET_SIZES,
    Augmentation,
    EarlyStopping,
    RandomSplit,
    RunConfig,
    TestAsValidation,
    canonical_json,
    parse_config,
    with_overrides,
)
from mnist_dash.core.layers import Conv, Dense, Flatten, MaxPool
from mnist_dash.core.optimizers import OPTIMIZERS
from mnist_dash.core.schedules import CosineSchedule
from mnist_dash.errors import InvalidConfig

FRACTIONS = st.floats(0.001, 0.9)
LAYERS = st.lists(st.integers(1, 64), max_size=3).map(
    lambda units: (
        Flatten(),
        *(Dense(units=n) for n in units),
        Dense(units=10, activation="softmax"),
    )
)
CONFIGS = st.builds(
    RunConfig,
    dataset=st.sampled_from(sorted(DATASET_SIZES)),
    split=st.builds(RandomSplit, fraction=FRACTIONS, seed=st.integers(0, 2**32 - 1))
    | st.just(TestAsValidation()),
    scaling=st.sampled_from(("unit", "minmax", "standard")),
    augmentation=st.none()
    | st.builds(Augmentation, shift=st.floats(0, 0.5), rotation=st.floats(0, 180)),
    layers=LAYERS,
    optimizer=st.sampled_from(sorted(OPTIMIZERS)).map(lambda kind: OPTIMIZERS[kind]()),
    schedule=st.builds(CosineSchedule, warmup_steps=st.integers(0, 1000), final=st.floats(0, 1)),
    batch_size=st.integers(1, 6000),
    epochs=st.integers(1, 10_000),
    early_stopping=st.none() | st.builds(EarlyStopping, patience=st.integers(1, 1000)),
    seed=st.integers(0, 2**32 - 1),
)


SOFTMAX = {"kind": "dense", "units": 10, "activation": "softmax"}


def _problem(values: dict[str, Any]) -> str:
    with pytest.raises(InvalidConfig) as refused:
        parse_config(values)
    return str(refused.value)


@given(config=CONFIGS)
def test_json_brings_back_the_same_configuration(config: RunConfig) -> None:
    """Configuration -> JSON -> configuration changes nothing, and neither does the order of the keys."""
    text = canonical_json(config)
    shuffled = json.dumps(dict(reversed(json.loads(text).items())))
    assert parse_config(text) == config == parse_config(shuffled)
    assert parse_config(shuffled).hash == config.hash


@given(one=CONFIGS, other=CONFIGS)
def test_hash_tells_configurations_apart(one: RunConfig, other: RunConfig) -> None:
    """Equal configurations have equal hashes, different ones different hashes."""
    assert (one.hash == other.hash) == (one == other)


def test_hash_is_stable() -> None:
    """The hash of a written configuration does not depend on what its author spelled out."""
    assert parse_config("{}").hash == RunConfig().hash == parse_config({"epochs": 5}).hash
    assert parse_config({"epochs": 6}).hash != RunConfig().hash


@given(config=CONFIGS)
def test_parts_add_up_to_the_archive(config: RunConfig) -> None:
    """Training and validation part are the training archive, except where the test set validates."""
    n_archive, n_test = DATASET_SIZES[config.dataset]
    expected = (
        (n_archive, n_test) if config.leaks_test_set else (n_archive, n_archive - config.n_training)
    )
    assert (
        config.n_training if config.leaks_test_set else n_archive,
        config.n_validation,
    ) == expected
    assert config.steps_per_epoch == math.ceil(config.n_training / config.batch_size)
    assert config.batch_size <= config.n_training


@pytest.mark.parametrize(
    ("fraction", "n_training"),
    [(1 / 6, 50_000), (0.3, 42_000), (0.1, 54_000), (0.2, 48_000), (0.4, 36_000), (0.5, 30_000)],
)
def test_fractions_split_as_keras_does(fraction: float, n_training: int) -> None:
    """The published fractions give the published sizes, in spite of binary floating point."""
    assert parse_config({"split": {"kind": "tail", "fraction": fraction}}).n_training == n_training


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"epochs": 10**9}, ["epochs: 1000000000 is too large (1 to 10,000)."]),
        ({"epochs": 2.5}, ["epochs", "whole number", "2.5"]),
        (
            {"epochs": "many"},
            ["epochs: 'many' is no whole number. Type a whole number such as 10."],
        ),
        ({"epochs": True}, ["epochs: true is no whole number"]),
        (
            {"epochs": "1.000"},
            ["epochs: '1.000' is ambiguous where a whole number is wanted. Write 1 or 1000."],
        ),
        ({"batch_size": "60,001"}, ["batch_size: 60001 is too large (1 to 60,000)."]),
        ({"label_smoothing": "0,1"}, ["label_smoothing: '0,1' is no number. Type 0.1."]),
        ({"batch_size": 0}, ["batch_size: 0 is too small (1 to 60,000)."]),
        (
            {"batch_size": 60_000},
            [
                "batch_size: 60,000 is more than the training part has (50,000 images). Choose at most 50,000"
            ],
        ),
        (
            {"optimizer": {"kind": "adam", "learning_rate": math.nan}},
            ["optimizer.learning_rate", "finite", "nan"],
        ),
        ({"optimizer": {"kind": "adam", "learning_rate": math.inf}}, ["optimizer.learning_rate"]),
        (
            {"optimizer": {"kind": "adam", "learning_rate": -1}},
            ["optimizer.learning_rate: -1 is too small (above 0 and at most 100)."],
        ),
        (
            {"optimizer": {"kind": "adam", "momentum": 0.9}},
            ["optimizer.momentum: adam has no field momentum", "rmsprop and sgd have"],
        ),
        (
            {"optimizer": {"kind": "adam", "weight_decay": 0.1}},
            ["adam has no field weight_decay", "set kind to adamw"],
        ),
        (
            {"optimizer": {"kind": "adam", "lr": 0.1}},
            ["adam has no field lr", "Did you mean learning_rate?"],
        ),
        (
            {"optimizer": "adam"},
            [
                "optimizer: 'adam' stands where a group of fields is wanted. Write optimizer.kind=adam."
            ],
        ),
        (
            {"optimizer": {"kind": "sgd", "nesterov": True}},
            ["optimizer.nesterov: Nesterov's step has no momentum", "Set momentum to 0.9"],
        ),
        ({"optimizer": {"kind": "magic"}}, ["optimizer.kind", "'magic'", "adam"]),
        ({"optimizer": {"learning_rate": 0.1}}, ["optimizer.kind", "Add a kind"]),
        (
            {"layers": [{"kind": "dense", "units": -1}]},
            ["layers.0.units: -1 is too small (1 to 8,192)."],
        ),
        ({"layers": []}, ["layers: 0 layers are too few (1 to 64)."]),
        ({"layers": [{"kind": "flatten"}] * 65}, ["layers: 65 layers are too many (1 to 64)."]),
        ({"layers": [{"kind": "transformer"}]}, ["layers.0.kind", "'transformer'", "conv"]),
        (
            {"layers": [{"kind": "flatten"}]},
            ["layers.0", "10 units and activation softmax", "flatten"],
        ),
        (
            {"layers": [{"kind": "flatten"}, {"kind": "dense", "activation": "ReLU"}, SOFTMAX]},
            ["layers.1.activation: 'ReLU' is not known", "Did you mean relu?"],
        ),
        (
            {"split": {"kind": "tail", "fraction": 0}},
            ["split.fraction: 0 is too small (0.001 to 0.9)."],
        ),
        ({"dataset": "cifar"}, ["dataset: 'cifar' is not known (mnist,"]),
        ({"seed": -1}, ["seed: -1 is too small (at least 0 and below 4,294,967,296)."]),
        ({"device": "tpu"}, ["device", "'tpu'", "cuda"]),
        ({"epoch": 3}, ["epoch: there is no field epoch", "Did you mean epochs?"]),
    ],
)
def test_broken_rule_is_a_sentence(values: dict[str, Any], words: list[str]) -> None:
    """The sentence says what is wrong with the value, what is allowed and what to do, and nothing in pydantic's words."""
    said = _problem(values)
    assert [word for word in words if word not in said] == [], said
    assert said[-1] in ".?"
    assert not [word for word in ("Input should", "valid ", "; got") if word in said]


def test_impossible_network_names_layer_and_shapes() -> None:
    """A layer that does not fit is named with the shapes."""
    layers = [MaxPool(size=14), Conv(kernel=3), Flatten(), Dense(units=10, activation="softmax")]
    said = _problem({"layers": [layer.model_dump() for layer in layers]})
    assert said.startswith("layers.1: conv_1: ")
    assert "a 3x3 kernel without padding is larger than its input of 2 x 2 x 1" in said


def test_softmax_inside_is_refused() -> None:
    """Softmax belongs to the last layer only."""
    layers = [
        Flatten(),
        Dense(units=20, activation="softmax"),
        Dense(units=10, activation="softmax"),
    ]
    assert "layers.1.activation" in _problem({"layers": [layer.model_dump() for layer in layers]})


def test_too_large_network_names_its_largest_layer() -> None:
    """Fifty million parameters are the limit; the layer that has most of them is named."""
    layers = [
        Flatten(),
        Dense(units=8192),
        Dense(units=8192),
        Dense(units=10, activation="softmax"),
    ]
    said = _problem({"layers": [layer.model_dump() for layer in layers]})
    assert "layers.2" in said
    assert "50,000,000" in said


def test_all_problems_are_told_at_once() -> None:
    """Every broken rule is listed, each with its path."""
    with pytest.raises(InvalidConfig) as refused:
        parse_config(
            {
                "epochs": 0,
                "seed": -1,
                "layers": [{"kind": "dense", "units": 0}, {"kind": "conv", "kernel": 99}],
            }
        )
    assert [problem.path for problem in refused.value.problems] == [
        "layers.0.units",
        "layers.1.kernel",
        "epochs",
        "seed",
    ]


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "3", "null", '"text"', '{"epochs": NaN}', "[" * 100_000]
)
def test_text_that_is_no_configuration_is_refused(text: str) -> None:
    """Whatever the text, the answer is a sentence."""
    with pytest.raises(InvalidConfig) as refused:
        parse_config(text)
    assert len(str(refused.value)) < 400


def test_configurations_are_frozen() -> None:
    """A configuration does not change after it was hashed."""
    with pytest.raises(ValueError, match="frozen"):
        RunConfig().epochs = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("epochs", "8", {"epochs": 8}),
        ("optimizer.learning_rate", "1e-2", {"optimizer": {"kind": "adam", "learning_rate": 0.01}}),
        ("optimizer.kind", "sgd", {"optimizer": {"kind": "sgd"}}),
        ("early_stopping.patience", "3", {"early_stopping": {"patience": 3}}),
        ("augmentation", '{"shift": 0.1}', {"augmentation": {"shift": 0.1}}),
        ("device", "cpu", {"device": "cpu"}),
        ("gradient_clip_norm", "none", {}),
        ("split", '{"kind": "test_as_validation"}', {"split": {"kind": "test_as_validation"}}),
    ],
)
def test_override_changes_one_path(path: str, value: str, expected: dict[str, Any]) -> None:
    """Text typed at a path gives the configuration that JSON would."""
    assert with_overrides(RunConfig(), [(path, value)]) == parse_config(expected)


def test_new_kind_drops_what_only_the_former_had() -> None:
    """Changing the kind and then a field of the new one works in this order."""
    config = with_overrides(
        RunConfig(),
        [("optimizer.kind", "sgd"), ("optimizer.momentum", "0.9"), ("optimizer.nesterov", "true")],
    )
    assert config.optimizer.model_dump() == {
        "kind": "sgd",
        "learning_rate": 0.01,
        "momentum": 0.9,
        "nesterov": True,
        "decay": 0.0,
    }


def test_same_kind_keeps_its_values() -> None:
    """Naming the kind that is there already resets nothing."""
    config = with_overrides(
        RunConfig(), [("optimizer.learning_rate", "0.5"), ("optimizer.kind", "adam")]
    )
    assert config.optimizer.learning_rate == 0.5


@pytest.mark.parametrize(
    "path",
    [
        "nothing",
        "optimizer.rate",
        "layers.9.units",
        "layers.x",
        "epochs.more",
        "",
        ".",
        "layers.-1.units",
        "seed.",
    ],
)
def test_unknown_path_is_named(path: str) -> None:
    """A path that names nothing is refused with what there is."""
    with pytest.raises(InvalidConfig) as refused:
        with_overrides(RunConfig(), [(path, "1")])
    assert str(refused.value)[-1] in ".?"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("lr", "Did you mean optimizer.learning_rate?"),
        ("learning_rate", "Did you mean optimizer.learning_rate?"),
        ("optimizr.kind", "Did you mean optimizer.kind"),
        ("layers.9.units", "there is no layer 9 (4 layers, counted from 0). Choose 0 to 3."),
        (
            "layers.1.unit",
            "dense has no field unit (it has units, activation, kernel_init, bias_init, l2). Did you mean units?",
        ),
        ("zzz", "there is no such field (dataset, split,"),
    ],
)
def test_mistyped_paths_have_neighbours(path: str, said: str) -> None:
    """The nearest paths are offered, whichever part of them was typed."""
    with pytest.raises(InvalidConfig, match=re.escape(said)):
        with_overrides(RunConfig(), [(path, "1")])


@pytest.mark.parametrize(
    "text", ['{"epochs": 3, "epochs": 4}', '{"optimizer": {"kind": "adam", "kind": "sgd"}}']
)
def test_keys_that_stand_twice_are_refused(text: str) -> None:
    """Neither value is taken in silence."""
    with pytest.raises(
        InvalidConfig, match=r"the key '(epochs|kind)' is written twice\. Remove one of them"
    ):
        parse_config(text)


@pytest.mark.parametrize(
    ("typed", "value"),
    [("5,000", 5000), ("1_000", 1000), ("1e3", 1000), (" 7 ", 7), ("10000", 10000)],
)
def test_numbers_are_read_as_people_write_them(typed: str, value: int) -> None:
    """From a command line and within JSON alike."""
    assert (
        with_overrides(RunConfig(), [("epochs", typed)]).epochs
        == parse_config({"epochs": typed}).epochs
        == value
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("scaling", "minmax"), "scale of their own"),
        (("augmentation", {}), "hog features cannot be augmented"),
    ],
)
def test_features_are_neither_scaled_nor_augmented(change: tuple[str, object], said: str) -> None:
    """HOG features go into the network as they are, 392 of them."""
    config = with_overrides(RunConfig(), [("features", "hog")])
    assert config.input_shape == (392,)
    assert config.plan[1].n_parameters == 392 * 512 + 512
    with pytest.raises(InvalidConfig, match=said):
        with_overrides(config, [change])
