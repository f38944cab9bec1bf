"""What is written under the pointer: fractions as percentages, other numbers with all their digits."""

from __future__ import annotations

import math
from collections.abc import Iterable

from mnist_dash.formatting import NOTHING, exact, percent


def hover_texts(values: Iterable[float], *, is_share: bool) -> list[str]:
    """Write each value; a value that is no number gets a dash.

    Args:
        values: as drawn.
        is_share: whether they are fractions, written as percentages.
    """
    return [
        NOTHING if not math.isfinite(value) else percent(value) if is_share else exact(float(value))
        for value in values
    ]
