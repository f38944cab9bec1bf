"""What a search space must hold before anything runs: every extreme of it is a configuration that could be trained."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product

from mnist_dash.core.config.batches import leaves_one
from mnist_dash.core.kinds.problems import shown
from mnist_dash.errors import InvalidConfig, Problem
from mnist_dash.search.definition.network_shape import (
    MAX_BLOCKS,
    WORDS,
    is_known,
    is_shape_setting,
    width_of,
)
from mnist_dash.search.definition.space import (
    Choice,
    IntRange,
    Parameter,
    Scalar,
    SearchSpace,
    applies,
    control_of,
    same,
)
from mnist_dash.text import did_you_mean

UNEXPLORED = {
    "seed": "Give the study several seeds instead: seeds: 3.",
    "dataset": "Make one study a data set; figures of different data are not comparable.",
    "device": "The queue chooses the device.",
}
"""Settings that decide nothing that could be compared."""


def check_space(space: SearchSpace) -> tuple[Problem, ...]:
    """Find every parameter that is wrong by itself, lacks its condition, or leads to a configuration that is refused."""
    problems: list[Problem] = []
    seen: set[str] = set()
    for parameter in space.parameters:
        found = [*_range(parameter), *_path(parameter, space), *_conditions(parameter, space, seen)]
        if parameter.path in seen:
            found.append(_problem(parameter, "it is explored twice", "", "Remove one of them."))
        problems += found
        seen.add(parameter.path)
    if problems:
        return tuple(problems)
    for parameter in space.parameters:
        problems += _extremes(parameter, space)
    return tuple(problems)


def notes(space: SearchSpace) -> tuple[str, ...]:
    """Say what is allowed in a space and may surprise: an upper bound that its steps never reach."""
    return tuple(
        f"{parameter.path}: {parameter.high:g} is never drawn; steps of {parameter.step:g} from {parameter.low:g} end at "
        f"{parameter.extremes[-1]}."
        for parameter in space.parameters
        if not isinstance(parameter, Choice)
        and parameter.step is not None
        and parameter.extremes[-1] != parameter.high
    )


def _problem(parameter: Parameter, fault: str, allowed: str, remedy: str) -> Problem:
    return Problem(f"space.{parameter.path}", fault, allowed, remedy)


def _range(parameter: Parameter) -> Iterator[Problem]:
    if isinstance(parameter, Choice):
        for index, value in enumerate(parameter.values):
            if any(same(value, other) for other in parameter.values[:index]):
                yield _problem(
                    parameter, f"{shown(value)} is listed twice", "", "Remove one of them."
                )
        return
    if parameter.low > parameter.high:
        yield _problem(
            parameter,
            f"low, {parameter.low:g}, is above high, {parameter.high:g}",
            "",
            "Swap them.",
        )
    elif parameter.step is not None and parameter.n_values == 1 and parameter.low < parameter.high:
        remedy = f"Choose a step of at most {parameter.high - parameter.low:g}."
        yield _problem(
            parameter,
            f"a step of {parameter.step:g} is larger than the range, so that only {parameter.low:g} is drawn",
            "",
            remedy,
        )
    if parameter.log and parameter.low <= 0:
        remedy = "Set low to 0.0001, say, or log to false."
        yield _problem(parameter, f"low, {parameter.low:g}, has no logarithm", "above 0", remedy)
    if parameter.log and parameter.step not in (None, 1):
        remedy = "Leave step out, or list the values."
        yield _problem(
            parameter,
            f"a step of {parameter.step:g} does not go with a logarithmic range",
            "",
            remedy,
        )


def _path(parameter: Parameter, space: SearchSpace) -> Iterator[Problem]:
    path = parameter.path
    if path.split(".")[0] in UNEXPLORED:
        yield _problem(
            parameter,
            "it changes nothing that trials could be compared by",
            "",
            UNEXPLORED[path.split(".")[0]],
        )
    control = control_of(space.base, path)
    if control is not None and not control.is_searchable:
        remedy = "Remove it, and set it in the configuration that the study starts from."
        yield _problem(parameter, "it changes nothing that trials could be compared by", "", remedy)
    if is_shape_setting(path) and not is_known(path):
        most = ", ".join(f"{kind} {count}" for kind, count in MAX_BLOCKS.items())
        remedy = did_you_mean(path, WORDS) or "Correct the word."
        yield _problem(
            parameter,
            f"{path} shapes no network",
            f"{', '.join(WORDS)}; layers at most: {most}",
            remedy,
        )
    if path.startswith("conv.") and space.base.features != "pixels":
        fault = f"{space.base.features} features have no rows and columns to convolve"
        yield _problem(parameter, fault, "", "Start from a configuration on pixels.")
    if path.startswith("layers.") and any(is_shape_setting(other) for other in space.paths):
        fault = "a single layer does not go together with words that shape the whole network"
        yield _problem(parameter, fault, "", "Use the words alone, such as dense.0.units.")


def _conditions(parameter: Parameter, space: SearchSpace, seen: set[str]) -> Iterator[Problem]:
    counted = width_of(parameter.path)
    for condition in parameter.conditions:
        if condition.path not in seen:
            fault = f"it depends on {condition.path}, which is not explored before it"
            remedy = f"Add {condition.path} before it, or leave `when` out."
            if counted is not None and condition.path == counted[0]:
                remedy = f"Add {condition.path} before it, or explore the layer itself, such as layers.1.units."
            yield _problem(parameter, fault, "", remedy)
            continue
        parent = space.parameter(condition.path)
        strangers = [value for value in condition.values if not parent.contains(value)]
        if strangers:
            fault = f"its condition names {', '.join(map(shown, strangers))}, which {condition.path} does not take"
            hint = did_you_mean(str(strangers[0]), map(str, parent.extremes))
            yield _problem(parameter, fault, "", hint or "Correct the value, or add it there.")
        elif not condition.values and condition.at_least is None:
            yield _problem(
                parameter,
                "its condition names no value",
                "",
                f"Write when: {{{condition.path}: ...}}.",
            )
        elif condition.at_least is not None and (
            isinstance(parent, Choice) or parent.high < condition.at_least
        ):
            known = "is a choice" if isinstance(parent, Choice) else f"is at most {parent.high:g}"
            fault = f"it never applies: {condition.path} {known} and would have to be {condition.at_least:g}"
            yield _problem(
                parameter, fault, "", f"Raise {condition.path}, or remove this parameter."
            )


def _extremes(parameter: Parameter, space: SearchSpace) -> list[Problem]:
    """Try its extremes under every kind of the part that it belongs to."""
    part = parameter.path.rsplit(".", 1)[0]
    siblings = [
        other
        for other in space.parameters
        if other.path == f"{part}.kind" and other is not parameter
    ]
    kinds: list[tuple[str, Scalar]] = [
        (other.path, value) for other in siblings for value in other.extremes
    ]
    well: list[Scalar] = []
    refused: list[tuple[Scalar, Problem]] = []
    problems: dict[str, Problem] = {}
    for kind, value in product(
        kinds or [("", None)], (*parameter.extremes, *_lonely(parameter, space))
    ):
        values = _assignment(space, parameter, dict([kind]) if kinds else {}, value)
        if values is None:
            continue
        try:
            space.configure(values)
            well.append(kind[1])
        except InvalidConfig as error:
            found = error.problems[0]
            if found.path != parameter.path and found.path in space.paths:
                continue  # said of that parameter
            refused.append((kind[1], found))
            what = "" if found.path == parameter.path else f"{parameter.path} = {value}: "
            problems.setdefault(
                found.fault,
                _problem(parameter, f"{what}{found.fault}", found.allowed, found.remedy),
            )
    if kinds and well and refused and all(problem.path.startswith(part) for _, problem in refused):
        stranger = refused[0][0]
        allowed = ", ".join(dict.fromkeys(str(value) for value in well))
        fault = f"{stranger} does not have it"
        return [_problem(parameter, fault, "", f"Add when: {{{kinds[0][0]}: [{allowed}]}}.")]
    return list(problems.values())


def _lonely(parameter: Parameter, space: SearchSpace) -> tuple[Scalar, ...]:
    """Give the first batch size within a range that would leave an image alone in its batch: batch normalisation may refuse it."""
    if parameter.path != "batch_size" or not isinstance(parameter, IntRange):
        return ()
    alone = (
        size
        for size in range(parameter.low, parameter.high + 1, parameter.step)
        if leaves_one(space.base.n_training, size)
    )
    return tuple(islice(alone, 1))


def _assignment(
    space: SearchSpace, wanted: Parameter, given: dict[str, Scalar], value: Scalar
) -> dict[str, Scalar] | None:
    """Build values in which a parameter applies and has a value, the others at their first; None where it cannot apply."""
    needed: dict[str, Scalar] = dict(given)
    pending = [wanted]
    while pending:
        parameter = pending.pop()
        for condition in parameter.conditions:
            parent = space.parameter(condition.path)
            least = condition.at_least
            fitting = [own for own in condition.values if parent.contains(own)]
            fitting += [
                own
                for own in parent.extremes
                if least is not None and isinstance(own, int | float) and own >= least
            ]
            if condition.path in needed and not condition.holds(needed):
                return None
            needed.setdefault(condition.path, fitting[0])
            pending.append(parent)
    values: dict[str, Scalar] = {}
    for parameter in space.parameters:
        if applies(parameter, values):
            first = parameter.extremes[0]
            values[parameter.path] = (
                value if parameter is wanted else needed.get(parameter.path, first)
            )
    return values if wanted.path in values else None
