"""What a list of runs may show, filter, sort and group by: every figure and note of a run, and every setting of its configuration.

A field knows its name, what kind of value it has, and its SQL on SQLite and PostgreSQL. Configurations stay JSON text: a setting is read by
the database's own JSON functions, so that ten thousand configurations are never parsed here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.dialects import postgresql

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.kinds.registry import alternatives
from mnist_dash.core.layers import LAYERS, MAX_LAYERS
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.states import RunState
from mnist_dash.text import nearest

Expression = sa.ColumnElement[Any]


class FieldKind(StrEnum):
    """What values a field has, and with it what it may be compared with."""

    NUMBER = "a number"
    TEXT = "text"
    TRUTH = "true or false"
    MOMENT = "a time"
    PART = "a part of the configuration"
    """It is there or it is none."""
    NAMES = "names"
    """Several texts a run, such as tags; a comparison holds where one of them meets it."""


@dataclass(frozen=True)
class Field:
    """One thing that is known of every run."""

    name: str
    """As a query and a page's address write it."""
    title: str
    """As a table's heading."""
    kind: FieldKind
    about: str = ""
    options: tuple[str, ...] = ()
    """All values of a text that has a known set of them."""
    is_share: bool = False
    """Whether it is a fraction that is written as percent."""
    is_whole: bool = False
    path: tuple[str, ...] = ()
    """Where it is in the configuration; empty for what is no setting."""

    @property
    def is_setting(self) -> bool:
        """Whether it is a field of the configuration."""
        return bool(self.path)

    def value(self, dialect: str) -> Expression:
        """Give its SQL, one value a row of `schema.runs`; not for names, of which a run has several.

        Args:
            dialect: the database's, ``sqlite`` or ``postgresql``.
        """
        if self.path:
            return _setting(self, dialect)
        return _VALUES[self.name](dialect)


def _column(name: str) -> Callable[[str], Expression]:
    return lambda _dialect: schema.runs.c[name]


def _json_text(path: tuple[str, ...], dialect: str) -> Expression:
    """Read a JSON value of the configuration; text, number or 0/1 on SQLite, always text on PostgreSQL."""
    if dialect == "postgresql":
        return sa.func.jsonb_extract_path_text(
            sa.cast(schema.runs.c.config, postgresql.JSONB), *path
        )
    steps = "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in path)
    return sa.func.json_extract(schema.runs.c.config, f"${steps}")


def _setting(field: Field, dialect: str) -> Expression:
    found = _json_text(field.path, dialect)
    kinds: dict[FieldKind, sa.types.TypeEngine[Any]] = {
        FieldKind.NUMBER: sa.Double(),
        FieldKind.TRUTH: sa.Boolean(),
    }
    kind = kinds.get(field.kind, sa.Text())
    return sa.cast(found, kind) if dialect == "postgresql" else sa.type_coerce(found, kind)


def _n_layers(dialect: str) -> Expression:
    config = schema.runs.c.config
    if dialect == "postgresql":
        return sa.func.jsonb_array_length(
            sa.func.jsonb_extract_path(sa.cast(config, postgresql.JSONB), "layers")
        )
    return sa.func.json_array_length(config, "$.layers")


_RUN_FIELDS: tuple[tuple[Field, Callable[[str], Expression] | None], ...] = (
    (Field("run", "Run", FieldKind.TEXT, "its id"), _column("id")),
    (
        Field("name", "Name", FieldKind.TEXT, "its name, from birth or from a person"),
        _column("name"),
    ),
    (
        Field(
            "state", "State", FieldKind.TEXT, "where it is in its life", tuple(map(str, RunState))
        ),
        _column("state"),
    ),
    (
        Field("starred", "Star", FieldKind.TRUTH, "whether it has a star"),
        lambda _: sa.func.coalesce(schema.runs.c.starred, sa.false()),
    ),
    (
        Field(
            "tag",
            "Tags",
            FieldKind.NAMES,
            "its tags; a comparison holds where one of them meets it",
        ),
        None,
    ),
    (
        Field(
            "study", "Study", FieldKind.NAMES, "name or id of the study that it is a trial's run of"
        ),
        None,
    ),
    (Field("notes", "Notes", FieldKind.TEXT, "what a person wrote of it"), _column("notes")),
    (
        Field("preset", "Preset", FieldKind.TEXT, "the published experiment that it is, unchanged"),
        _column("preset"),
    ),
    (
        Field(
            "best_val_accuracy",
            "Best validation",
            FieldKind.NUMBER,
            "highest validation accuracy of any epoch",
            is_share=True,
        ),
        _column("best_val_accuracy"),
    ),
    (
        Field(
            "best_epoch", "Best epoch", FieldKind.NUMBER, "the epoch of the above", is_whole=True
        ),
        _column("best_epoch"),
    ),
    (
        Field(
            "last_val_accuracy",
            "Last validation",
            FieldKind.NUMBER,
            "validation accuracy after the last epoch",
            is_share=True,
        ),
        _column("last_val_accuracy"),
    ),
    (
        Field(
            "last_val_loss",
            "Last validation loss",
            FieldKind.NUMBER,
            "validation loss after the last epoch",
        ),
        _column("last_val_loss"),
    ),
    (
        Field(
            "test_accuracy",
            "Test",
            FieldKind.NUMBER,
            "accuracy on the test set, once at the end",
            is_share=True,
        ),
        _column("test_accuracy"),
    ),
    (
        Field("test_loss", "Test loss", FieldKind.NUMBER, "loss on the test set, once at the end"),
        _column("test_loss"),
    ),
    (
        Field(
            "n_test",
            "Test images",
            FieldKind.NUMBER,
            "how many images the two above are of",
            is_whole=True,
        ),
        _column("n_test"),
    ),
    (
        Field(
            "n_parameters", "Parameters", FieldKind.NUMBER, "trainable parameters", is_whole=True
        ),
        _column("n_parameters"),
    ),
    (
        Field("n_layers", "Layers", FieldKind.NUMBER, "layers, all kinds counted", is_whole=True),
        _n_layers,
    ),
    (
        Field(
            "epoch",
            "Epochs done",
            FieldKind.NUMBER,
            "finished epochs; `epochs` is how many are planned",
            is_whole=True,
        ),
        _column("epoch"),
    ),
    (
        Field("step", "Steps done", FieldKind.NUMBER, "optimizer updates done", is_whole=True),
        _column("step"),
    ),
    (
        Field(
            "n_steps",
            "Steps planned",
            FieldKind.NUMBER,
            "optimizer updates that all epochs take",
            is_whole=True,
        ),
        _column("n_steps"),
    ),
    (
        Field("seconds", "Seconds", FieldKind.NUMBER, "of training and evaluation together"),
        lambda _: schema.runs.c.seconds_training + schema.runs.c.seconds_evaluation,
    ),
    (
        Field("seconds_training", "Seconds of training", FieldKind.NUMBER, "of training alone"),
        _column("seconds_training"),
    ),
    (
        Field(
            "seconds_evaluation", "Seconds of evaluation", FieldKind.NUMBER, "of evaluation alone"
        ),
        _column("seconds_evaluation"),
    ),
    (
        Field(
            "seconds_per_image_test",
            "Seconds a test image",
            FieldKind.NUMBER,
            "of the final evaluation, in batches",
        ),
        _column("seconds_per_image_test"),
    ),
    (
        Field("created", "Submitted", FieldKind.MOMENT, "when it was submitted"),
        _column("created_at"),
    ),
    (
        Field("started", "Started", FieldKind.MOMENT, "when a worker began with it"),
        _column("started_at"),
    ),
    (Field("ended", "Ended", FieldKind.MOMENT, "when it ended"), _column("ended_at")),
    (Field("reason", "Reason", FieldKind.TEXT, "why it ended, in a sentence"), _column("reason")),
    (
        Field(
            "owner", "Owner", FieldKind.TEXT, "who submitted it; none on a machine with one person"
        ),
        _column("owner"),
    ),
    (
        Field(
            "parent",
            "Parent",
            FieldKind.TEXT,
            "id of the run that it was forked from or goes on with",
        ),
        _column("parent_id"),
    ),
    (
        Field(
            "parent_epoch",
            "Parent's epoch",
            FieldKind.NUMBER,
            "the parent's epoch after which it goes its own way",
            is_whole=True,
        ),
        _column("parent_epoch"),
    ),
    (
        Field(
            "device",
            "Device",
            FieldKind.TEXT,
            "what trained it; `config.device` is what was asked for",
        ),
        _column("device"),
    ),
    (
        Field(
            "precision",
            "Precision",
            FieldKind.TEXT,
            "what it was trained in; `config.precision` is what was asked for",
        ),
        _column("precision"),
    ),
    (
        Field(
            "n_threads", "Threads", FieldKind.NUMBER, "CPU threads that trained it", is_whole=True
        ),
        _column("n_threads"),
    ),
    (Field("worker", "Worker", FieldKind.TEXT, "the process that had it last"), _column("worker")),
    (
        Field(
            "attempt",
            "Attempts",
            FieldKind.NUMBER,
            "how often a worker has claimed it",
            is_whole=True,
        ),
        _column("attempt"),
    ),
    (
        Field("leak", "Leak", FieldKind.TRUTH, "whether it validates on the test set"),
        lambda dialect: sa.func.coalesce(
            _json_text(("split", "kind"), dialect) == "test_as_validation", sa.false()
        ),
    ),
    (
        Field(
            "archived",
            "Archived",
            FieldKind.TRUTH,
            "whether it is out of the list, though not deleted",
        ),
        lambda _: schema.runs.c.archived_at.is_not(None),
    ),
    (
        Field(
            "config_hash",
            "Configuration",
            FieldKind.TEXT,
            "names the configuration; equal ones have equal hashes",
        ),
        _column("config_hash"),
    ),
)
_VALUES = {field.name: value for field, value in _RUN_FIELDS if value is not None}
RUN_FIELDS: Mapping[str, Field] = {field.name: field for field, _ in _RUN_FIELDS}
"""What is known of a run besides its configuration, by name."""
_ALIASES = {
    "id": "run",
    "tags": "tag",
    "star": "starred",
    "parameters": "n_parameters",
    "threads": "n_threads",
    "created_at": "created",
    "submitted": "created",
    "started_at": "started",
    "ended_at": "ended",
    "time": "seconds",
    "parent_id": "parent",
    "best_validation": "best_val_accuracy",
    "last_validation": "last_val_accuracy",
    "optimizer": "optimizer.kind",
    "schedule": "schedule.kind",
    "split": "split.kind",
}
_UNCLEAR = {
    "accuracy": ("test_accuracy", "best_val_accuracy"),
    "val_accuracy": ("best_val_accuracy", "last_val_accuracy"),
    "validation": ("best_val_accuracy", "last_val_accuracy"),
    "validation_accuracy": ("best_val_accuracy", "last_val_accuracy"),
    "test": ("test_accuracy", "test_loss"),
    "loss": ("test_loss", "last_val_loss"),
    "val_loss": ("last_val_loss",),
    "lr": ("learning_rate",),
    "units": ("layers.1.units",),
}
"""Names that could mean several fields, or are often tried: what is proposed instead."""
_LAYER = re.compile(r"layers\.(\d{1,2})\.([a-z_0-9.]+)", re.ASCII)


@cache
def settings() -> Mapping[str, Field]:
    """Give every field of a configuration by its path, but the layers' and the changes', which are lists."""
    return {
        field.name: field
        for field in _walk(RunConfig, ())
        if field.path[0] not in ("layers", "changes")
    }


@cache
def short_names() -> Mapping[str, str]:
    """Give the names that stand for a longer path because no other field ends so: ``learning_rate`` for ``optimizer.learning_rate``."""
    ends: dict[str, list[str]] = {}
    for name, field in settings().items():
        ends.setdefault(field.path[-1], []).append(name)
    taken = {*RUN_FIELDS, *settings(), *_ALIASES}
    return {end: names[0] for end, names in ends.items() if len(names) == 1 and end not in taken}


def find(name: str) -> Field | None:
    """Find a field by its name, its short name or its path in the configuration; ``config.`` before a path means the setting."""
    lowered = name.lower()
    known = RUN_FIELDS.get(lowered) or RUN_FIELDS.get(_ALIASES.get(lowered, ""))
    if known is not None:
        return known
    if lowered.startswith("config."):
        path = lowered.removeprefix("config.")
        found = (
            settings().get(_ALIASES.get(path, path))
            or settings().get(short_names().get(path, ""))
            or _of_layer(path)
        )
        return replace(found, name=lowered) if found is not None and path in RUN_FIELDS else found
    path = _ALIASES.get(lowered, lowered)
    return settings().get(path) or settings().get(short_names().get(path, "")) or _of_layer(path)


def written(field: Field) -> str:
    """Give the shortest name that finds a field."""
    if field.is_setting and field.path[1:] == ("kind",):
        return field.path[0]
    return (
        field.path[-1]
        if field.is_setting and short_names().get(field.path[-1]) == field.name
        else field.name
    )


def similar(name: str) -> tuple[str, ...]:
    """Propose names of fields for one that is none: the nearest, or all that it could mean."""
    lowered = name.lower()
    if lowered in _UNCLEAR:
        return _UNCLEAR[lowered]
    known = [*short_names(), *RUN_FIELDS, *settings(), *_ALIASES]
    return tuple(nearest(lowered, known, n=1))


def columns() -> tuple[Field, ...]:
    """Give every field that can be a column: those of a run, then the settings."""
    return (
        *RUN_FIELDS.values(),
        *(field if name not in RUN_FIELDS else _named(field) for name, field in settings().items()),
    )


def _named(field: Field) -> Field:
    """Name a setting that shares its name with a figure of the run."""
    return replace(field, name=f"config.{field.name}", title=f"{field.title} asked for")


@cache
def _layer_settings() -> Mapping[str, Field]:
    merged: dict[str, Field] = {}
    for kind in LAYERS.values():
        for field in _walk(kind, ()):
            merged[field.name] = _merge(merged.get(field.name), field)
    return merged


def _of_layer(path: str) -> Field | None:
    match = _LAYER.fullmatch(path)
    found = (
        None if match is None or int(match[1]) >= MAX_LAYERS else _layer_settings().get(match[2])
    )
    if match is None or found is None:
        return None
    name = f"layers.{int(match[1])}.{match[2]}"
    return replace(found, name=name, title=name, path=("layers", str(int(match[1])), *found.path))


def _walk(model: type[BaseModel], parents: tuple[str, ...]) -> Iterator[Field]:
    """List the fields of a model and of its parts, each path once, whatever kinds have it."""
    for name, info in model.model_fields.items():
        path = (*parents, name)
        options = list(alternatives(info.annotation, info.metadata))
        parts = [kind for kind in options if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if parts and type(None) in options:
            yield _field(path, FieldKind.PART, "none where it is not used")
        merged: dict[str, Field] = {}
        for part in parts:
            for field in _walk(part, path):
                merged[field.name] = _merge(merged.get(field.name), field)
        yield from merged.values()
        plain = [
            kind
            for kind in options
            if kind is not type(None) and kind not in parts and kind is not ...
        ]
        if plain and not parts:
            yield _leaf(path, plain, info.description or "")


def _leaf(path: tuple[str, ...], kinds: list[Any], about: str) -> Field:
    words = tuple(kind for kind in kinds if isinstance(kind, str))
    if words:
        return replace(_field(path, FieldKind.TEXT, about), options=words)
    if bool in kinds:
        return _field(path, FieldKind.TRUTH, about)
    return replace(_field(path, FieldKind.NUMBER, about), is_whole=kinds == [int])


def _field(path: tuple[str, ...], kind: FieldKind, about: str) -> Field:
    title = (
        path[0]
        if len(path) == 2 and path[1] == "kind"
        else path[-1]
        if len(path) == 1 or path[0] == "optimizer"
        else " ".join(path)
    )
    return Field(".".join(path), title.replace("_", " ").capitalize(), kind, about, path=path)


def _merge(known: Field | None, field: Field) -> Field:
    return (
        field
        if known is None
        else replace(known, options=tuple(dict.fromkeys((*known.options, *field.options))))
    )
