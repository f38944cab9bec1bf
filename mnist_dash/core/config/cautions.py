"""What a valid configuration is warned of before it trains."""

from __future__ import annotations

from mnist_dash.core.config.changes import cycle
from mnist_dash.core.config.run_config import RunConfig


def cautions(config: RunConfig) -> tuple[str, ...]:
    """Say what is allowed and hardly meant, a sentence each: a warm-up that has not ended when its schedule does."""
    restarts = [change.after_epoch for change in config.changes if change.restart_schedule]
    begins = [0, *restarts]
    found = []
    for begin in begins:
        end = cycle(config, begin + 1).end
        now, n_steps = config.at(end), config.steps_until(end) - config.steps_until(begin)
        n_warmup, full = now.schedule.warmup_steps, now.optimizer.learning_rate
        if n_warmup >= n_steps:
            where = f"epochs {begin + 1:,} to {end:,} have" if restarts else "the run has"
            found.append(
                f"The warm-up takes {n_warmup:,} steps, but {where} {n_steps:,}: the learning rate never reaches {full:g}. "
                f"Set warmup_steps below {n_steps:,}, or train for more epochs."
            )
    return tuple(found)
