"""Learning rates by formula: bounded, and right at the points that define them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.optimizers import SGD
from mnist_dash.core.schedules import (
    ConstantSchedule,
    CosineSchedule,
    ExponentialSchedule,
    OneCycleSchedule,
    Schedule,
    StepSchedule,
)
from mnist_dash.core.training.schedules import learning_rate

warmups = st.integers(0, 3000)
schedules = st.one_of(
    st.builds(ConstantSchedule, warmup_steps=warmups),
    st.builds(
        StepSchedule,
        every_epochs=st.integers(1, 9),
        factor=st.floats(0.01, 1),
        warmup_steps=warmups,
    ),
    st.builds(ExponentialSchedule, factor=st.floats(0.01, 1), warmup_steps=warmups),
    st.builds(CosineSchedule, final=st.floats(0, 1), warmup_steps=warmups),
    st.builds(
        OneCycleSchedule,
        rise=st.floats(0.01, 0.99),
        start=st.floats(0.01, 1),
        final=st.floats(0, 1),
        warmup_steps=warmups,
    ),
)


def config(schedule: Schedule, *, epochs: int = 10) -> RunConfig:
    """Put a schedule on 100 steps an epoch at a full rate of 0.5."""
    return RunConfig(
        schedule=schedule, optimizer=SGD(learning_rate=0.5), batch_size=500, epochs=epochs
    )


@given(schedules, st.integers(1, 20), st.floats(0, 1))
def test_rate_stays_within_bounds(schedule: Schedule, epochs: int, where: float) -> None:
    """At every step of any run the rate is positive or zero and never above the optimizer's own."""
    step = int(where * (epochs * 100 - 1))
    assert 0 <= learning_rate(config(schedule, epochs=epochs), step) <= 0.5 * (1 + 1e-12)


@pytest.mark.parametrize(
    ("schedule", "step", "rate"),
    [
        (ConstantSchedule(), 999, 0.5),
        (StepSchedule(every_epochs=2, factor=0.1), 199, 0.5),
        (StepSchedule(every_epochs=2, factor=0.1), 200, 0.05),
        (ExponentialSchedule(factor=0.9), 300, 0.5 * 0.9**3),
        (CosineSchedule(final=0.1), 0, 0.5),
        (CosineSchedule(final=0.1), 999, 0.05),
        (OneCycleSchedule(rise=0.3, start=0.04), 0, 0.02),
        (OneCycleSchedule(rise=0.3, final=0), 999, 0.0),
        (ConstantSchedule(warmup_steps=99), 0, 0.005),
        (ConstantSchedule(warmup_steps=99), 99, 0.5),
    ],
)
def test_rate_at_the_points_that_define_it(schedule: Schedule, step: int, rate: float) -> None:
    """Beginnings, ends and corners of each schedule."""
    assert learning_rate(config(schedule), step) == pytest.approx(rate)


def test_inverse_time_decay_is_keras() -> None:
    """``decay`` divides the rate by ``1 + decay * step``, counted in updates."""
    decayed = RunConfig(optimizer=SGD(learning_rate=0.01, decay=1e-2))
    assert learning_rate(decayed, 0) == 0.01
    assert learning_rate(decayed, 300) == pytest.approx(0.01 / 4)
