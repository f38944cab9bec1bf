"""The one-cycle schedule."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mnist_dash.core.kinds.controls import Control
from mnist_dash.core.schedules.base import COSINE_SCRIPT, FINAL, WARMUP, ScheduleKind, half_cosine
from mnist_dash.glossary import help_for


class OneCycleSchedule(ScheduleKind):
    """Rise from `start` of the rate to the full one over `rise` of the steps, then fall to `final`, both as cosines (Smith, 2018)."""

    label = "one cycle"
    controls = (
        WARMUP,
        Control("rise", "Warm-up fraction", hint=help_for("warm-up fraction")),
        Control("start", "Initial rate fraction", hint=help_for("initial rate fraction")),
        FINAL,
    )
    is_planned = True

    kind: Literal["one_cycle"] = "one_cycle"
    rise: float = Field(0.3, gt=0, lt=1)
    start: float = Field(0.04, gt=0, le=1)
    final: float = Field(0.0001, ge=0, le=1)

    def fraction(self, position: float, stride: int, last: int) -> float:
        """Give the fraction of the full rate; see `ScheduleKind.fraction`."""
        top = self.rise * last
        if position <= top:
            return half_cosine(self.start, 1.0, position / top)
        return half_cosine(1.0, self.final, min((position - top) / (last - top), 1.0))

    def script_share(self, position: str, stride: str, last: str) -> str:
        """Write the lines that set ``share``."""
        falling = f"cosine(1.0, {self.final!r}, min(({position} - top) / ({last} - top), 1.0))"
        rising = f"cosine({self.start!r}, 1.0, {position} / top)"
        return f"    top = {self.rise!r} * {last}\n    share = {rising} if {position} <= top else {falling}"

    def script_definitions(self) -> str:
        """Write the function that these lines need."""
        return COSINE_SCRIPT
