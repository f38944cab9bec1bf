"""How far something that is waited for is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class View:
    """How far something is."""

    description: str
    """A line that stands beside the bar."""
    fraction: float | None
    """Of what is to be done, in [0, 1]; None where nobody knows."""
    lines: tuple[str, ...] = ()
    """What happened since the view before, where there is no bar."""
    above: tuple[str, ...] = ()
    """What happened since the view before, above the bar of a terminal."""


Show = Callable[[View], None]
