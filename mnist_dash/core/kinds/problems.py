"""What pydantic finds, in the project's words: the rule, the value that breaks it and the remedy."""

from __future__ import annotations

from pydantic import ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from mnist_dash.errors import Problem

MAX_LAYERS = 64
"""Layers of a network, at most."""


def invalid(path: str, rule: str, value: str, remedy: str) -> PydanticCustomError:
    """Say within a validator which rule a value breaks, and what to do about it."""
    return PydanticCustomError("rule", "{rule}; got {value}. {remedy}", {"path": path, "rule": rule, "value": value, "remedy": remedy})


def problems_of(error: ValidationError) -> tuple[Problem, ...]:
    """Say what a validation found, one problem a broken rule."""
    found = error.errors(include_url=False)
    wrong_lists = {details["loc"][:index] for details in found for index in range(1, len(details["loc"]))}
    # pydantic counts only the items that are well: too few of them is no news beside what is wrong with the others
    return tuple(_problem(details) for details in found if not (details["type"] == "too_short" and details["loc"] in wrong_lists))


def _problem(details: ErrorDetails) -> Problem:
    context = details.get("ctx", {})
    path = _path(details["loc"])
    if details["type"] == "rule":
        inner = str(context["path"])
        # A rule of a part (Nesterov needs momentum) is found inside that part's path.
        full = f"{path}.{inner}" if path and not inner.startswith(path) else inner
        return Problem(full, str(context["rule"]), str(context["value"]), str(context["remedy"]))
    value = details.get("input")
    shown = repr(value) if not isinstance(value, dict | list | tuple) else ""
    field = path.rsplit(".", 1)[-1]
    match details["type"]:
        case "greater_than_equal" | "greater_than" | "less_than_equal" | "less_than":
            word = {"greater_than_equal": "at least", "greater_than": "above", "less_than_equal": "at most", "less_than": "below"}
            kind = details["type"]
            bound = context[{"greater_than_equal": "ge", "greater_than": "gt", "less_than_equal": "le", "less_than": "lt"}[kind]]
            text = f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"
            return Problem(path, f"{field} is {word[kind]} {text}", shown, f"Choose a value {word[kind]} {text}.")
        case "finite_number":
            return Problem(path, f"{field} is a finite number", shown, "Type a number such as 0.001.")
        case "int_parsing" | "int_type" | "int_from_float":
            return Problem(path, f"{field} is a whole number", shown, "Type a whole number such as 10.")
        case "float_parsing" | "float_type":
            return Problem(path, f"{field} is a number", shown, "Type a number such as 0.001.")
        case "union_tag_invalid":
            expected = str(context["expected_tags"]).replace("'", "")
            return Problem(f"{path}.kind", "kind is one that exists", repr(context["tag"]), f"Choose one of {expected}.")
        case "union_tag_not_found":
            return Problem(f"{path}.kind", "kind says which part this is", "none", "Add a kind.")
        case "literal_error":
            return Problem(path, f"{field} is one of the known values", shown, f"Choose {context['expected']}.")
        case "extra_forbidden":
            return Problem(path, "every name is a field of the configuration", field, "Remove it, or correct its spelling.")
        case "too_long" | "too_short" if field == "layers":
            return Problem(path, f"a network has 1 to {MAX_LAYERS} layers", f"{context['actual_length']} layers", "Add or remove layers.")
    return Problem(path, details["msg"][:1].lower() + details["msg"][1:], shown, "Correct this value.")


def _path(location: tuple[int | str, ...]) -> str:
    """Join a pydantic location, leaving out the kind of split that it inserts (``split.tail.fraction``)."""
    return ".".join(str(part) for index, part in enumerate(location) if index == 0 or location[index - 1] != "split")
