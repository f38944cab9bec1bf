"""Kinds of values on a command line: numbers as people write them, and names that the shell completes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from mnist_dash.cli import completion
from mnist_dash.cli.command import name_of
from mnist_dash.formatting import duration
from mnist_dash.text import parse_duration, parse_number

Names = Iterable[tuple[str, str]]
"""Names, each with a line about it."""


class Number(click.ParamType[Any]):
    """A number within bounds; thousands may be separated: ``50,000``.

    Args:
        low: the smallest value, or with `above` what it has to exceed.
        high: the largest value.
        example: a value to propose.
        whole: whether it is a whole number.
        above: whether `low` itself is too small.
        unit: what it counts, such as ``seconds``.
    """

    name = "number"

    def __init__(
        self,
        *,
        low: float = -math.inf,
        high: float = math.inf,
        example: str,
        whole: bool = False,
        above: bool = False,
        unit: str = "",
    ) -> None:
        self.low, self.high, self.example = low, high, example
        self.is_whole, self.is_above, self.unit = whole, above, unit

    def convert(
        self,
        value: Any,  # noqa: ANN401 - as click gives it
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float | int:
        """Read the number."""
        if not isinstance(value, str):
            given: float = value
            return given
        read = parse_number(value)
        if read is None or math.isnan(read) or (self.is_whole and not isinstance(read, int)):
            self._refuse(
                f"{value!r} is not a {'whole ' if self.is_whole else ''}number", param, ctx
            )
        if read < self.low or (self.is_above and read <= self.low):
            self._refuse(f"{value} is too small", param, ctx)
        if read > self.high or math.isinf(read):
            self._refuse(f"{value} is too large", param, ctx)
        return read

    def _refuse(
        self, wrong: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> NoReturn:
        low = (
            ""
            if math.isinf(self.low)
            else f"{'above' if self.is_above else 'at least'} {self.low:,}"
        )
        high = "" if math.isinf(self.high) else f"at most {self.high:,}"
        bounds = " and ".join(bound for bound in (low, high) if bound)
        allowed = " ".join(word for word in (bounds, self.unit) if word)
        typed = (
            f"{name_of(param)} {self.example}" if isinstance(param, click.Option) else self.example
        )
        self.fail(
            f"{wrong}{f' ({allowed})' if allowed else ''}. Type {typed}, for example.", param, ctx
        )


class Duration(click.ParamType[float]):
    """A time in seconds, written as ``90``, ``55m`` or ``1h30m``.

    Args:
        low: the shortest, in seconds.
        high: the longest, in seconds.
        example: one to propose.
    """

    name = "duration"

    def __init__(self, *, low: float, high: float, example: str) -> None:
        self.low, self.high, self.example = low, high, example

    def convert(
        self,
        value: Any,  # noqa: ANN401 - as click gives it
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """Read the time."""
        read = parse_duration(value) if isinstance(value, str) else float(value)
        allowed = f"{duration(self.low)} to {duration(self.high)}"
        typed = (
            f"{name_of(param)} {self.example}" if isinstance(param, click.Option) else self.example
        )
        if read is None:
            self.fail(
                f"{value!r} is not a time (such as 90s, 55m or 1h30m). Type {typed}, for example.",
                param,
                ctx,
            )
        if not self.low <= read <= self.high:
            self.fail(
                f"{value} is too {'short' if read < self.low else 'long'} ({allowed}). Type {typed}, for example.",
                param,
                ctx,
            )
        return read


class Name(click.ParamType[str]):
    """A name that is looked up when the command runs, and that the shell completes.

    Args:
        names: gives those that there are.
    """

    name = "name"

    def __init__(self, names: Callable[[], Names]) -> None:
        self._names = names

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's
        param: click.Parameter,  # noqa: ARG002 - click's
        incomplete: str,
    ) -> list[CompletionItem[Any]]:
        """Give the names that begin so."""
        return [
            CompletionItem(name, help=about)
            for name, about in self._names()
            if name.startswith(incomplete)
        ]


class Days(click.ParamType[Any]):
    """An age, as ``90d``, ``12w`` or a plain number of days."""

    name = "age"

    def convert(
        self,
        value: Any,  # noqa: ANN401 - as click gives it
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """Read the days."""
        text = str(value).strip().lower()
        read = parse_number(text.rstrip("dw") if text[-1:] in ("d", "w") else text)
        if read is None or not 0 <= read <= MAX_DAYS:
            self.fail(
                f"{value!r} is no age (0d to {MAX_DAYS:,}d). Type 90d or 12w, for example.",
                param,
                ctx,
            )
        return read * 7 if text.endswith("w") else read


MAX_DAYS = 36_500
COUNT = Number(low=1, example="20", whole=True)
SEED = Number(low=0, high=2**32 - 1, example="7", whole=True)
EPOCHS_SCALE = Number(low=0, high=10, above=True, example="0.1")
SECONDS = Number(low=0, example="30", unit="seconds")
DURATION = Duration(low=10, high=365 * 86_400, example="55m")
MINUTES = Number(low=0, high=100_000, above=True, example="10", unit="minutes")
RATE = Number(example="0.001")
DAYS = Days()
GIGABYTES = Number(low=0, high=1e6, example="20", unit="GB")
PORT = Number(low=1, high=65_535, example="8600", whole=True)
FILE = click.Path()
RUN = Name(completion.runs)
STUDY = Name(completion.studies)


def as_json(about: str) -> click.Option:
    """Give the option ``--json``."""
    return click.Option(["--json", "as_json"], is_flag=True, help=about)


def run(**attributes: Any) -> click.Argument:  # noqa: ANN401 - click's own
    """Give the argument that names a run."""
    return click.Argument(
        ["run"], type=RUN, metavar="RUN", help="the run's id; `runs` lists them", **attributes
    )


def study() -> click.Argument:
    """Give the argument that names a study."""
    return click.Argument(
        ["study"],
        type=STUDY,
        metavar="STUDY",
        help="the study's id or name; `study list` lists them",
    )
