"""What all figures of a study take: its objective, the settings it explores, and its trials as columns."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mnist_dash.formatting import exact, number, percent

GENERIC_ENDS = ("kind", "name", "value")
"""Last parts of a path that say nothing without the part before them."""


@dataclass(frozen=True)
class Objective:
    """What a study makes as large or as small as it can."""

    name: str
    """As the history calls it, such as ``val_accuracy``."""
    title: str
    """As axes print it, such as ``validation accuracy``."""
    maximize: bool

    @property
    def is_share(self) -> bool:
        """Whether values are fractions of one, printed in percent."""
        return "accuracy" in self.name

    @property
    def tick_format(self) -> str | None:
        """Plotly's format of an axis of values."""
        return ".2~%" if self.is_share else None

    def write(self, value: float) -> str:
        """Print one value as pages do, a fraction in percent."""
        if not math.isfinite(value):
            return "no value"
        return percent(value) if self.is_share else number(value)

    def write_exactly(self, value: float) -> str:
        """Print one value as tooltips do, with all its digits, a fraction in percent."""
        return self.write(value) if self.is_share or not math.isfinite(value) else exact(value)


@dataclass(frozen=True)
class Axis:
    """One hyperparameter that a study explores."""

    path: str
    """Dotted path in the configuration, such as ``optimizer.learning_rate``."""
    kind: Literal["float", "int", "choice"]
    log: bool = False
    low: float | None = None
    high: float | None = None
    choices: tuple[object, ...] = ()

    @property
    def title(self) -> str:
        """The last part of the path in words; `titles` tells axes with the same last part apart."""
        return _short(self.path, 1)


@dataclass(frozen=True)
class Trials:
    """The trials of a study as columns of one length ``n``, ordered by number.

    Attributes:
        numbers: ``(n,)``.
        states: ``(n,)``; waiting, running, complete, pruned, diverged, stopped or failed.
        values: ``(n, n_objectives)``; nan where there is none. A pruned trial has the value at which it was pruned.
        parameters: by path, one a trial; None where the setting does not apply to the trial.
        curves: objective 0 by epoch, from epoch 1, the mean over seeds; maybe empty.
        deviations: ``(n,)`` standard deviations of objective 0 over seeds; nan with one seed.
        started: ``(n,)`` seconds since 1970; nan where it has not.
        ended: ``(n,)`` seconds since 1970; nan where it has not.
        hovers: HTML-escaped, what differs in each trial's configuration.
    """

    numbers: npt.NDArray[np.int64]
    states: npt.NDArray[np.str_]
    values: npt.NDArray[np.float64]
    parameters: Mapping[str, Sequence[object]]
    curves: Sequence[Sequence[float]]
    deviations: npt.NDArray[np.float64]
    started: npt.NDArray[np.float64]
    ended: npt.NDArray[np.float64]
    hovers: Sequence[str]

    def __len__(self) -> int:
        return len(self.numbers)

    def complete(self, column: int | None = 0) -> npt.NDArray[np.bool_]:
        """Mark ``(n,)`` trials that are complete and whose objective ``column``, all objectives for None, is finite."""
        finite = (
            np.isfinite(self.values).all(axis=1)
            if column is None
            else np.isfinite(self.values[:, column])
        )
        marked: npt.NDArray[np.bool_] = (self.states == "complete") & finite
        return marked

    def current(self) -> npt.NDArray[np.float64]:
        """Objective 0 of each trial, ``(n,)``; for a running one without a value the last finite one of its curve."""
        values = self.values[:, 0].copy() if len(self) else np.zeros(0)
        for index in np.flatnonzero((self.states == "running") & ~np.isfinite(values)).tolist():
            curve = np.asarray(self.curves[index], dtype=np.float64)
            finite = curve[np.isfinite(curve)]
            values[index] = finite[-1] if len(finite) else np.nan
        return values


def titles(axes: Iterable[Axis]) -> dict[str, str]:
    """Name each axis by as few last parts of its path as tell it from the others; by path."""
    paths = list(dict.fromkeys(axis.path for axis in axes))
    parts = dict.fromkeys(paths, 1)
    while True:
        names = {path: _short(path, parts[path]) for path in paths}
        count = Counter(names.values())
        again = [
            path for path in paths if count[names[path]] > 1 and parts[path] < len(path.split("."))
        ]
        if not again:
            return names
        for path in again:
            parts[path] += 1


def select(trials: Trials, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> Trials:
    """Take some of the trials, by mask ``(n,)`` or by positions; they stay ordered by number."""
    positions = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else np.sort(chosen)
    return Trials(
        numbers=trials.numbers[positions],
        states=trials.states[positions],
        values=trials.values[positions],
        parameters={
            path: [column[index] for index in positions]
            for path, column in trials.parameters.items()
        },
        curves=[trials.curves[index] for index in positions],
        deviations=trials.deviations[positions],
        started=trials.started[positions],
        ended=trials.ended[positions],
        hovers=[trials.hovers[index] for index in positions],
    )


def ranking(trials: Trials, objective: Objective, *, column: int = 0) -> npt.NDArray[np.intp]:
    """Order the positions of complete trials, the best first, of equal ones the earlier first."""
    positions = np.flatnonzero(trials.complete(column))
    values = trials.values[positions, column]
    return positions[np.argsort(-values if objective.maximize else values, kind="stable")]


def best(trials: Trials, objective: Objective, k: int, *, column: int = 0) -> Trials:
    """Take the ``k`` best complete trials, ordered by number."""
    return select(trials, ranking(trials, objective, column=column)[:k])


def running_best(values: npt.NDArray[np.float64], *, maximize: bool) -> npt.NDArray[np.float64]:
    """Give the best of the values so far, ``(n,)``; nan until the first finite one."""
    finite = np.where(np.isfinite(values), values, -np.inf if maximize else np.inf)
    so_far = (np.maximum if maximize else np.minimum).accumulate(finite) if len(values) else finite
    return np.where(np.isfinite(so_far), so_far, np.nan)


def _short(path: str, n_parts: int) -> str:
    parts = path.split(".")
    if parts[-1] in GENERIC_ENDS:
        n_parts += 1
    if parts[-n_parts:][0].isdigit():
        n_parts += 1  # a place in a list says nothing without the list's name
    return " ".join(parts[-n_parts:]).replace("_", " ")
