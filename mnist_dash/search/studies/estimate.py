"""What a study will cost before it is launched: how many runs, how long each, how long in all."""

from __future__ import annotations

from dataclasses import dataclass

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.runs.query.estimate import Estimate, estimate
from mnist_dash.runs.store.run_store import Store
from mnist_dash.search.definition.space import IntRange
from mnist_dash.search.definition.study_definition import StudyDefinition


@dataclass(frozen=True)
class StudyEstimate:
    """What a study will take on this installation."""

    run: Estimate
    """Of the base; where epochs are explored, with those in the middle of the range."""
    n_workers: int
    """Workers that are alive, one at least."""
    n_runs: int | None
    """Runs of all planned trials; None where time or convergence decides."""
    seconds: float | None
    """Until the study ends, by the first of its ends that is known."""
    n_runs_is_bound: bool
    """Whether it may end before all planned trials are done."""
    seconds_is_bound: bool
    """Whether it may take less time."""


def estimate_study(store: Store, definition: StudyDefinition) -> StudyEstimate:
    """Estimate the cost of a study for the network as it is."""
    run = estimate(store, _typical(definition))
    n_workers = max(1, sum(worker.state != "gone" for worker in store.workers()))
    budget, planned = definition.budget, definition.n_planned
    n_runs = None if planned is None else planned * definition.seeds
    return StudyEstimate(
        run=run,
        n_workers=n_workers,
        n_runs=n_runs,
        seconds=_seconds(definition, n_runs, run.seconds_total, n_workers),
        n_runs_is_bound=budget.stagnation is not None or budget.minutes is not None,
        seconds_is_bound=budget.stagnation is not None or definition.pruner.kind != "none",
    )


def _typical(definition: StudyDefinition) -> RunConfig:
    """Give the base, with the epochs in the middle of their range where they are explored."""
    base, ranges = definition.space.base, definition.space.parameters
    epochs = next(
        (each for each in ranges if each.path == "epochs" and isinstance(each, IntRange)), None
    )
    return (
        base
        if epochs is None
        else base.model_copy(update={"epochs": (epochs.low + epochs.high) // 2})
    )


def _seconds(
    definition: StudyDefinition, n_runs: int | None, seconds_of_run: float | None, n_workers: int
) -> float | None:
    at_once = min(n_workers, definition.parallelism * definition.seeds)
    ends = [] if n_runs is None or seconds_of_run is None else [n_runs * seconds_of_run / at_once]
    ends += [] if definition.budget.minutes is None else [60 * definition.budget.minutes]
    return min(ends, default=None)
