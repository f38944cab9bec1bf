"""The exponential schedule."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from mnist_dash.core.schedules.base import FACTOR, WARMUP, ScheduleKind


class ExponentialSchedule(ScheduleKind):
    """The rate times `factor` after every epoch, continuously by step."""

    label = "exponential"
    controls = (WARMUP, FACTOR)

    kind: Literal["exponential"] = "exponential"
    factor: float = Field(0.9, gt=0, le=1)

    def fraction(self, position: float, stride: int, last: int) -> float:
        """Give the fraction of the full rate; see `ScheduleKind.fraction`."""
        return math.pow(self.factor, position / stride)

    def script_share(self, position: str, stride: str, last: str) -> str:
        """Write the line that sets ``share``."""
        return f"    share = {self.factor!r} ** ({position} / {stride})"
