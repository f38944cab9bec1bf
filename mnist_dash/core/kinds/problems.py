"""What pydantic finds, in the project's words: what is wrong with a value, what is allowed, what to do.

`typed` and `in_own_words` stand around the validation of every part of a configuration: the first reads numbers as people write them, the
second says what was wrong in words that name the field's own bounds, its neighbours and the nearest known name.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from mnist_dash.errors import Problem
from mnist_dash.text import did_you_mean, listed, nearest, parse_number, plural

MAX_LAYERS = 64
"""Layers of a network, at most."""
_RULE = "rule"
FIELD_ABBREVIATIONS = {
    "lr": "learning_rate",
    "wd": "weight_decay",
    "bs": "batch_size",
    "batch": "batch_size",
}
"""What people type for a field that is written out here."""
_LONGEST = 80


class NoNumber:
    """Stands where a number should, so that the field is refused with this reason."""

    def __init__(self, fault: str, remedy: str = "") -> None:
        self.fault = fault
        self.remedy = remedy


def invalid(path: str, fault: str, allowed: str, remedy: str) -> PydanticCustomError:
    """Say within a validator what is wrong with a value, what is allowed, and what to do; see `Problem`."""
    message = Problem("", fault, allowed, remedy).sentence.replace("{", "(").replace("}", ")")
    return PydanticCustomError(
        _RULE, message, {"path": path, "fault": fault, "allowed": allowed, "remedy": remedy}
    )


def problems_of(error: ValidationError) -> tuple[Problem, ...]:
    """Say what a validation found, one problem a fault."""
    found = error.errors(include_url=False)
    wrong_lists = {
        details["loc"][:index] for details in found for index in range(1, len(details["loc"]))
    }
    problems = []
    for details in found:
        context = details.get("ctx", {})
        if context.get("counted") and details["loc"] in wrong_lists:
            continue  # pydantic counts only the items that are well: too few of them is no news beside what is wrong with the others
        path, inner = _path(details["loc"]), str(context.get("path", ""))
        full = f"{path}.{inner}" if path and inner and not inner.startswith(path) else inner or path
        problems.append(
            Problem(full, str(context["fault"]), str(context["allowed"]), str(context["remedy"]))
        )
    return tuple(dict.fromkeys(problems))


def typed(model: type[BaseModel], values: Any) -> Any:  # noqa: ANN401 - whatever was typed
    """Read the numbers of a part as people write them, ``50,000`` and ``1e-4``; what is none, a yes or no say, is marked as wrong."""
    if not isinstance(values, Mapping):
        return values
    numeric = _numeric_fields(model)
    changed = {
        name: _number(value, is_whole=numeric[name])
        for name, value in values.items()
        if name in numeric and isinstance(value, str | bool) and value != ""
    }
    return {**values, **changed} if changed else values


def in_own_words(error: ValidationError, model: type[BaseModel]) -> ValidationError:
    """Write the faults that pydantic found in a part in the project's words."""
    lines = []
    for details in error.errors(include_url=False):
        if details["type"] == _RULE:
            context = details["ctx"]
            found = PydanticCustomError(
                _RULE, details["msg"].replace("{", "(").replace("}", ")"), context
            )
            location = details["loc"]
        else:
            problem, location = _problem(details, model)
            found = invalid(problem.path, problem.fault, problem.allowed, problem.remedy)
            if details["type"] in ("too_short", "too_long"):
                found = PydanticCustomError(
                    _RULE, found.message_template, (found.context or {}) | {"counted": True}
                )
        lines.append(InitErrorDetails(type=found, loc=location, input=details["input"]))
    return ValidationError.from_exception_data(error.title, lines)


def shown(value: object) -> str:
    """Write a value as a message quotes it: text in quotes, ``true``, ``none``, long ones cut short."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return f"{value:.0f}"
    if isinstance(value, Mapping):
        return "a group of fields"
    if isinstance(value, list | tuple | set):
        return "a list" if value else "an empty list"
    text = value if isinstance(value, str) else f"{value!r}"
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return repr(text) if isinstance(value, str) else text


def _number(value: object, *, is_whole: bool) -> object:
    kind = "whole number" if is_whole else "number"
    example = "10" if is_whole else "0.001"
    if isinstance(value, bool):
        return NoNumber(f"{shown(value)} is no {kind}", f"Type a {kind} such as {example}.")
    assert isinstance(value, str)
    number = parse_number(value)
    if number is None:
        point = value.replace(",", ".", 1)
        hint = (
            point
            if value.count(",") == 1 and not is_whole and parse_number(point) is not None
            else example
        )
        return NoNumber(
            f"{shown(value)} is no {kind}",
            f"Type {hint}." if hint is point else f"Type a {kind} such as {hint}.",
        )
    if is_whole and isinstance(number, float) and number.is_integer() and "." in value:
        whole, thousands = f"{number:.0f}", value.replace(".", "")
        remedy = (
            f"Write {whole} or {thousands}."
            if thousands.isdigit() and int(thousands) != number
            else f"Write {whole}."
        )
        return NoNumber(f"{shown(value)} is ambiguous where a whole number is wanted", remedy)
    return int(number) if is_whole and float(number).is_integer() and abs(number) < 1e15 else number


@cache
def _numeric_fields(model: type[BaseModel]) -> dict[str, bool]:
    """Name the fields that take numbers and no text or yes or no, and whether they take whole ones alone."""
    found = {}
    for name, field in model.model_fields.items():
        kinds = set(_kinds(field.annotation))
        if kinds & {int, float} and not kinds & {bool, str}:
            found[name] = float not in kinds
    return found


def _kinds(annotation: Any) -> Iterator[Any]:  # noqa: ANN401 - a type
    if get_origin(annotation) in (Union, types.UnionType):
        for each in get_args(annotation):
            yield from _kinds(each)
    elif hasattr(annotation, "__metadata__"):
        yield from _kinds(annotation.__origin__)
    else:
        yield annotation


def _problem(
    details: ErrorDetails, model: type[BaseModel]
) -> tuple[Problem, tuple[int | str, ...]]:
    """Say one fault; its path is below the location that comes with it."""
    location, value, kind = details["loc"], details.get("input"), details["type"]
    field = str(location[0]) if location else ""
    context = details.get("ctx", {})
    if isinstance(value, NoNumber):
        return Problem("", value.fault, "", value.remedy), location
    match kind:
        case "greater_than_equal" | "greater_than" | "less_than_equal" | "less_than":
            size = "large" if kind.startswith("less") else "small"
            return Problem("", f"{shown(value)} is too {size}", _bounds(model, field), ""), location
        case "finite_number":
            return Problem(
                "", f"{shown(value)} is not finite", "", "Type a number such as 0.001."
            ), location
        case "int_parsing" | "int_type" | "int_from_float" | "int_parsing_size":
            return Problem(
                "", f"{shown(value)} is no whole number", "", "Type a whole number such as 10."
            ), location
        case "float_parsing" | "float_type":
            return Problem(
                "", f"{shown(value)} is no number", "", "Type a number such as 0.001."
            ), location
        case "union_tag_invalid":
            return _unknown_kind(str(context["tag"]), str(context["expected_tags"])), location
        case "union_tag_not_found":
            return Problem(
                "kind", "it is missing", "", "Add a kind, which says what this part is."
            ), location
        case "literal_error":
            known = (
                _literals(model.model_fields[field].annotation)
                if field in model.model_fields
                else []
            )
            known = known if len(location) == 1 or str(location[1]).startswith("literal[") else []
            known = known or _quoted(str(context["expected"]))
            below = tuple(part for part in location if not str(part).startswith("literal["))
            return Problem(
                "", f"{shown(value)} is not known", listed(known), did_you_mean(str(value), known)
            ), below
        case "extra_forbidden":
            return _unknown_field(field, model), location
        case "too_long" | "too_short":
            return _length(field, context, model), location
        case "missing":
            return Problem("", "it is missing", "", "Add it."), location
    return _wrong_type(kind, value, field, context), _without_types(location, model)


def _unknown_kind(name: str, expected: str) -> Problem:
    known = _quoted(expected)
    return Problem("kind", f"{shown(name)} is not known", listed(known), did_you_mean(name, known))


def _unknown_field(field: str, model: type[BaseModel]) -> Problem:
    own = [name for name in model.model_fields if name != "kind"]
    kind = model.model_fields["kind"].default if "kind" in model.model_fields else None
    fault = f"{kind} has no field {field}" if kind is not None else f"there is no field {field}"
    having = _siblings_with(field, model)
    near = (
        [FIELD_ABBREVIATIONS[field]]
        if FIELD_ABBREVIATIONS.get(field) in own
        else nearest(field, own)
    )
    if having:
        remedy = f"{listed(having, last='and')} {'has' if len(having) == 1 else 'have'}: set kind to {having[0]}, or leave {field} out."
    elif near:
        remedy = f"Did you mean {listed(near)}?"
    else:
        remedy = "Remove it."
    return Problem("", fault, f"it has {', '.join(own)}" if own and not having else "", remedy)


def _siblings_with(field: str, model: type[BaseModel]) -> list[str]:
    """Name the other kinds of the same part that have a field: of Adam's ``weight_decay``, ``adamw`` and ``lion``."""
    if "kind" not in model.model_fields:
        return []
    part = next(
        each
        for each in model.__mro__
        if issubclass(each, BaseModel) and "kind" not in each.model_fields
    )
    pending, siblings = [part], []
    while pending:
        siblings += (found := pending.pop().__subclasses__())
        pending += found
    having = [
        str(each.model_fields["kind"].default)
        for each in siblings
        if {"kind", field} <= set(each.model_fields)
    ]
    own = str(model.model_fields["kind"].default)
    return sorted(having, key=lambda name: (not name.startswith(own), name))


def _length(field: str, context: Mapping[str, Any], model: type[BaseModel]) -> Problem:
    n, noun = int(context["actual_length"]), field.replace("_", " ").removesuffix("s") or "value"
    least, most = int(context.get("min_length", 0)), context.get("max_length")
    for bound in model.model_fields[field].metadata if field in model.model_fields else ():
        least, most = getattr(bound, "min_length", least), getattr(bound, "max_length", most)
    allowed = f"{least:,} to {most:,}" if most is not None else f"at least {least:,}"
    return Problem(
        "",
        f"{plural(n, noun)} are too {'few' if n < least else 'many'}",
        allowed,
        f"{'Add' if n < least else 'Remove'} some.",
    )


def _wrong_type(kind: str, value: object, field: str, context: Mapping[str, Any]) -> Problem:
    match kind:
        case "model_type" | "model_attributes_type" | "dict_type":
            remedy = (
                f"Write {field}.kind={value}."
                if isinstance(value, str) and field
                else "Write its fields by name."
            )
            return Problem(
                "", f"{shown(value)} stands where a group of fields is wanted", "", remedy
            )
        case "tuple_type" | "list_type":
            return Problem(
                "", f"{shown(value)} stands where a list is wanted", "", "Write [a, b, c]."
            )
        case "string_type":
            quoted = isinstance(value, int | float)
            return Problem(
                "",
                f"{shown(value)} is no text",
                "",
                f"Write it in quotes: '{shown(value)}'." if quoted else "Write text.",
            )
        case "string_too_long":
            return Problem(
                "", "it is too long", f"at most {context['max_length']:,} characters", "Shorten it."
            )
        case "string_too_short":
            return Problem("", "it is empty", "", "Write something.")
        case "bool_type" | "bool_parsing":
            return Problem(
                "", f"{shown(value)} is neither true nor false", "", "Write true or false."
            )
    return Problem("", f"{shown(value)} cannot be read here", "", "Correct it.")


def _without_types(
    location: tuple[int | str, ...], model: type[BaseModel]
) -> tuple[int | str, ...]:
    """Leave out the name of a type, which pydantic adds where a value may be of several."""
    names = {"bool", "int", "float", "str", "none"}
    return (
        location[:-1]
        if len(location) > 1 and location[-1] in names and location[-1] not in model.model_fields
        else location
    )


def _bounds(model: type[BaseModel], field: str) -> str:
    """Say which numbers a field takes: ``1 to 10,000``, ``above 0 and at most 100``."""
    low = high = ""
    inclusive = True
    for bound in _constraints(model, field):
        for name in ("ge", "gt", "le", "lt"):
            limit = getattr(bound, name, None)
            if limit is None:
                continue
            text = f"{limit:,}" if isinstance(limit, int) else f"{limit:g}"
            if name in ("ge", "gt"):
                low, inclusive = text, name == "ge"
            else:
                high = f"{'at most' if name == 'le' else 'below'} {text}"
    if low and high:
        if inclusive and high.startswith("at most "):
            return f"{low} to {high.removeprefix('at most ')}"
        return f"{'at least' if inclusive else 'above'} {low} and {high}"
    return high or (f"{'at least' if inclusive else 'above'} {low}" if low else "")


def _constraints(model: type[BaseModel], field: str) -> Iterator[Any]:
    info = model.model_fields.get(field)
    if info is None:
        return
    yield from info.metadata
    pending = [info.annotation]
    while pending:
        annotation: Any = pending.pop()
        each: Any  # a constraint, or a field that holds some
        for each in getattr(annotation, "__metadata__", ()):
            yield from getattr(each, "metadata", [each])
        if get_origin(annotation) is not Literal:
            pending += get_args(annotation)


def _literals(annotation: Any) -> list[str]:  # noqa: ANN401 - a type
    """List the names that a field takes, whether they are of one type or of several."""
    if get_origin(annotation) is Literal:
        return [str(name) for name in get_args(annotation)]
    return [name for each in get_args(annotation) for name in _literals(each)]


def _quoted(text: str) -> list[str]:
    """Take the names out of pydantic's list of them, ``'a', 'b' or 'c'``."""
    return text.split("'")[1::2]


def _path(location: tuple[int | str, ...]) -> str:
    """Join a pydantic location, leaving out the kind of split that it inserts (``split.tail.fraction``)."""
    return ".".join(
        str(part)
        for index, part in enumerate(location)
        if index == 0 or location[index - 1] != "split"
    )
