"""`RunConfig`: everything that decides a run's result, validated, hashed, JSON both ways.

A value that breaks a rule never becomes a `RunConfig`; `parse_config` turns what a person typed into one, or raises `InvalidConfig` with
every broken rule, its value and its remedy. Later code trusts the value.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from mnist_dash.core.config import nested
from mnist_dash.core.kinds.problems import FIELD_ABBREVIATIONS, invalid, problems_of
from mnist_dash.core.kinds.spec import Spec
from mnist_dash.core.layers import (
    MAX_LAYERS,
    MAX_PARAMETERS,
    Dense,
    Dropout,
    Flatten,
    ImpossibleLayer,
    Layer,
    LayerPlan,
    Shape,
    module_numbers,
    plan,
)
from mnist_dash.core.optimizers import Adam, LearningRate, Optimizer
from mnist_dash.core.scalings import Scaling
from mnist_dash.core.schedules import ConstantSchedule, Schedule
from mnist_dash.errors import InvalidConfig, Problem
from mnist_dash.text import listed, nearest, plural

N_CLASSES = 10
DatasetName = Literal["mnist", "fashion_mnist", "kmnist", "qmnist", "emnist_digits"]
DATASET_SIZES: dict[str, tuple[int, int]] = {
    "mnist": (60_000, 10_000),
    "fashion_mnist": (60_000, 10_000),
    "kmnist": (60_000, 10_000),
    "qmnist": (60_000, 60_000),
    "emnist_digits": (240_000, 40_000),
}
"""Images in the training and the test part of each data set."""

Features = Literal["pixels", "hog"]
N_HOG_FEATURES = 392
"""Features of an image by `mnist_dash.core.data.hog`: 8 orientations in 7 x 7 cells."""
Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "float32", "bfloat16"]
Monitor = Literal["val_loss", "val_accuracy", "train_loss", "train_accuracy"]


class TailSplit(Spec):
    """Validate on the last fraction of the training archive, taken before any shuffling, as Keras's `validation_split` does."""

    kind: Literal["tail"] = "tail"
    fraction: float = Field(1 / 6, ge=0.001, le=0.9)


class RandomSplit(Spec):
    """Validate on a fraction drawn at random by `seed`."""

    kind: Literal["random"] = "random"
    fraction: float = Field(1 / 6, ge=0.001, le=0.9)
    seed: int = Field(0, ge=0, lt=2**32)


class StratifiedSplit(Spec):
    """Validate on a fraction drawn at random by `seed`, the same fraction of every class."""

    kind: Literal["stratified"] = "stratified"
    fraction: float = Field(1 / 6, ge=0.001, le=0.9)
    seed: int = Field(0, ge=0, lt=2**32)


class TestAsValidation(Spec):
    """Train on the whole training archive and validate on the test set: a leak, kept because published experiments do it."""

    __test__ = False  # not a test case, whatever pytest thinks of the name
    kind: Literal["test_as_validation"] = "test_as_validation"


Split = Annotated[
    TailSplit | RandomSplit | StratifiedSplit | TestAsValidation, Field(discriminator="kind")
]


class Augmentation(Spec):
    """Random changes to each training image, drawn anew every epoch."""

    shift: float = Field(
        0.0, ge=0, le=0.5, description="largest shift along each axis, as a fraction of the side"
    )
    rotation: float = Field(
        0.0, ge=0, le=180, description="largest rotation either way, in degrees"
    )
    scale: float = Field(
        0.0, ge=0, le=0.5, description="largest change of size either way, as a fraction"
    )
    elastic: float = Field(
        0.0, ge=0, le=100, description="strength of the elastic distortion, torchvision's alpha"
    )
    elastic_sigma: float = Field(
        5.0, ge=1, le=20, description="smoothness of the elastic distortion, in pixels"
    )


class EarlyStopping(Spec):
    """End when `monitor` has not improved by `min_delta` for `patience` epochs."""

    monitor: Monitor = "val_loss"
    patience: int = Field(5, ge=1, le=1000)
    min_delta: float = Field(0.0, ge=0, le=10)
    restore_best: bool = True


class Change(Spec):
    """Settings that hold from the end of an epoch on; what is none stays as it was."""

    after_epoch: int = Field(ge=1, le=10_000, description="finished epochs when it takes effect")
    learning_rate: LearningRate | None = None
    batch_size: int | None = Field(None, ge=1, le=60_000)
    dropout_rate: float | None = Field(
        None, ge=0, le=0.95, description="rate of every dropout layer"
    )
    optimizer: Optimizer | None = Field(
        None,
        description="of another kind it begins with fresh state, of the same kind it keeps its own",
    )
    restart_schedule: bool = Field(
        default=False,
        description="whether the schedule and its warm-up begin anew, for the epochs that follow",
    )

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        parts = (self.learning_rate, self.batch_size, self.dropout_rate, self.optimizer)
        if not self.restart_schedule and all(part is None for part in parts):
            raise invalid(
                "after_epoch",
                "this change changes nothing",
                "",
                "Name a learning rate, a batch size, a dropout rate or an optimizer.",
            )
        if self.optimizer is not None and self.learning_rate is not None:
            remedy = "Give the rate within the optimizer."
            raise invalid(
                "learning_rate", "it is given twice: here and by the optimizer", "", remedy
            )
        return self


class RunConfig(Spec):
    """One training, completely: the same configuration on the same device gives the same numbers."""

    dataset: DatasetName = "mnist"
    split: Split = TailSplit()
    features: Features = "pixels"
    scaling: Scaling = "unit"
    augmentation: Augmentation | None = None
    layers: tuple[Layer, ...] = Field(
        (
            Flatten(),
            Dense(units=512),
            Dense(units=256),
            Dense(units=N_CLASSES, activation="softmax"),
        ),
        min_length=1,
        max_length=MAX_LAYERS,
    )
    optimizer: Optimizer = Adam()
    schedule: Schedule = ConstantSchedule()
    batch_size: int = Field(128, ge=1, le=60_000)
    epochs: int = Field(5, ge=1, le=10_000)
    early_stopping: EarlyStopping | None = None
    gradient_clip_norm: float | None = Field(
        None, gt=0, le=1000, description="largest global norm of the gradient"
    )
    label_smoothing: float = Field(0.0, ge=0, lt=0.5)
    probability_clip: float = Field(
        0.0, ge=0, le=0.01, description="least distance of a probability from 0 and 1 in the loss"
    )
    seed: int = Field(0, ge=0, lt=2**32)
    device: Device = "auto"
    precision: Precision = "float32"
    changes: tuple[Change, ...] = Field(
        (),
        max_length=100,
        description="settings that change at the end of an epoch, in their order",
    )

    @property
    def input_shape(self) -> Shape:
        """Shape of one input: an image, channels last, or a vector of features."""
        return (28, 28, 1) if self.features == "pixels" else (N_HOG_FEATURES,)

    @property
    def plan(self) -> tuple[LayerPlan, ...]:
        """Shapes, counts and arithmetic of every layer."""
        return plan(self.layers, self.input_shape)

    @property
    def module_numbers(self) -> tuple[int, ...]:
        """Numbers of the layers' own modules in the plain network; see `mnist_dash.core.layers.planning.module_numbers`."""
        return module_numbers(self.layers, self.input_shape)

    @property
    def n_parameters(self) -> int:
        """Trained parameters of the whole network."""
        return sum(layer.n_parameters for layer in self.plan)

    @property
    def n_training(self) -> int:
        """Images the network trains on."""
        total = DATASET_SIZES[self.dataset][0]
        return (
            total
            if self.split.kind == "test_as_validation"
            else math.floor(total * (1 - self.split.fraction) + 1e-6)
        )

    @property
    def n_validation(self) -> int:
        """Images the network is validated on after each epoch."""
        total, n_test = DATASET_SIZES[self.dataset]
        return n_test if self.split.kind == "test_as_validation" else total - self.n_training

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer updates in the first epoch, and in all where the batch size does not change; the last batch may be smaller."""
        return math.ceil(self.n_training / self.batch_size)

    @property
    def n_steps(self) -> int:
        """Optimizer updates in all epochs."""
        return self.steps_until(self.epochs)

    def steps_until(self, epoch: int) -> int:
        """Count the optimizer updates of the first `epoch` epochs."""
        n_steps, begun, size = 0, 0, self.batch_size
        for change in self.changes:
            if change.batch_size is not None and change.after_epoch < epoch:
                n_steps += (change.after_epoch - begun) * math.ceil(self.n_training / size)
                begun, size = change.after_epoch, change.batch_size
        return n_steps + (epoch - begun) * math.ceil(self.n_training / size)

    @property
    def epoch_ends(self) -> tuple[int, ...]:
        """Optimizer updates in the first 0, 1, 2 ... epochs where a change may make them differ; empty without changes."""
        return tuple(map(self.steps_until, range(self.epochs + 1))) if self.changes else ()

    def at(self, epoch: int) -> RunConfig:
        """Give the settings that hold in an epoch, as a configuration without changes."""
        values: dict[str, Any] = {}
        for change in self.changes:
            if change.after_epoch < epoch:
                values |= _changed(self.model_copy(update=values), change)
        return self.model_copy(update=values | {"changes": ()}) if self.changes else self

    @property
    def leaks_test_set(self) -> bool:
        """Whether choices made on the validation figures are choices made on the test set."""
        return self.split.kind == "test_as_validation"

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that name this configuration, whatever the order in which it was written."""
        return hashlib.sha256(canonical_json(self).encode()).hexdigest()[:12]

    @model_validator(mode="after")
    def _network_fits(self) -> Self:
        try:
            plans = self.plan
        except ImpossibleLayer as error:
            problem = error.problem
            raise invalid(problem.path, problem.fault, problem.allowed, problem.remedy) from error
        last = self.layers[-1]
        if not isinstance(last, Dense) or last.units != N_CLASSES or last.activation != "softmax":
            raise invalid(
                f"layers.{len(self.layers) - 1}",
                f"the network ends in {plans[-1].summary!r}, not in one probability per class",
                "",
                f"End the network with a dense layer of {N_CLASSES} units and activation softmax.",
            )
        for index, layer in enumerate(self.layers[:-1]):
            if isinstance(layer, Dense) and layer.activation == "softmax":
                raise invalid(
                    f"layers.{index}.activation",
                    "softmax is for the last layer alone",
                    "",
                    "Choose relu, say.",
                )
        n_parameters = sum(layer.n_parameters for layer in plans)
        if n_parameters > MAX_PARAMETERS:
            largest = max(plans, key=lambda planned: planned.n_parameters)
            raise invalid(
                f"layers.{largest.index}",
                f"the network has {n_parameters:,} parameters, {largest.n_parameters:,} of them in {largest.name}",
                f"at most {MAX_PARAMETERS:,}",
                "Make this layer narrower, or pool before it.",
            )
        return self

    @model_validator(mode="after")
    def _features_are_left_alone(self) -> Self:
        if self.features == "pixels":
            return self
        if self.augmentation is not None:
            raise invalid(
                "augmentation",
                f"{self.features} features cannot be augmented",
                "",
                "Set augmentation to none, or features to pixels.",
            )
        if self.scaling != "unit":
            remedy = "Set scaling to unit, or features to pixels."
            raise invalid(
                "scaling",
                f"{self.features} features have a scale of their own, so {self.scaling} is not for them",
                "",
                remedy,
            )
        return self

    @model_validator(mode="after")
    def _batch_fits(self) -> Self:
        if self.batch_size > self.n_training:
            raise invalid(
                "batch_size",
                f"{self.batch_size:,} is more than the training part has",
                plural(self.n_training, "image"),
                f"Choose at most {self.n_training:,}, or a smaller validation split.",
            )
        return self

    @model_validator(mode="after")
    def _changes_fit(self) -> Self:
        former = 0
        for index, change in enumerate(self.changes):
            if change.after_epoch <= former:
                said = f"a change after epoch {change.after_epoch} stands behind one after epoch {former}"
                raise invalid(
                    f"changes.{index}.after_epoch", said, "", "Sort them; join those of one epoch."
                )
            former = change.after_epoch
            if former >= self.epochs:
                remedy = f"Choose an epoch below {self.epochs:,}, or more epochs."
                said = f"{former:,} is too late in a run of {plural(self.epochs, 'epoch')}"
                raise invalid(f"changes.{index}.after_epoch", said, "", remedy)
            if change.batch_size is not None and change.batch_size > self.n_training:
                said = f"{change.batch_size:,} is more than the training part has"
                remedy = f"Choose at most {self.n_training:,}."
                raise invalid(
                    f"changes.{index}.batch_size", said, plural(self.n_training, "image"), remedy
                )
            if change.dropout_rate is not None and not any(
                isinstance(layer, Dropout) for layer in self.layers
            ):
                remedy = "Leave it out, or start a run of a network with dropout."
                raise invalid(
                    f"changes.{index}.dropout_rate", "the network has no dropout layer", "", remedy
                )
        return self


def _changed(config: RunConfig, change: Change) -> dict[str, Any]:
    """Name the fields of a configuration that a change gives other values."""
    values: dict[str, Any] = {}
    if change.optimizer is not None:
        values["optimizer"] = change.optimizer
    if change.learning_rate is not None:
        values["optimizer"] = config.optimizer.model_copy(
            update={"learning_rate": change.learning_rate}
        )
    if change.batch_size is not None:
        values["batch_size"] = change.batch_size
    if change.dropout_rate is not None:
        rate = {"rate": change.dropout_rate}
        values["layers"] = tuple(
            layer.model_copy(update=rate) if isinstance(layer, Dropout) else layer
            for layer in config.layers
        )
    return values


def canonical_json(config: RunConfig) -> str:
    """Write a configuration as JSON with sorted keys and no white space; equal configurations give equal text.

    Changes are written only where there are some, so that what has none has the text, and the hash, that it had before changes existed.
    """
    tree = config.model_dump(mode="json")
    changes = tree.pop("changes")
    if changes:
        tree["changes"] = [
            {
                name: value
                for name, value in change.items()
                if value is not None and value is not False
            }
            for change in changes
        ]
    return json.dumps(tree, sort_keys=True, separators=(",", ":"))


def parse_config(values: Mapping[str, Any] | str) -> RunConfig:
    """Validate a mapping or a JSON text into a configuration.

    Raises:
        InvalidConfig: one or more rules are broken; all of them are named.
    """
    if isinstance(values, str):
        try:
            values = nested.read_json(values)
        except nested.Twice as error:
            raise InvalidConfig((Problem("", str(error), "", "Remove one of them."),)) from error
        except ValueError as error:
            problem = Problem(
                "",
                f"this is no JSON: {str(error)[:200]}",
                "",
                "Correct the text, or start from a preset.",
            )
            raise InvalidConfig((problem,)) from error
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        raise InvalidConfig(problems_of(error)) from error


def with_overrides(config: RunConfig, overrides: Iterable[tuple[str, Any]]) -> RunConfig:
    """Change fields by their dotted paths, such as ``("optimizer.learning_rate", 0.01)``.

    Values may be text, as typed on a command line. Changing a ``kind`` drops what only the former kind has. ``none`` clears an optional
    part, and a path into a part that is not there (``early_stopping.patience``) creates it with its defaults.

    Raises:
        InvalidConfig: a path names nothing, or the changed configuration breaks a rule.
    """
    tree = config.model_dump(mode="json")
    for path, value in overrides:
        _override(tree, path, _literal(path, value))
    return parse_config(tree)


def _override(tree: nested.Tree, path: str, value: Any) -> None:  # noqa: ANN401 - JSON
    part, _, leaf = path.rpartition(".")
    former = nested.get(tree, part) if part else None
    if leaf == "kind" and isinstance(former, dict):
        if former.get("kind") != value:
            nested.put(tree, part, {"kind": value})
    elif not nested.put(tree, path, value, creates=True):
        raise InvalidConfig((_unknown_path(path, tree),))


def _literal(path: str, value: Any) -> Any:  # noqa: ANN401 - JSON
    """Read the JSON of lists and groups, true, false and none; numbers are read where it is known that a number is wanted."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.lower() in ("none", "null", "true", "false"):
        return {"none": None, "null": None, "true": True, "false": False}[text.lower()]
    if not text.startswith(("[", "{", '"')):
        return text
    try:
        return nested.read_json(text)
    except nested.Twice as error:
        raise InvalidConfig((Problem(path, str(error), "", "Remove one of them."),)) from error
    except ValueError:
        return value


def _unknown_path(path: str, tree: nested.Tree) -> Problem:
    """Say how far a path leads, and the nearest one that leads somewhere."""
    first, index, *_ = [*path.split("."), "", ""]
    if first == "layers" and index.isdigit() and int(index) >= len(tree["layers"]):
        n_layers = len(tree["layers"])
        return Problem(
            path,
            f"there is no layer {index}",
            f"{plural(n_layers, 'layer')}, counted from 0",
            f"Choose 0 to {n_layers - 1}.",
        )
    known = [*tree, *(known for known, _ in nested.leaves(tree) if known not in tree)]
    near = nearest(FIELD_ABBREVIATIONS.get(path.lower(), path), known)
    known_fields = "" if near else ", ".join(tree)
    return Problem(
        path,
        "there is no such field",
        known_fields,
        f"Did you mean {listed(near)}?" if near else "Choose one of them.",
    )
