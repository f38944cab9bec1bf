"""How runs and groups are told apart in every figure of a comparison: a colour and a dash each."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

N_COLORS = 10
"""Chart colours of the theme."""
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "x")


@dataclass(frozen=True)
class Look:
    """How one run or group is drawn."""

    color: int
    """Index into the theme's chart colours."""
    dash: str = DASHES[0]
    symbol: str = SYMBOLS[0]


def looks(names: Sequence[str]) -> dict[str, Look]:
    """Give each run or group a colour and a dash by its name.

    The colour is the one that its name asks for, or else the next that is free, in the order of the names: whatever comes later changes
    nothing of what was there. Up to ten differ in colour; the next ten in the dash as well, and so on.

    Args:
        names: ids of runs or names of groups, each once, those that came first first.
    """
    found: dict[str, Look] = {}
    for place, name in enumerate(names):
        if place % N_COLORS == 0:
            free = list(range(N_COLORS))
        wanted = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) % N_COLORS
        color = min(free, key=lambda color, wanted=wanted: (color - wanted) % N_COLORS)  # type: ignore[misc]
        free.remove(color)
        level = place // N_COLORS % len(DASHES)
        found[name] = Look(color, DASHES[level], SYMBOLS[level])
    return found
