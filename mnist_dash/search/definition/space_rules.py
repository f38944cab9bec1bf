"""What a search space must hold before anything runs: every extreme of it is a configuration that could be trained."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from mnist_dash.errors import InvalidConfig, Problem
from mnist_dash.search.definition.network_shape import MAX_BLOCKS, WORDS, is_known, is_shape_setting, width_of
from mnist_dash.search.definition.space import Choice, Parameter, Scalar, SearchSpace, applies, control_of

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
            found.append(_problem(parameter, "a setting is explored once", parameter.path, "Remove the second one."))
        problems += found
        seen.add(parameter.path)
    if problems:
        return tuple(problems)
    for parameter in space.parameters:
        problems += _extremes(parameter, space)
    return tuple(problems)


def _problem(parameter: Parameter, rule: str, value: str, remedy: str) -> Problem:
    return Problem(f"space.{parameter.path}", rule, value, remedy)


def _range(parameter: Parameter) -> Iterator[Problem]:
    if isinstance(parameter, Choice):
        if len({(type(value), value) for value in parameter.values}) < len(parameter.values):
            yield _problem(parameter, "each value is listed once", ", ".join(map(str, parameter.values)), "Remove the second one.")
        return
    if parameter.low > parameter.high:
        yield _problem(parameter, "low is at most high", f"{parameter.low:g} and {parameter.high:g}", "Swap them.")
    if parameter.log and parameter.low <= 0:
        yield _problem(parameter, "a logarithmic range is above 0", f"low {parameter.low:g}", "Set low to 0.0001, say, or log to false.")
    if parameter.log and parameter.step not in (None, 1):
        yield _problem(parameter, "a logarithmic range has no step", f"step {parameter.step:g}", "Leave step out, or list the values.")


def _path(parameter: Parameter, space: SearchSpace) -> Iterator[Problem]:
    path = parameter.path
    if path.split(".")[0] in UNEXPLORED:
        yield _problem(parameter, "a setting that is explored changes what is learned", path, UNEXPLORED[path.split(".")[0]])
    control = control_of(space.base, path)
    if control is not None and not control.is_searchable:
        remedy = "Remove it, and set it in the configuration that the study starts from."
        yield _problem(parameter, "a setting that is explored changes what is learned", path, remedy)
    if is_shape_setting(path) and not is_known(path):
        most = ", ".join(f"{kind} {count}" for kind, count in MAX_BLOCKS.items())
        yield _problem(parameter, f"a network is shaped by {', '.join(WORDS)} (layers at most: {most})", path, "Correct the word.")
    if path.startswith("conv.") and space.base.features != "pixels":
        yield _problem(parameter, "convolutions need pixels", f"features {space.base.features}", "Start from a configuration on pixels.")
    if path.startswith("layers.") and any(is_shape_setting(other) for other in space.paths):
        rule = "single layers and words that shape the network do not go together"
        yield _problem(parameter, rule, path, "Use the words alone, such as dense.0.units.")


def _conditions(parameter: Parameter, space: SearchSpace, seen: set[str]) -> Iterator[Problem]:
    counted = width_of(parameter.path)
    for condition in parameter.conditions:
        if condition.path not in seen:
            rule = "a conditional parameter comes after the one it depends on"
            remedy = f"Add {condition.path} before it, or leave `when` out."
            if counted is not None and condition.path == counted[0]:
                remedy = f"Add {condition.path} before it, or explore the layer itself, such as layers.1.units."
            yield _problem(parameter, rule, f"{condition.path}, which is not explored before it", remedy)
            continue
        parent = space.parameter(condition.path)
        strangers = [value for value in condition.values if not parent.contains(value)]
        if strangers:
            rule, remedy = f"a condition names values of {condition.path}", "Correct the value, or add it there."
            yield _problem(parameter, rule, ", ".join(map(str, strangers)), remedy)
        elif not condition.values and condition.at_least is None:
            yield _problem(
                parameter, "a condition names the values under which it holds", "none", f"Write when: {{{condition.path}: ...}}."
            )
        elif condition.at_least is not None and (isinstance(parent, Choice) or parent.high < condition.at_least):
            rule = f"{condition.path} can be {condition.at_least:g}"
            value = "a choice" if isinstance(parent, Choice) else f"at most {parent.high:g}"
            yield _problem(parameter, rule, value, f"Raise {condition.path}, or remove this parameter.")


def _extremes(parameter: Parameter, space: SearchSpace) -> list[Problem]:
    """Try its extremes under every kind of the part that it belongs to."""
    part = parameter.path.rsplit(".", 1)[0]
    siblings = [other for other in space.parameters if other.path == f"{part}.kind" and other is not parameter]
    kinds: list[tuple[str, Scalar]] = [(other.path, value) for other in siblings for value in other.extremes]
    well: list[Scalar] = []
    refused: list[tuple[Scalar, Problem]] = []
    problems: dict[str, Problem] = {}
    for kind, value in product(kinds or [("", None)], parameter.extremes):
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
                found.rule, Problem(f"space.{parameter.path}", f"{what}{found.rule}", found.value or str(value), found.remedy)
            )
    if kinds and well and refused and all(problem.path.startswith(part) for _, problem in refused):
        stranger = refused[0][0]
        allowed = ", ".join(dict.fromkeys(str(value) for value in well))
        rule = "a setting that only some kinds have needs a condition"
        return [_problem(parameter, rule, f"{kinds[0][0]} {stranger} without it", f"Add when: {{{kinds[0][0]}: [{allowed}]}}.")]
    return list(problems.values())


def _assignment(space: SearchSpace, wanted: Parameter, given: dict[str, Scalar], value: Scalar) -> dict[str, Scalar] | None:
    """Build values in which a parameter applies and has a value, the others at their first; None where it cannot apply."""
    needed: dict[str, Scalar] = dict(given)
    pending = [wanted]
    while pending:
        parameter = pending.pop()
        for condition in parameter.conditions:
            parent = space.parameter(condition.path)
            least = condition.at_least
            fitting = [own for own in condition.values if parent.contains(own)]
            fitting += [own for own in parent.extremes if least is not None and isinstance(own, int | float) and own >= least]
            if condition.path in needed and not condition.holds(needed):
                return None
            needed.setdefault(condition.path, fitting[0])
            pending.append(parent)
    values: dict[str, Scalar] = {}
    for parameter in space.parameters:
        if applies(parameter, values):
            first = parameter.extremes[0]
            values[parameter.path] = value if parameter is wanted else needed.get(parameter.path, first)
    return values if wanted.path in values else None
