"""The learning rate of every step, by formula; no torch."""

from __future__ import annotations

import math

from mnist_dash.core.config import (
    SGD,
    ConstantSchedule,
    CosineSchedule,
    ExponentialSchedule,
    OneCycleSchedule,
    RunConfig,
    StepSchedule,
)


def learning_rate(config: RunConfig, step: int) -> float:
    """Give the rate of one optimizer update.

    The schedule scales the optimizer's own rate and never exceeds it; a linear warm-up and SGD's inverse-time decay
    (``1 / (1 + decay * step)``, Keras 2) multiply it.

    Args:
        config: names the optimizer, the schedule, the batch size and the epochs.
        step: updates done before this one, from 0.
    """
    schedule, optimizer = config.schedule, config.optimizer
    rate = optimizer.learning_rate * _fraction(config, step)
    if step < schedule.warmup_steps:
        rate *= (step + 1) / (schedule.warmup_steps + 1)
    return rate / (1 + optimizer.decay * step) if isinstance(optimizer, SGD) else rate


def _fraction(config: RunConfig, step: int) -> float:
    """Fraction of the full rate, before warm-up and decay, in [0, 1]."""
    schedule, steps_per_epoch = config.schedule, config.steps_per_epoch
    last = max(config.epochs * steps_per_epoch - 1, 1)
    match schedule:
        case ConstantSchedule():
            return 1.0
        case StepSchedule():
            return math.pow(schedule.factor, step // (schedule.every_epochs * steps_per_epoch))
        case ExponentialSchedule():
            return math.pow(schedule.factor, step / steps_per_epoch)
        case CosineSchedule():
            return _cosine(1.0, schedule.final, min(step / last, 1.0))
        case OneCycleSchedule():
            top = schedule.rise * last
            if step <= top:
                return _cosine(schedule.start, 1.0, step / top)
            return _cosine(1.0, schedule.final, min((step - top) / (last - top), 1.0))


def _cosine(begin: float, end: float, progress: float) -> float:
    """Go from `begin` to `end` on half a cosine, flat at both."""
    return end + (begin - end) * (1 + math.cos(math.pi * progress)) / 2
