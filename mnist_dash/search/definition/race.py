"""Races: one hyperparameter, some of its values, and all of them in training at a time. A race is a study of a grid."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from mnist_dash.core.config import nested
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.kinds.problems import shown
from mnist_dash.core.layers.initialisers import INITIALIZERS
from mnist_dash.errors import InvalidStudy, Problem
from mnist_dash.search.definition.methods import (
    ArtifactPolicy,
    Budget,
    Grid,
    HalvingPruner,
    NoPruner,
)
from mnist_dash.search.definition.proposals import listed, proposals
from mnist_dash.search.definition.space import (
    Choice,
    FloatRange,
    IntRange,
    Parameter,
    Scalar,
    SearchSpace,
    same,
)
from mnist_dash.search.definition.study_definition import StudyDefinition, parse_definition
from mnist_dash.search.definition.study_files import read_values

MIN_VALUES, MAX_VALUES = 2, 16
MAX_RUNS = 48
"""Values times seeds."""
Rule = Literal["none", "halving"]
RULES: dict[Rule, NoPruner | HalvingPruner] = {
    "none": NoPruner(),
    "halving": HalvingPruner(min_epochs=1, reduction_factor=2),
}
"""How those that lag behind are dropped: by hand alone, or after each rung of epochs all but the better half."""
_HALF_DECADES = (-3, 4)
"""Steps of half a decade below and above a value on a logarithmic range."""
_ROUND_COUNTS = (7, 6, 5)


@dataclass(frozen=True)
class RaceSetting:
    """A hyperparameter that can be raced, and values to begin with."""

    title: str
    path: str
    values: tuple[Scalar, ...]


@lru_cache(maxsize=64)
def race_settings(base: RunConfig) -> tuple[RaceSetting, ...]:
    """List the hyperparameters that a race of this network would begin with, the learning rate first."""
    found = [
        RaceSetting(proposal.title, proposal.path, _values(base, proposal.parameter))
        for proposal in proposals(base)
        if not proposal.requires
    ]
    found += _initialisers(base)
    return tuple(
        sorted(
            (setting for setting in found if len(setting.values) >= MIN_VALUES),
            key=lambda one: one.title != "Learning rate",
        )
    )


def race_of(
    base: RunConfig, path: str, text: str, *, seeds: int = 1, rule: Rule = "none", name: str = ""
) -> StudyDefinition:
    """Define a race.

    Args:
        base: what does not differ.
        path: of the hyperparameter, such as ``optimizer.learning_rate``.
        text: its values as people type them, separated by commas.
        seeds: runs of each value.
        rule: how those that lag behind are dropped.
        name: of the study; by the hyperparameter where empty.

    Raises:
        InvalidStudy: too few or too many values, one that makes no network, or a hyperparameter that the network lacks.
    """
    values = read_values(
        path, [part.strip() for part in text.replace(";", ",").split(",") if part.strip()]
    )
    _check_counts(path, values, seeds)
    leaf = (
        path.rpartition(".")[2]
        if not path.endswith(".kind")
        else path.removesuffix(".kind").rpartition(".")[2]
    )
    definition = {
        "name": name or f"race-{leaf.replace('_', '-')}",
        "space": {
            "base": base.model_dump(mode="json"),
            "parameters": [Choice(path=path, values=in_order(values)).model_dump(mode="json")],
        },
        "sampler": Grid().model_dump(),
        "pruner": RULES[rule].model_dump(),
        "budget": Budget().model_dump(),
        "parallelism": len(values),
        "race": True,
        "seeds": seeds,
        "keep": ArtifactPolicy(kind="all").model_dump(),
    }
    return parse_definition(definition)


def in_order(values: Sequence[Scalar]) -> tuple[Scalar, ...]:
    """Put values in the order in which a chart colours them: numbers by size, others as they were given."""
    numbers = [
        value for value in values if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    return tuple(sorted(numbers)) if len(numbers) == len(values) else tuple(values)


def is_race(definition: StudyDefinition) -> bool:
    """Say whether a study can be looked at as a race: one hyperparameter with a few values."""
    parameters = definition.space.parameters
    return (
        len(parameters) == 1
        and definition.sampler.kind == "grid"
        and 1 <= (parameters[0].n_values or 0) <= MAX_VALUES
    )


def own_value(base: RunConfig, path: str) -> Scalar:
    """Read the value that a network has itself; None where a word shapes the network, whose layers differ."""
    found = nested.get(base.model_dump(mode="json"), path)
    return found if isinstance(found, bool | int | float | str) else None


def _check_counts(path: str, values: Sequence[Scalar], seeds: int) -> None:
    place = f"space.{path}"
    allowed = f"{MIN_VALUES} to {MAX_VALUES}"
    twice = [
        value
        for index, value in enumerate(values)
        if any(same(value, other) for other in values[:index])
    ]
    if twice:
        raise InvalidStudy(
            (Problem(place, f"{shown(twice[0])} is listed twice", "", "Remove one of them."),)
        )
    if len(values) < MIN_VALUES:
        fault = "one value has nobody to race against" if values else "no value is given"
        raise InvalidStudy((Problem(place, fault, allowed, "Add values, separated by commas."),))
    if len(values) > MAX_VALUES:
        remedy = "Remove some, or search the range with a study."
        raise InvalidStudy(
            (Problem(place, f"{len(values):,} values are too many for a race", allowed, remedy),)
        )
    if len(values) * seeds > MAX_RUNS:
        fault = f"{len(values)} values with {seeds} seeds are {len(values) * seeds} runs, too many for a race"
        raise InvalidStudy(
            (Problem("seeds", fault, f"at most {MAX_RUNS}", "Take fewer values or seeds."),)
        )


# values to begin with


def _values(base: RunConfig, parameter: Parameter) -> tuple[Scalar, ...]:
    own = own_value(base, parameter.path)
    if isinstance(parameter, Choice):
        return parameter.values
    number = float(own) if isinstance(own, int | float) and not isinstance(own, bool) else None
    if isinstance(parameter, FloatRange):
        found = _half_decades(parameter, number) if parameter.log else _even(parameter)
    else:
        found = _octaves(parameter) if parameter.log else listed(parameter, 6)
    also = (own,) if number is not None and parameter.low <= number <= parameter.high else ()
    return in_order(tuple(dict.fromkeys((*found, *also))))


def _half_decades(parameter: FloatRange, own: float | None) -> tuple[Scalar, ...]:
    """Go from the network's own value in half decades, further up than down: too high a rate shows more than one too low."""
    middle = own or math.sqrt(parameter.low * parameter.high)
    low, high = _HALF_DECADES
    exact = [middle * 10 ** (step / 2) if step else middle for step in range(low, high + 1)]
    top = max(parameter.high, 100 * middle) if own else parameter.high
    return tuple(
        value if value == middle else float(f"{value:.1g}") for value in exact if value <= top
    )


def _even(parameter: FloatRange) -> tuple[Scalar, ...]:
    """Take as many values evenly apart as make their distance a round number."""
    span = parameter.high - parameter.low
    counts = [
        n for n in _ROUND_COUNTS if math.isclose(span / (n - 1), float(f"{span / (n - 1):.1g}"))
    ]
    return listed(parameter, counts[0] if counts else _ROUND_COUNTS[-1])


def _octaves(parameter: IntRange) -> tuple[Scalar, ...]:
    powers = (1 << exponent for exponent in range(parameter.high.bit_length()))
    return tuple(power for power in powers if parameter.low <= power <= parameter.high)


def _initialisers(base: RunConfig) -> Iterator[RaceSetting]:
    for index, layer in enumerate(base.layers):
        own = getattr(layer, "kernel_init", None)
        if own is not None:
            kinds = tuple(dict.fromkeys((own.kind, *INITIALIZERS)))
            yield RaceSetting(
                f"Initialiser of layer {index + 1}", f"layers.{index}.kernel_init.kind", kinds
            )


def in_space(space: SearchSpace) -> tuple[Scalar, ...]:
    """List the values that a race's space has, in the order of its colours."""
    return in_order(space.parameters[0].all_values())
