"""What a schedule kind says of itself: its fields, its formula, and its lines in an exported script. No torch."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar

from pydantic import Field

from mnist_dash.core.kinds.controls import Control
from mnist_dash.core.kinds.spec import Kind
from mnist_dash.glossary import help_for

WARMUP = Control("warmup_steps", "Warm-up steps", hint=help_for("warm-up steps"))
FACTOR = Control("factor", "Decay factor", hint=help_for("decay factor"))
FINAL = Control("final", "Final rate fraction", hint=help_for("final rate fraction"))

COSINE_SCRIPT = '''def cosine(begin: float, end: float, progress: float) -> float:
    """Go from begin to end on half a cosine."""
    return end + (begin - end) * (1 + math.cos(math.pi * progress)) / 2'''


class ScheduleKind(Kind):
    """One kind of learning-rate schedule; it scales the optimizer's own rate and never exceeds it."""

    is_planned: ClassVar[bool] = False
    """Whether its course depends on how many epochs there are."""

    warmup_steps: int = Field(
        0, ge=0, le=1_000_000, description="optimizer steps of linear rise from 0 to the full rate"
    )
    kind: str = ""

    @abstractmethod
    def fraction(self, position: float, stride: int, last: int) -> float:
        """Give the fraction of the full rate, before warm-up and decay, in [0, 1].

        Args:
            position: updates done since it began.
            stride: updates an epoch.
            last: its last update.
        """

    @abstractmethod
    def script_share(self, position: str, stride: str, last: str) -> str:
        """Write the lines of an exported script that set ``share``, the same fraction; indented by four.

        Args:
            position: the name of the updates done since it began.
            stride: that of the updates an epoch.
            last: that of its last update.
        """

    def script_definitions(self) -> str:
        """Write the functions that these lines need."""
        return ""


def half_cosine(begin: float, end: float, progress: float) -> float:
    """Go from `begin` to `end` on half a cosine, flat at both."""
    return end + (begin - end) * (1 + math.cos(math.pi * progress)) / 2
