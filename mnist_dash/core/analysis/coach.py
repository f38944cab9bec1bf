"""A coach by rules: what a run's own figures say about its settings, and what to change. Pure; every threshold is below, with its reason.

Test figures are never looked at: advice that follows them would use the test set up.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnist_dash.core.analysis.layer_statistics import LayerMeasurement
from mnist_dash.core.config.changes import has_dropout
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.layers import Dropout
from mnist_dash.formatting import number, percent
from mnist_dash.text import plural

OVERFIT_RISE = 1.05
"""Validation loss that is this many times its best, while training loss falls, is overfitting; less lies within one epoch's noise."""
OVERFIT_EPOCHS = 3
"""Epochs for which it must have been above its best."""
SPIKE_RISE = 1.05
"""A training loss, dropout off, that is this many times that of the epoch before is a spike: full passes hardly differ by chance."""
SPIKE_SHARE = 0.3
"""Share of the epochs with a spike from which on the learning rate is at the edge."""
SLOW_FALL = 0.1
"""A training loss that falls in every epoch, by less than this share at the median, creeps ..."""
SLOW_ACCURACY = 0.95
"""... and is no slow end of a good course while fewer of the training images than this share are right."""
MIN_EPOCHS = 4
"""Epochs below which a course tells nothing about the learning rate."""
STILL_GAIN = 0.01
"""Share by which the last epoch must have lowered the validation loss, to a new best, to be still improving."""
STILL_EPOCHS = 3
DEAD_SHARE = 0.3
"""Share of a layer's units that answer no image, from which on it is a diagnosis; some dead units are usual with ReLU."""
FEW_UPDATES = 50
"""Optimizer updates an epoch below which the batch is large for the data."""
GOOD_UPDATES = 250
"""Updates an epoch that are proposed instead."""


@dataclass(frozen=True)
class LearningCurves:
    """A run's figures by epoch, dropout off, each list as long as the others; accuracies are fractions in [0, 1]."""

    train_loss: Sequence[float]
    train_accuracy: Sequence[float]
    val_loss: Sequence[float]
    val_accuracy: Sequence[float]
    has_diverged: bool = False


@dataclass(frozen=True)
class Diagnosis:
    """Something that the figures say."""

    name: str
    sentence: str
    """What was found, with this run's numbers."""
    rule: str
    """What it rests on, with the thresholds."""
    proposal: str
    """What to change, in words."""
    overrides: tuple[tuple[str, Any], ...]
    """The change as fields of the configuration, by path; see `mnist_dash.core.config.run_config.with_overrides`."""


def coach(
    config: RunConfig, curves: LearningCurves, layers: Mapping[str, LayerMeasurement] | None = None
) -> tuple[Diagnosis, ...]:
    """Say what a run's figures tell about its settings, the gravest first.

    Args:
        config: the settings that held at the end; changes in it are left out of account.
        curves: the figures.
        layers: what the layers were like after the last epoch that was measured, by name.
    """
    rules: tuple[Callable[[RunConfig, LearningCurves], Diagnosis | None], ...] = (
        _diverged,
        _leak,
        _rate_too_high,
        _overfitting,
        _rate_too_low,
        _still_improving,
        _large_batch,
    )
    found = [diagnosis for rule in rules if (diagnosis := rule(config, curves)) is not None]
    names = {diagnosis.name for diagnosis in found}
    if "rate_too_low" in names:
        # The same sight, and the former is the reason.
        found = [diagnosis for diagnosis in found if diagnosis.name != "still_improving"]
    return (*found, *_dead_units(config, layers or {}))


def _diverged(config: RunConfig, curves: LearningCurves) -> Diagnosis | None:
    if not curves.has_diverged:
        return None
    rate = config.optimizer.learning_rate
    done = len(curves.train_loss)
    return Diagnosis(
        "diverged",
        f"It diverged after {plural(done, 'finished epoch')}: its loss became infinite or not a number.",
        "A loss that is not finite ends a run; too high a learning rate is the usual reason.",
        f"A learning rate of {number(_round(rate / 10))} instead of {number(rate)}, and gradients clipped to a norm of 1.",
        (("optimizer.learning_rate", _round(rate / 10)), ("gradient_clip_norm", 1.0)),
    )


def _leak(config: RunConfig, _curves: LearningCurves) -> Diagnosis | None:
    if not config.leaks_test_set:
        return None
    return Diagnosis(
        "leak",
        f"It validates on the {config.n_validation:,} test images, so every choice made by its metrics is made on the test set.",
        "Validation images must not belong to the test set, or the test accuracy does not estimate that on new images.",
        "Validate on the last sixth of the training images.",
        (("split", {"kind": "tail"}),),
    )


def _rate_too_high(config: RunConfig, curves: LearningCurves) -> Diagnosis | None:
    losses = curves.train_loss
    if len(losses) < MIN_EPOCHS:
        return None
    spikes = [
        epoch
        for epoch in range(2, len(losses) + 1)
        if losses[epoch - 1] > SPIKE_RISE * losses[epoch - 2]
    ]
    share = len(spikes) / (len(losses) - 1)
    if share < SPIKE_SHARE:
        return None
    rate = config.optimizer.learning_rate
    worst = max(spikes, key=lambda epoch: losses[epoch - 1] / losses[epoch - 2])
    return Diagnosis(
        "rate_too_high",
        f"Its training loss went up in {len(spikes)} of {len(losses) - 1} "
        f"epochs, most in epoch {worst}, from {number(losses[worst - 2])} to "
        f"{number(losses[worst - 1])}: the learning rate of {number(rate)} is slightly too high.",
        f"Rises above {percent(SPIKE_RISE - 1, 0)} in at least {percent(SPIKE_SHARE, 0)} "
        f"of the epochs, dropout off, of {MIN_EPOCHS} epochs or more.",
        f"A learning rate of {number(_round(rate / 3))}.",
        (("optimizer.learning_rate", _round(rate / 3)),),
    )


def _rate_too_low(config: RunConfig, curves: LearningCurves) -> Diagnosis | None:
    losses = curves.train_loss
    if len(losses) < MIN_EPOCHS or curves.train_accuracy[-1] >= SLOW_ACCURACY:
        return None
    falls = [1 - after / before for before, after in itertools.pairwise(losses) if before > 0]
    if min(falls, default=0) <= 0 or statistics.median(falls) >= SLOW_FALL:
        return None
    rate = config.optimizer.learning_rate
    higher = min(100.0, _round(3 * rate))
    return Diagnosis(
        "rate_too_low",
        f"Its training loss fell in every epoch, by {percent(statistics.median(falls))} at the median, and training accuracy is "
        f"{percent(curves.train_accuracy[-1])} after {plural(len(losses), 'epoch')}: the learning rate of {number(rate)} is low.",
        f"A fall in each of {MIN_EPOCHS} epochs or more, below {percent(SLOW_FALL, 0)} "
        f"at the median, that ends below {percent(SLOW_ACCURACY, 0)}.",
        f"A learning rate of {number(higher)}.",
        (("optimizer.learning_rate", higher),),
    )


def _overfitting(config: RunConfig, curves: LearningCurves) -> Diagnosis | None:
    losses = curves.val_loss
    if not losses:
        return None
    best = min(range(len(losses)), key=lambda index: losses[index])
    since = len(losses) - 1 - best
    if (
        since < OVERFIT_EPOCHS
        or losses[-1] < OVERFIT_RISE * losses[best]
        or curves.train_loss[-1] >= curves.train_loss[best]
    ):
        return None
    overrides: tuple[tuple[str, Any], ...]
    if config.early_stopping is None:
        proposal = f"Early stopping with a patience of {OVERFIT_EPOCHS}, which keeps the weights of the best epoch."
        overrides = (
            (
                "early_stopping",
                {"monitor": "val_loss", "patience": OVERFIT_EPOCHS, "restore_best": True},
            ),
        )
    elif has_dropout(config):
        rates = [
            (index, min(0.8, layer.rate + 0.2))
            for index, layer in enumerate(config.layers)
            if isinstance(layer, Dropout)
        ]
        proposal = f"More dropout: {', '.join(f'{rate:g}' for _, rate in rates)}."
        overrides = tuple((f"layers.{index}.rate", round(rate, 2)) for index, rate in rates)
    else:
        proposal = "Label smoothing of 0.1, which keeps the network from becoming overconfident."
        overrides = (("label_smoothing", 0.1),)
    return Diagnosis(
        "overfitting",
        f"It overfits since epoch {best + 1}: validation loss rose from "
        f"{number(losses[best])} to {number(losses[-1])} while training loss fell "
        f"from {number(curves.train_loss[best])} to {number(curves.train_loss[-1])}.",
        f"Validation loss at least {percent(OVERFIT_RISE - 1, 0)} above its "
        f"best, {OVERFIT_EPOCHS} epochs or more later, and training loss falls.",
        proposal,
        overrides,
    )


def _still_improving(_config: RunConfig, curves: LearningCurves) -> Diagnosis | None:
    losses = curves.val_loss
    if len(losses) < max(2, STILL_EPOCHS) or curves.has_diverged:
        return None
    gain = 1 - losses[-1] / losses[-2] if losses[-2] else 0.0
    if gain < STILL_GAIN or losses[-1] > min(losses):
        return None
    more = min(10_000, 2 * len(losses))
    return Diagnosis(
        "still_improving",
        f"It was still improving at its end: epoch {len(losses)} lowered the "
        f"validation loss by {percent(gain)}, to {number(losses[-1])}, its best.",
        f"A last epoch of {STILL_EPOCHS} or more that lowers the validation loss by at least {percent(STILL_GAIN, 0)}, to a new best.",
        f"Train for {plural(more, 'epoch')}, or continue the run.",
        (("epochs", more),),
    )


def _large_batch(config: RunConfig, curves: LearningCurves) -> Diagnosis | None:
    if config.steps_per_epoch >= FEW_UPDATES or not curves.train_loss:
        return None
    smaller = max(1, 2 ** math.floor(math.log2(max(1, config.n_training / GOOD_UPDATES))))
    return Diagnosis(
        "large_batch",
        f"An epoch has only {plural(config.steps_per_epoch, 'step')}: batches "
        f"of {config.batch_size:,} are large for {config.n_training:,} images.",
        f"Fewer than {FEW_UPDATES} steps per epoch.",
        f"Batches of {smaller}, {math.ceil(config.n_training / smaller)} steps per epoch.",
        (("batch_size", smaller),),
    )


def _dead_units(config: RunConfig, layers: Mapping[str, LayerMeasurement]) -> Iterator[Diagnosis]:
    indices = {planned.name: planned.index for planned in config.plan}
    dead = {
        name: measured.dead
        for name, measured in layers.items()
        if measured.dead is not None and measured.dead >= DEAD_SHARE
    }
    if not dead:
        return
    worst = max(dead, key=lambda name: dead[name])
    named = ", ".join(f"{percent(share, 0)} of {name}" for name, share in dead.items())
    yield Diagnosis(
        "dead_units",
        f"Dead units, which are zero for every image and no longer learn: {named}.",
        f"At least {percent(DEAD_SHARE, 0)} of a layer's ReLU units are zero for all of the first validation images.",
        f"Leaky ReLU in {' and '.join(dead)}, which lets them learn again."
        if len(dead) > 1
        else f"Leaky ReLU in {worst}.",
        tuple(
            (f"layers.{indices[name]}.activation", "leaky_relu") for name in dead if name in indices
        ),
    )


def _round(value: float) -> float:
    """Keep two digits: 0.00033 rather than 0.000333333."""
    return float(f"{value:.2g}")
