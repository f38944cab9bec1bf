"""Learning-rate schedules: a module each with all that the product knows of a kind, and the registry in which it is found."""

from __future__ import annotations

from typing import Annotated

from mnist_dash.core.kinds.registry import OneOf, Registry
from mnist_dash.core.schedules.base import ScheduleKind
from mnist_dash.core.schedules.constant import ConstantSchedule
from mnist_dash.core.schedules.cosine import CosineSchedule
from mnist_dash.core.schedules.exponential import ExponentialSchedule
from mnist_dash.core.schedules.one_cycle import OneCycleSchedule
from mnist_dash.core.schedules.step import StepSchedule

SCHEDULES: Registry[ScheduleKind] = Registry(
    (ConstantSchedule, StepSchedule, ExponentialSchedule, CosineSchedule, OneCycleSchedule)
)
Schedule = Annotated[ScheduleKind, OneOf(SCHEDULES)]

__all__ = [
    "SCHEDULES",
    "ConstantSchedule",
    "CosineSchedule",
    "ExponentialSchedule",
    "OneCycleSchedule",
    "Schedule",
    "ScheduleKind",
    "StepSchedule",
]
