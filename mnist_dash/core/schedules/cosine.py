"""The cosine schedule."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mnist_dash.core.schedules.base import COSINE_SCRIPT, FINAL, WARMUP, ScheduleKind, half_cosine


class CosineSchedule(ScheduleKind):
    """Half a cosine from the full rate to `final` of it (Loshchilov and Hutter, 2017)."""

    label = "cosine"
    controls = (WARMUP, FINAL)
    is_planned = True

    kind: Literal["cosine"] = "cosine"
    final: float = Field(0.0, ge=0, le=1, description="last rate, as a fraction of the full one")

    def fraction(self, position: float, stride: int, last: int) -> float:
        """Give the fraction of the full rate; see `ScheduleKind.fraction`."""
        return half_cosine(1.0, self.final, min(position / last, 1.0))

    def script_share(self, position: str, stride: str, last: str) -> str:
        """Write the line that sets ``share``."""
        return f"    share = cosine(1.0, {self.final!r}, min({position} / {last}, 1.0))"

    def script_definitions(self) -> str:
        """Write the function that this line needs."""
        return COSINE_SCRIPT
