"""The learning rate of every step, by formula; no torch."""

from __future__ import annotations

from collections.abc import Callable

from mnist_dash.core.config.changes import cycle, epoch_of, optimizer_begin
from mnist_dash.core.config.run_config import RunConfig


def learning_rate(config: RunConfig, step: int) -> float:
    """Give the rate of one optimizer update.

    Args:
        config: names the optimizer, the schedule, the batch size, the epochs and their changes.
        step: updates done before this one, from 0.
    """
    return rates_in(config, epoch_of(config, step))(step)


def rates_in(config: RunConfig, epoch: int) -> Callable[[int], float]:
    """Give the learning rates of one epoch, as a function of the updates done before, from 0.

    The schedule scales the optimizer's own rate and never exceeds it; a linear warm-up and SGD's inverse-time decay
    (``1 / (1 + decay * step)``, Keras 2) multiply it. A change of the batch size does not disturb the schedule: it goes on with the epochs.
    The decay counts the updates of the optimizer that does them, the warm-up those since the schedule began.
    """
    now, began = config.at(epoch), cycle(config, epoch)
    schedule, optimizer = now.schedule, now.optimizer
    first, first_of_cycle = config.steps_until(epoch - 1), config.steps_until(began.begin)
    first_of_optimizer = config.steps_until(optimizer_begin(config, epoch))
    stride = config.at(began.begin + 1).steps_per_epoch
    """Updates an epoch at the cycle's beginning: the unit in which the schedule counts."""
    done, last = (epoch - 1 - began.begin) * stride, max((began.end - began.begin) * stride - 1, 1)
    scale = stride / now.steps_per_epoch

    def rate(step: int) -> float:
        position = done + (step - first) * scale
        value = optimizer.learning_rate * schedule.fraction(position, stride, last)
        if step - first_of_cycle < schedule.warmup_steps:
            value *= (step - first_of_cycle + 1) / (schedule.warmup_steps + 1)
        return optimizer.decayed(value, step - first_of_optimizer)

    return rate
