"""Settings that change while a run trains: what a changed configuration means, and how one is made. No torch.

Everything that a person steers is part of the configuration, so a steered run is as reproducible as any other: its configuration trained
from the start gives the same numbers, bit for bit. `hash_until` names what decides the first epochs of a run; two runs that agree in it
agree in those epochs, so one may go on from the other's checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mnist_dash.core.config.batches import check_batches
from mnist_dash.core.config.run_config import Change, EarlyStopping, RunConfig, parse_config
from mnist_dash.core.layers import Dropout
from mnist_dash.errors import InvalidInput
from mnist_dash.text import plural

_MOST_PATIENCE = 1000


@dataclass(frozen=True)
class Cycle:
    """The epochs over which a schedule runs once."""

    begin: int
    """Finished epochs when it began."""
    end: int
    """Finished epochs when it is over."""


def cycle(config: RunConfig, epoch: int) -> Cycle:
    """Find the cycle of the schedule that an epoch belongs to; without restarts there is one, all epochs."""
    restarts = [change.after_epoch for change in config.changes if change.restart_schedule]
    begin = max((restart for restart in restarts if restart < epoch), default=0)
    return Cycle(
        begin, min((restart for restart in restarts if restart >= epoch), default=config.epochs)
    )


def epoch_of(config: RunConfig, step: int) -> int:
    """Find the epoch that an update belongs to.

    Args:
        config: says how many updates an epoch has.
        step: updates done before, from 0.
    """
    begins = [
        0,
        *(
            change.after_epoch
            for change in config.changes
            if config.steps_until(change.after_epoch) <= step
        ),
    ]
    begin = begins[-1]
    return begin + 1 + (step - config.steps_until(begin)) // config.at(begin + 1).steps_per_epoch


def optimizer_begin(config: RunConfig, epoch: int) -> int:
    """Give the finished epochs when the optimizer of an epoch began with fresh state: 0, or those at the last change of its kind."""
    begin, kind = 0, config.optimizer.kind
    for change in config.changes:
        if (
            change.after_epoch < epoch
            and change.optimizer is not None
            and change.optimizer.kind != kind
        ):
            begin, kind = change.after_epoch, change.optimizer.kind
    return begin


def hash_until(config: RunConfig, epoch: int) -> str:
    """Name what decides the first epochs of a run, as twelve hexadecimal digits.

    Later changes do not count, nor does the patience of early stopping, nor the number of epochs unless the schedule depends on it.
    """
    stopping = config.early_stopping
    values = {
        "changes": tuple(change for change in config.changes if change.after_epoch < epoch),
        "epochs": max(1, cycle(config, epoch).end if config.schedule.is_planned else epoch),
        "early_stopping": None if stopping is None else stopping.model_copy(update={"patience": 1}),
    }
    return config.model_copy(update=values).hash


def with_change(config: RunConfig, after_epoch: int, values: Mapping[str, Any]) -> RunConfig:
    """Make the configuration that is `config` until the end of an epoch and has other settings from there on.

    Changes that `config` has planned for later stay; one planned for the same epoch is joined with this one.

    Args:
        config: the configuration so far.
        after_epoch: finished epochs when it takes effect.
        values: fields of a `Change` by name; none are left as they are.

    Raises:
        InvalidConfig: a value breaks a rule, or nothing is changed.
    """
    wanted = {name: value for name, value in values.items() if value is not None}
    same = next((change for change in config.changes if change.after_epoch == after_epoch), None)
    former = {} if same is None else same.model_dump(mode="json", exclude_none=True)
    if "optimizer" in wanted:
        former.pop("learning_rate", None)
    if "learning_rate" in wanted and "optimizer" in former:
        former["optimizer"] |= {"learning_rate": wanted.pop("learning_rate")}
    others = [
        change.model_dump(mode="json")
        for change in config.changes
        if change.after_epoch != after_epoch
    ]
    changes = sorted(
        [*others, {**former, **wanted, "after_epoch": after_epoch}],
        key=lambda change: change["after_epoch"],
    )
    return check_batches(parse_config(config.model_dump(mode="json") | {"changes": changes}))


def continued(config: RunConfig, done: int, epochs: int, *, waited: int = 0) -> RunConfig:
    """Make the configuration that goes on where a run ended, to more epochs.

    A schedule that depends on the number of epochs keeps its course and begins anew where it was over (a warm restart, Loshchilov and
    Hutter, 2017). Early stopping waits long enough for the added epochs.

    Args:
        config: that of the run.
        done: its finished epochs.
        epochs: how many there will be in all.
        waited: epochs without improvement when it ended.

    Raises:
        InvalidInput: there would be no more epochs, or the schedule cannot be cut short.
    """
    if epochs <= done:
        raise InvalidInput(
            f"{plural(epochs, 'epoch')} in all are too few: the run has {done:,} already. Choose at least {done + 1:,}."
        )
    planned = config.schedule.is_planned
    if planned and epochs < config.epochs:
        raise InvalidInput(
            f"{plural(epochs, 'epoch')} would cut the {config.schedule.kind.replace('_', ' ')} schedule short, which is planned over "
            f"{config.epochs:,}. Choose at least {config.epochs:,}."
        )
    stopping: EarlyStopping | None = config.early_stopping
    if stopping is not None and waited:
        patience = min(_MOST_PATIENCE, max(stopping.patience, waited + epochs - done))
        stopping = stopping.model_copy(update={"patience": patience})
    changes = tuple(change for change in config.changes if change.after_epoch < epochs)
    longer = config.model_copy(
        update={"epochs": epochs, "early_stopping": stopping, "changes": changes}
    )
    if planned and epochs > config.epochs:
        return with_change(longer, config.epochs, {"restart_schedule": True})
    return check_batches(parse_config(longer.model_dump(mode="json")))


def has_dropout(config: RunConfig) -> bool:
    """Say whether a network has dropout layers, whose rate can be changed."""
    return any(isinstance(layer, Dropout) for layer in config.layers)


def describe(config: RunConfig, change: Change) -> str:
    """Say in words what a change of a configuration does: ``learning rate 0.001 → 0.0001, batch size 128 → 64``."""
    before, after = config.at(change.after_epoch), config.at(change.after_epoch + 1)
    parts = []
    if change.optimizer is not None:
        fresh = "" if change.optimizer.kind == before.optimizer.kind else ", from fresh state"
        parts.append(f"optimizer {_optimizer(before)} → {_optimizer(after)}{fresh}")
    if change.learning_rate is not None:
        parts.append(
            f"learning rate {before.optimizer.learning_rate:g} → {after.optimizer.learning_rate:g}"
        )
    if change.batch_size is not None:
        parts.append(f"batch size {before.batch_size:,} → {after.batch_size:,}")
    if change.dropout_rate is not None:
        rates = {layer.rate for layer in before.layers if isinstance(layer, Dropout)}
        parts.append(
            f"dropout {', '.join(f'{rate:g}' for rate in sorted(rates))} → {change.dropout_rate:g}"
        )
    if change.restart_schedule:
        parts.append("the schedule begins anew")
    return ", ".join(parts)


def _optimizer(config: RunConfig) -> str:
    return f"{config.optimizer.kind} {config.optimizer.learning_rate:g}"
