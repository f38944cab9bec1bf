"""How an editor shows a field, as data: what to draw is said here, how is the page's own business."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class ControlKind(Enum):
    """How a field is set."""

    NUMBER = "number"
    """Typed; its bounds are those of the field."""
    CHOICE = "choice"
    """Chosen from named options."""
    FLAG = "flag"
    """Yes or no."""
    INITIALIZER = "initializer"
    """An initialiser and its own fields."""


@dataclass(frozen=True)
class SearchRange:
    """Where a study begins to search a field; a base's own value beyond it widens it."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Control:
    """One field in an editor."""

    field: str
    label: str
    hint: str | None = None
    kind: ControlKind = ControlKind.NUMBER
    options: Mapping[str, str] | None = None
    """Value -> name, of a choice."""
    is_folded: bool = False
    """Whether it is hidden until a person asks for more."""
    search: SearchRange | None = None
    """Where a study begins; without it, about the base's own value."""
    is_searchable: bool = True
    """Whether a study may search its values."""
