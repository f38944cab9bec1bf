"""How the values of a study are written: objectives in their units, hyperparameters as `--set` takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mnist_dash.formatting import NOTHING, duration, number, percent

if TYPE_CHECKING:
    from mnist_dash.search.definition.space import Scalar


def objective(name: str, value: float | None) -> str:
    """Write the value of an objective in its unit; a dash where there is none."""
    if value is None:
        return NOTHING
    match name:
        case "val_accuracy":
            return percent(value)
        case "parameters":
            return f"{value:,.0f}"
        case "seconds":
            return duration(value)
        case "seconds_per_image":
            return f"{number(1e6 * value)} µs"
    return number(value)


def scalar(value: Scalar) -> str:
    """Write a value of a hyperparameter as `--set` takes it, numbers with three significant digits."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def hyperparameters(values: Mapping[str, Scalar]) -> str:
    """Write the hyperparameters of a trial in a line."""
    return ", ".join(f"{path} {scalar(value)}" for path, value in values.items())
