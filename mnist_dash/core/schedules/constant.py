"""The constant schedule."""

from __future__ import annotations

from typing import Literal

from mnist_dash.core.schedules.base import WARMUP, ScheduleKind


class ConstantSchedule(ScheduleKind):
    """The optimizer's rate throughout."""

    label = "constant"
    controls = (WARMUP,)

    kind: Literal["constant"] = "constant"

    def fraction(self, position: float, stride: int, last: int) -> float:
        """Give the fraction of the full rate: all of it."""
        return 1.0

    def script_share(self, position: str, stride: str, last: str) -> str:
        """Write the line that sets ``share``."""
        return "    share = 1.0"
