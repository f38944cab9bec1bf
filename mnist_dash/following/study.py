"""A study that is followed to its end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from mnist_dash.following.view import View
from mnist_dash.following.worker_start import WorkerStarter
from mnist_dash.formatting import duration
from mnist_dash.runs.store.run_store import Store
from mnist_dash.search.actions import steering
from mnist_dash.search.definition.study_definition import StudyDefinition
from mnist_dash.search.engine.study_runner import ensure_study_runner
from mnist_dash.search.studies import study_store
from mnist_dash.search.studies.formatting import hyperparameters, objective
from mnist_dash.search.studies.records import Study, StudyState, Trial, TrialState, best_trial
from mnist_dash.text import plural

LOOK_SECONDS = 1.0
"""How often the study itself is read where no trial changed: its time and whether somebody advances it."""


@dataclass(frozen=True)
class Standing:
    """How far a study is."""

    study: Study
    n_ended: int
    total: int | None
    """Trials that it will have; None where something else ends it."""
    best: Trial | None

    @property
    def per_hour(self) -> float | None:
        """Trials per hour of running; None where there is no pace yet."""
        used = self.study.seconds_used
        return 3600 * self.n_ended / used if self.n_ended and used > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the first limit of its budget, at the pace so far; None where that is not known."""
        limits = []
        if self.total is not None and self.per_hour:
            limits.append(3600 * max(0, self.total - self.n_ended) / self.per_hour)
        if self.study.definition.budget.minutes is not None:
            limits.append(
                max(0.0, 60 * self.study.definition.budget.minutes - self.study.seconds_used)
            )
        return min(limits, default=None)

    @property
    def fraction(self) -> float | None:
        """Fraction of the budget that is used, in [0, 1]; None where only the results can end it."""
        minutes = self.study.definition.budget.minutes
        fractions = [self.n_ended / self.total] if self.total else []
        fractions += [self.study.seconds_used / (60 * minutes)] if minutes else []
        return min(1.0, max(fractions)) if fractions else None


class FollowedStudy:
    """A study, read again where it changed; starts workers and a study runner where none is alive."""

    def __init__(self, store: Store, study_id: str) -> None:
        self._store = store
        self._id = study_id
        self._revision = 0
        self._edition = 0
        self._read_at = float("-inf")
        self._total: int | None = None
        self._ended: set[int] = set()
        self._running: set[int] = set()
        self._best: Trial | None = None
        self.study = study_store.find(store, study_id)
        self._starter = WorkerStarter(store, n_workers=n_runs_at_a_time(self.study.definition))

    @property
    def title(self) -> str:
        """The study by its name."""
        return f"study {self.study.name}"

    @property
    def has_ended(self) -> bool:
        """Whether it has ended, or an error paused it."""
        return self.study.state.has_ended or (
            self.study.state is StudyState.PAUSED and bool(self.study.reason)
        )

    def look(self) -> View | None:
        """Read what changed; None where nothing did."""
        revision = study_store.revision(self._store, self._id)
        if revision == self._revision and time.monotonic() - self._read_at < LOOK_SECONDS:
            return None
        self._read_at = time.monotonic()
        changed = (
            study_store.trials(self._store, self._id, after_revision=self._revision)
            if revision != self._revision
            else ()
        )
        self._revision = revision
        self.study = study_store.find(self._store, self._id)
        if self.study.edition != self._edition:
            self._edition, self._total = self.study.edition, self.study.definition.n_planned
        new = tuple(
            trial
            for trial in changed
            if not trial.state.is_open and trial.number not in self._ended
        )
        self._ended |= {trial.number for trial in new}
        self._running |= {trial.number for trial in changed if trial.state is TrialState.RUNNING}
        self._running -= self._ended
        self._best = best_trial(
            (*([self._best] if self._best else []), *new), self.study.definition
        )
        return _view(Standing(self.study, len(self._ended), self._total, self._best), new)

    def tend(self) -> None:
        """Start workers where trials run, or will, and what advances the study."""
        if self._running or self.study.state is StudyState.RUNNING:
            self._starter.ensure()
        if not self.study.is_advanced:
            ensure_study_runner(self._store.settings)

    def stop(self) -> None:
        """Stop the study and its running trials."""
        steering.stop(self._store, self._id, cancel=True)


def n_runs_at_a_time(definition: StudyDefinition) -> int:
    """Count the runs that a study trains at a time: a trial is one per seed."""
    return definition.parallelism * definition.seeds


def _view(standing: Standing, new: Sequence[Trial]) -> View:
    state, details = standing.study.state, _details(standing)
    trials = [_trial_line(trial, standing.study.definition) for trial in new]
    return View(
        details if state is StudyState.RUNNING else f"{state}, {details}",
        standing.fraction,
        lines=tuple(f"{trial}; {details}" for trial in trials),
        above=tuple(trials),
    )


def _trial_line(trial: Trial, definition: StudyDefinition) -> str:
    """Write an ended trial in a line: number, state, objective values, hyperparameters."""
    values = [
        objective(name, value)
        for name, value in zip(definition.objectives, trial.figures or (), strict=False)
    ]
    words = " ".join(
        [f"trial {trial.number}", trial.state.value, *([" / ".join(values)] if values else [])]
    )
    return f"{words} ({hyperparameters(trial.parameters)})"


def _details(standing: Standing) -> str:
    total = (
        plural(standing.n_ended, "trial")
        if standing.total is None
        else f"{standing.n_ended:,} of {plural(standing.total, 'trial')}"
    )
    parts = [total]
    if standing.best is not None and standing.best.figures is not None:
        parts.append(
            f"best value {objective(standing.study.definition.objectives[0], standing.best.figures[0])}"
        )
    if standing.per_hour is not None:
        parts.append(f"{standing.per_hour:,.0f} trials per hour")
    if standing.seconds_left is not None:
        parts.append(f"{duration(standing.seconds_left)} left")
    return ", ".join(parts)
