"""The published experiments beside our own runs of them: what agrees, by how much, and whether a difference is more than noise."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from mnist_dash.core.config.experiments import Preset, as_experiment
from mnist_dash.core.config.published import EXPERIMENTS
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store, run_from_row
from mnist_dash.runs.store.states import RunState

TOLERANCE = 0.003
"""Accuracies that differ by no more than this (0.3 percentage points) count as reproduced."""
MIN_SEEDS = 3
"""Fewer runs say nothing of the noise between seeds."""
_T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""Student's t, two-sided 95 %, by degrees of freedom from 1; beyond the last the normal distribution's 1.96 is near enough."""


@dataclass(frozen=True)
class Point:
    """One configuration of an experiment: the only one, or one value of a sweep."""

    preset: Preset
    config: RunConfig
    value: float | int | None = None
    """The sweep's value."""

    @property
    def label(self) -> str:
        """Names it among all points, such as ``sweep_batch_size, batch_size 16``."""
        return (
            self.preset.name
            if self.preset.grid is None
            else f"{self.preset.name}, {self.preset.grid.path} {self.value}"
        )


@dataclass(frozen=True)
class Comparison:
    """A point and our finished runs of it, newest first, one a seed."""

    point: Point
    runs: tuple[Run, ...]

    @property
    def test_accuracy(self) -> float | None:
        """Mean over the seeds."""
        return _mean(run.test_accuracy for run in self.runs)

    @property
    def test_loss(self) -> float | None:
        """Mean over the seeds."""
        return _mean(run.test_loss for run in self.runs)

    @property
    def seconds_per_epoch(self) -> float | None:
        """Mean over the runs' own means, training alone."""
        return _mean(run.seconds_training / run.epoch for run in self.runs if run.epoch)

    @property
    def difference(self) -> float | None:
        """Our accuracy less the published one, as a fraction; None where one of them is missing."""
        published = self.point.preset.published
        ours = self.test_accuracy
        return (
            None
            if published is None or published.test_accuracy is None or ours is None
            else ours - published.test_accuracy
        )

    @property
    def interval(self) -> tuple[float, float] | None:
        """Where one more run with another seed would lie, 95 times of 100; None before there are `MIN_SEEDS` runs.

        A prediction interval of the normal distribution, ``mean +- t * s * sqrt(1 + 1 / n)``: the published figure is one more run.
        """
        accuracies = [run.test_accuracy for run in self.runs if run.test_accuracy is not None]
        n = len(accuracies)
        if n < MIN_SEEDS:
            return None
        half = (
            (_T_975[n - 2] if n - 2 < len(_T_975) else 1.96)
            * statistics.stdev(accuracies)
            * (1 + 1 / n) ** 0.5
        )
        middle = statistics.mean(accuracies)
        return middle - half, middle + half

    @property
    def verdict(self) -> str:
        """What the comparison says, in a few words."""
        published, difference, interval = (
            self.point.preset.published,
            self.difference,
            self.interval,
        )
        if not self.runs:
            return "not run yet"
        if difference is None or published is None or published.test_accuracy is None:
            return "no accuracy published"
        if self.point.preset.unattainable:
            return "not attainable as described"
        if interval is not None and interval[0] <= published.test_accuracy <= interval[1]:
            return "within the noise of seeds"
        if difference >= 0:
            return "better"
        return "within 0.3 points" if difference >= -TOLERANCE else "worse"


def points(presets: Iterable[Preset] = EXPERIMENTS) -> tuple[Point, ...]:
    """List the configurations of experiments, a sweep's one by one."""
    found: list[Point] = []
    for preset in presets:
        values = (None,) if preset.grid is None else preset.grid.values
        found += [
            Point(preset, config, value)
            for config, value in zip(preset.configs, values, strict=True)
        ]
    return tuple(found)


def compare(store: Store, wanted: Sequence[Point]) -> tuple[Comparison, ...]:
    """Find our finished runs of points, whatever their seed and device."""
    runs = schema.runs
    query = (
        sa.select(runs)
        .where(
            runs.c.preset.is_not(None),
            runs.c.state == RunState.FINISHED,
            runs.c.deleted_at.is_(None),
        )
        .order_by(runs.c.created_at.desc())
    )
    with store.reading() as connection:
        ours = [run_from_row(row) for row in connection.execute(query).mappings()]
    by_experiment: dict[RunConfig, list[Run]] = defaultdict(list)
    for run in ours:
        by_experiment[as_experiment(run.config)].append(run)
    return tuple(
        Comparison(point, _one_a_seed(by_experiment.get(point.config, ()))) for point in wanted
    )


def _one_a_seed(runs: Iterable[Run]) -> tuple[Run, ...]:
    """Keep the newest run of each seed: the same seed again is the same run."""
    kept: dict[int, Run] = {}
    for run in runs:
        kept.setdefault(run.config.seed, run)
    return tuple(kept.values())


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.mean(known) if known else None
