"""The coach on courses at both sides of each threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from mnist_dash.core.analysis.coach import Diagnosis, LearningCurves, coach
from mnist_dash.core.analysis.layer_statistics import QUANTILES, LayerMeasurement, Spread
from mnist_dash.core.config.run_config import (
    EarlyStopping,
    RunConfig,
    TailSplit,
    TestAsValidation,
    with_overrides,
)
from mnist_dash.core.layers import Dense, Dropout, Flatten

CONFIG = RunConfig(epochs=20)
CALM = (0.5, 0.3, 0.2, 0.15, 0.13)


def course(
    train: Sequence[float] = CALM,
    val: Sequence[float] | None = None,
    *,
    accuracy: float = 0.99,
    diverged: bool = False,
) -> LearningCurves:
    """Make a course of losses; the validation loss ends on a plateau unless it is given."""
    val = (0.4, 0.3, 0.3, 0.3, 0.3)[: len(train)] if val is None else val
    return LearningCurves(
        train, [accuracy] * len(train), val, [0.9] * len(train), has_diverged=diverged
    )


def found(
    seen: LearningCurves, config: RunConfig = CONFIG, **layers: LayerMeasurement
) -> dict[str, Diagnosis]:
    """What the coach finds, by name; what it proposes must be a configuration."""
    diagnoses = coach(config, seen, layers)
    for diagnosis in diagnoses:
        assert with_overrides(config, diagnosis.overrides) != config
    return {diagnosis.name: diagnosis for diagnosis in diagnoses}


def dead(share: float) -> LayerMeasurement:
    """A layer with a share of dead units."""
    spread = Spread(0.0, 1.0, tuple(0.0 for _ in QUANTILES))
    return LayerMeasurement(spread, spread, share)


def test_a_sound_run_is_left_alone() -> None:
    """Nothing is said where nothing is to say, nor before there is a figure."""
    assert found(course()) == {}
    assert coach(CONFIG, course((), ()), None) == ()


@pytest.mark.parametrize(
    ("name", "over", "below"),
    [
        (
            "overfitting",
            {"val": (0.4, 0.2, 0.2, 0.2, 0.2101)},
            {"val": (0.4, 0.2, 0.2, 0.2, 0.2099)},
        ),
        ("overfitting", {"val": (0.4, 0.2, 0.3, 0.3, 0.3)}, {"val": (0.4, 0.4, 0.2, 0.3, 0.3)}),
        (
            "rate_too_high",
            {"train": (0.5, 0.3, 0.32, 0.2, 0.22)},
            {"train": (0.5, 0.3, 0.314, 0.2, 0.22)},
        ),
        ("rate_too_high", {"train": (0.5, 0.6, 0.3, 0.4)}, {"train": (0.5, 0.6, 0.7)}),
        (
            "rate_too_low",
            {"train": (2.0, 1.9, 1.8, 1.7), "accuracy": 0.949},
            {"train": (2.0, 1.9, 1.8, 1.7), "accuracy": 0.95},
        ),
        (
            "rate_too_low",
            {"train": (2.0, 1.81, 1.64, 1.5), "accuracy": 0.5},
            {"train": (2.0, 1.8, 1.6, 1.4), "accuracy": 0.5},
        ),
        (
            "still_improving",
            {"val": (0.4, 0.3, 0.3, 0.3, 0.297)},
            {"val": (0.4, 0.3, 0.3, 0.3, 0.298)},
        ),
        (
            "still_improving",
            {"val": (0.4, 0.3, 0.3, 0.25, 0.2)},
            {"val": (0.4, 0.1, 0.3, 0.25, 0.2)},
        ),
    ],
)
def test_findings_begin_at_their_thresholds(
    name: str, over: dict[str, Any], below: dict[str, Any]
) -> None:
    """At the threshold it is found, with the rule's own figures; just below it is not."""
    assert name in found(course(**over))
    assert name not in found(course(**below))


def test_the_numbers_are_this_run_s() -> None:
    """Epoch and losses are named, and the proposal follows from the present setting."""
    diagnosis = found(course(val=(0.4, 0.2, 0.25, 0.3, 0.31)))["overfitting"]
    assert (
        "since epoch 2: validation loss rose from 0.2 to 0.31 while training loss fell from 0.3 to 0.13"
        in diagnosis.sentence
    )
    diagnosis = found(course((0.5, 0.6, 0.3, 0.4)))["rate_too_high"]
    assert diagnosis.overrides == (("optimizer.learning_rate", 0.00033),)
    assert "2 of 3 epochs" in diagnosis.sentence


def test_overfitting_is_met_with_what_is_not_there_yet() -> None:
    """Early stopping first, then more dropout where there is some, then smoother labels."""
    seen = course(val=(0.4, 0.2, 0.25, 0.3, 0.31))
    assert found(seen)["overfitting"].overrides[0][0] == "early_stopping"
    stopping = CONFIG.model_copy(update={"early_stopping": EarlyStopping()})
    assert found(seen, stopping)["overfitting"].overrides == (("label_smoothing", 0.1),)
    layers = (Flatten(), Dense(units=8), Dropout(rate=0.3), Dense(units=10, activation="softmax"))
    assert found(seen, stopping.model_copy(update={"layers": layers}))["overfitting"].overrides == (
        ("layers.2.rate", 0.5),
    )


def test_divergence_and_leak_are_found() -> None:
    """Both need no threshold; a diverged run without an epoch is found as well."""
    assert found(course((), (), diverged=True))["diverged"].overrides[0] == (
        "optimizer.learning_rate",
        0.0001,
    )
    leaky = CONFIG.model_copy(update={"split": TestAsValidation()})
    assert "10,000 test images" in found(course(), leaky)["leak"].sentence


def test_a_low_rate_explains_a_course_that_still_improves() -> None:
    """One sight is not named twice."""
    seen = course((2.0, 1.9, 1.8, 1.7), (2.0, 1.9, 1.8, 1.7), accuracy=0.5)
    assert set(found(seen)) == {"rate_too_low"}


def test_dead_units_and_large_batches() -> None:
    """At the share, or the number of updates, and not beside it."""
    assert found(course(), dense_1=dead(0.3))["dead_units"].overrides == (
        ("layers.1.activation", "leaky_relu"),
    )
    assert found(course(), dense_1=dead(0.29)) == {}
    for size, there in ((1041, True), (1040, False)):
        config = RunConfig(split=TailSplit(fraction=0.15), batch_size=size)
        assert ("large_batch" in found(course(), config)) is there
    config = RunConfig(batch_size=5000)
    assert found(course(), config)["large_batch"].overrides == (("batch_size", 128),)
