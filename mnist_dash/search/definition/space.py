"""Search spaces: which settings of a run are explored, over which values, and under which conditions.

A setting is a path into a `RunConfig`, such as ``optimizer.learning_rate``, or one of the words of
`mnist_dash.search.definition.network_shape`.
A parameter may depend on others that come before it: momentum only with SGD, the width of the third layer only where there are three.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import Field

from mnist_dash.core.config.batches import check_batches
from mnist_dash.core.config.run_config import RunConfig, with_overrides
from mnist_dash.core.kinds.controls import Control
from mnist_dash.core.kinds.spec import Spec
from mnist_dash.search.definition.network_shape import is_shape_setting, shaped_layers, width_of

Scalar = bool | int | float | str | None
Values = Mapping[str, Scalar]
"""What a trial gives the settings that apply to it, by path."""
MAX_GRID = 10_000
"""Points of a grid at most; each is at least one run."""


class Condition(Spec):
    """Holds where another parameter applies and has one of some values, or is large enough."""

    path: str
    values: tuple[Scalar, ...] = ()
    at_least: float | None = None

    def holds(self, values: Values) -> bool:
        """Say whether it holds."""
        if self.path not in values:
            return False
        value = values[self.path]
        if self.at_least is not None:
            return isinstance(value, int | float) and value >= self.at_least
        return any(same(value, allowed) for allowed in self.values)


class _Parameter(Spec):
    path: str = Field(min_length=1, max_length=80)
    when: tuple[Condition, ...] = ()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """All conditions, that of a layer's width on the number of layers included."""
        counted = width_of(self.path)
        return (
            self.when
            if counted is None
            else (*self.when, Condition(path=counted[0], at_least=counted[1] + 1))
        )


class FloatRange(_Parameter):
    """A number between two bounds, both included; logarithmic where orders of magnitude matter."""

    kind: Literal["float"] = "float"
    low: float
    high: float
    log: bool = False
    step: float | None = Field(None, gt=0)

    @property
    def extremes(self) -> tuple[Scalar, ...]:
        """The values at which a rule breaks first: the lowest and the highest that are drawn."""
        return (
            self.low,
            self.high if self.step is None else self._nth(max(0, (self.n_values or 1) - 1)),
        )

    @property
    def n_values(self) -> int | None:
        """How many values it has; None where it is continuous."""
        return (
            None if self.step is None else math.floor((self.high - self.low) / self.step + 1e-9) + 1
        )

    def all_values(self) -> tuple[Scalar, ...]:
        """All values of a stepped range, in order."""
        assert self.step is not None
        return tuple(self._nth(index) for index in range(self.n_values or 0))

    def _nth(self, index: int) -> float:
        return round(self.low + index * (self.step or 0.0), 12)

    def from_unit(self, fraction: float) -> Scalar:
        """Map a number in [0, 1) onto the range."""
        if self.step is not None:
            return self._nth(_index(fraction, self.n_values or 1))
        if self.log:
            return float(
                math.exp(math.log(self.low) + fraction * (math.log(self.high) - math.log(self.low)))
            )
        return float(self.low + fraction * (self.high - self.low))

    def to_unit(self, value: Scalar) -> float:
        """Map a value of the range onto [0, 1]."""
        assert isinstance(value, int | float)
        if self.high == self.low:
            return 0.5
        if self.log:
            return (math.log(value) - math.log(self.low)) / (
                math.log(self.high) - math.log(self.low)
            )
        return (value - self.low) / (self.high - self.low)

    def contains(self, value: Scalar) -> bool:
        """Say whether a value lies in the range."""
        return (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and self.low <= value <= self.high
        )


class IntRange(_Parameter):
    """A whole number between two bounds, both included."""

    kind: Literal["int"] = "int"
    low: int
    high: int
    log: bool = False
    step: int = Field(1, ge=1)

    @property
    def extremes(self) -> tuple[Scalar, ...]:
        """The values at which a rule breaks first: the lowest and the highest that are drawn."""
        return (self.low, self.high - max(0, self.high - self.low) % self.step)

    @property
    def n_values(self) -> int | None:
        """How many values it has."""
        return (self.high - self.low) // self.step + 1

    def all_values(self) -> tuple[Scalar, ...]:
        """All values, in order."""
        return tuple(range(self.low, self.high + 1, self.step))

    def from_unit(self, fraction: float) -> Scalar:
        """Map a number in [0, 1) onto the range, every value the same share, or its logarithm's."""
        if self.log:
            value = math.exp(
                math.log(self.low) + fraction * (math.log(self.high) - math.log(self.low))
            )
            return min(self.high, max(self.low, round(value)))
        return self.low + self.step * _index(fraction, self.n_values or 1)

    def to_unit(self, value: Scalar) -> float:
        """Map a value of the range onto (0, 1), the middle of its share."""
        assert isinstance(value, int | float)
        if self.log:
            return (
                0.5
                if self.high == self.low
                else math.log(value / self.low) / math.log(self.high / self.low)
            )
        return ((value - self.low) / self.step + 0.5) / (self.n_values or 1)

    def contains(self, value: Scalar) -> bool:
        """Say whether a value is one of the range."""
        return (
            isinstance(value, int)
            and not isinstance(value, bool)
            and self.low <= value <= self.high
            and not (value - self.low) % self.step
        )


class Choice(_Parameter):
    """One of some values that have no order."""

    kind: Literal["choice"] = "choice"
    values: tuple[Scalar, ...] = Field(min_length=1, max_length=100)

    @property
    def extremes(self) -> tuple[Scalar, ...]:
        """Every value may break a rule."""
        return self.values

    @property
    def n_values(self) -> int | None:
        """How many values it has."""
        return len(self.values)

    def all_values(self) -> tuple[Scalar, ...]:
        """All values, in order."""
        return self.values

    def from_unit(self, fraction: float) -> Scalar:
        """Map a number in [0, 1) onto the values, each the same share."""
        return self.values[_index(fraction, len(self.values))]

    def to_unit(self, value: Scalar) -> float:
        """Map a value onto the middle of its share of (0, 1)."""
        return (
            next(index for index, own in enumerate(self.values) if same(own, value)) + 0.5
        ) / len(self.values)

    def contains(self, value: Scalar) -> bool:
        """Say whether a value is one of them."""
        return any(same(own, value) for own in self.values)


Parameter = Annotated[FloatRange | IntRange | Choice, Field(discriminator="kind")]


class SearchSpace(Spec):
    """A configuration to start from and the parameters that are explored around it, in an order in which parents come first."""

    base: RunConfig
    parameters: tuple[Parameter, ...] = Field(min_length=1, max_length=40)

    def parameter(self, path: str) -> Parameter:
        """Find a parameter; raises KeyError where the setting is not explored."""
        for parameter in self.parameters:
            if parameter.path == path:
                return parameter
        raise KeyError(path)

    @property
    def paths(self) -> tuple[str, ...]:
        """The settings that are explored."""
        return tuple(parameter.path for parameter in self.parameters)

    @property
    def is_conditional(self) -> bool:
        """Whether some parameters do not apply to every trial."""
        return any(parameter.conditions for parameter in self.parameters)

    def configure(self, values: Values, *, seed: int | None = None) -> RunConfig:
        """Build the configuration of a trial.

        Args:
            values: of the parameters that apply.
            seed: of the run; the base's where None.

        Raises:
            InvalidConfig: the values do not go together.
        """
        shape = {path: value for path, value in values.items() if is_shape_setting(path)}
        overrides: list[tuple[str, Any]] = (
            [("layers", list(shaped_layers(self.base, shape)))] if shape else []
        )
        direct = [(path, value) for path, value in values.items() if path not in shape]
        # A kind first: it clears what only the former had.
        overrides += sorted(direct, key=lambda item: not item[0].endswith("kind"))
        if seed is not None:
            overrides.append(("seed", seed))
        return check_batches(with_overrides(self.base, overrides))

    def from_unit(self, point: Sequence[float]) -> dict[str, Scalar]:
        """Map a point of the unit cube, one coordinate a parameter, onto values; coordinates of what does not apply are left out."""
        values: dict[str, Scalar] = {}
        for parameter, fraction in zip(self.parameters, point, strict=True):
            if applies(parameter, values):
                values[parameter.path] = parameter.from_unit(fraction)
        return values

    def restrict(self, values: Values) -> dict[str, Scalar] | None:
        """Keep of some values those that apply, in the order of the parameters; None where one is missing or outside of its range."""
        kept: dict[str, Scalar] = {}
        for parameter in self.parameters:
            if not applies(parameter, kept):
                continue
            if parameter.path not in values or not parameter.contains(values[parameter.path]):
                return None
            kept[parameter.path] = values[parameter.path]
        return kept

    def grid(self) -> Iterator[dict[str, Scalar]]:
        """Enumerate all combinations, the last parameter fastest; only for spaces whose parameters all have steps."""
        return self._grid({}, 0)

    def _grid(self, values: dict[str, Scalar], index: int) -> Iterator[dict[str, Scalar]]:
        if index == len(self.parameters):
            yield dict(values)
            return
        parameter = self.parameters[index]
        if not applies(parameter, values):
            yield from self._grid(values, index + 1)
            return
        for value in parameter.all_values():
            yield from self._grid(values | {parameter.path: value}, index + 1)

    @property
    def grid_bound(self) -> int | None:
        """How many points a grid has at most; None where a parameter is continuous."""
        product = 1
        for parameter in self.parameters:
            if parameter.n_values is None:
                return None
            product *= parameter.n_values
        return product


def applies(parameter: Parameter, values: Values) -> bool:
    """Say whether a parameter applies, given the values of those before it."""
    return all(condition.holds(values) for condition in parameter.conditions)


def control_of(base: RunConfig, path: str) -> Control | None:
    """Find what the kind of a layer, an optimizer or a schedule says of one of its fields; None for other settings."""
    part, _, field = path.rpartition(".")
    if part in ("optimizer", "schedule"):
        return (base.optimizer if part == "optimizer" else base.schedule).control(field)
    index = part.removeprefix("layers.")
    return (
        base.layers[int(index)].control(field)
        if index != part and index.isdigit() and int(index) < len(base.layers)
        else None
    )


def same(one: Scalar, other: Scalar) -> bool:
    """Compare scalars as JSON does: true is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


@cache
def is_whole(path: str) -> bool:
    """Say whether a setting is a whole number, by the type of the field that its path ends in."""
    leaf = path.rsplit(".", 1)[-1]
    return leaf == "n_layers" or leaf in _whole_fields()


@cache
def is_number(path: str) -> bool:
    """Say whether a setting is a number, whole or not, wherever a field of this name is."""
    leaf = path.rsplit(".", 1)[-1]
    return is_whole(path) or leaf in _number_fields()


@cache
def _number_fields() -> frozenset[str]:
    return _fields_of((int, float))


@cache
def _whole_fields() -> frozenset[str]:
    return _fields_of((int,)) - _fields_of((float,))


def _fields_of(wanted: tuple[type, ...]) -> frozenset[str]:
    found: set[str] = set()
    pending = list(Spec.__subclasses__())
    while pending:
        spec = pending.pop()
        pending += spec.__subclasses__()
        for name, field in spec.model_fields.items():
            kinds = (
                get_args(field.annotation)
                if get_origin(field.annotation) is not None
                else (field.annotation,)
            )
            if any(kind in kinds for kind in wanted) and bool not in kinds:
                found.add(name)
    return frozenset(found) - {"low", "high", "step"}


def _index(fraction: float, n: int) -> int:
    return min(n - 1, max(0, int(fraction * n)))
