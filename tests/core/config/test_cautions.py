"""A warm-up that outlasts the run is warned of, with the numbers, and only then."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mnist_dash.core.config.cautions import cautions
from mnist_dash.core.config.run_config import Change, RunConfig
from mnist_dash.core.training.schedules import learning_rate


def warmed(n_steps: int, **fields: object) -> RunConfig:
    """Make a configuration of 50 steps an epoch with a warm-up."""
    return RunConfig.model_validate(
        {"batch_size": 1000, "schedule": {"kind": "constant", "warmup_steps": n_steps}, **fields}
    )


def test_a_million_steps_of_warm_up_are_warned_of() -> None:
    """What is set, what the run has, what follows and what to do."""
    (said,) = cautions(warmed(1_000_000, epochs=1))
    assert said == (
        "The warm-up takes 1,000,000 steps, but the run has 50: the learning rate never reaches 0.001. "
        "Set warmup_steps below 50, or train for more epochs."
    )


@given(n_warmup=st.integers(0, 300), epochs=st.integers(1, 5))
def test_warns_exactly_where_the_full_rate_is_not_reached(n_warmup: int, epochs: int) -> None:
    """As the schedule itself has it: the last step is below the optimizer's rate."""
    config = warmed(n_warmup, epochs=epochs)
    last = learning_rate(config, config.steps_until(epochs) - 1)
    assert bool(cautions(config)) == (last < config.optimizer.learning_rate)


def test_each_cycle_of_the_schedule_counts() -> None:
    """A restart begins the warm-up anew; the cycle that is too short for it is named."""
    config = warmed(120, epochs=5, changes=[Change(after_epoch=3, restart_schedule=True)])
    (said,) = cautions(config)
    assert "epochs 4 to 5 have 100" in said
