"""The step schedule."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from mnist_dash.core.kinds.controls import Control
from mnist_dash.core.schedules.base import FACTOR, WARMUP, ScheduleKind
from mnist_dash.glossary import help_for


class StepSchedule(ScheduleKind):
    """The rate times `factor` after every `every_epochs` epochs."""

    label = "steps"
    controls = (
        WARMUP,
        Control("every_epochs", "Step every (epochs)", hint=help_for("step decay epochs")),
        FACTOR,
    )

    kind: Literal["step"] = "step"
    every_epochs: int = Field(5, ge=1, le=10_000)
    factor: float = Field(0.5, gt=0, le=1)

    def fraction(self, position: float, stride: int, last: int) -> float:
        """Give the fraction of the full rate; see `ScheduleKind.fraction`."""
        return math.pow(self.factor, position // (self.every_epochs * stride))

    def script_share(self, position: str, stride: str, last: str) -> str:
        """Write the line that sets ``share``."""
        return f"    share = {self.factor!r} ** ({position} // ({self.every_epochs} * {stride}))"
