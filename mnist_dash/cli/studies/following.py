"""Follows a study to its end: a progress bar on a terminal, a line a trial elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from mnist_dash.cli.formatting import span
from mnist_dash.cli.runs.following import Interruptions
from mnist_dash.cli.studies.formatting import figure, settings
from mnist_dash.cli.worker_start import WorkerStarter
from mnist_dash.errors import IllegalTransition, StoreLocked
from mnist_dash.runs.store.run_store import Store
from mnist_dash.search.actions import steering
from mnist_dash.search.definition.study_definition import StudyDefinition
from mnist_dash.search.engine.study_runner import ensure_study_runner
from mnist_dash.search.studies import study_store
from mnist_dash.search.studies.records import Study, StudyState, Trial, TrialState, best_trial

POLL_SECONDS = 0.1
LOOK_SECONDS = 1.0
"""How often the study itself is read where no trial changed: its time and whether somebody advances it."""


@dataclass(frozen=True)
class Standing:
    """How far a study is."""

    study: Study
    n_ended: int
    n_running: int
    total: int | None
    """Trials that it will have; None where something else ends it."""
    best: Trial | None

    @property
    def per_hour(self) -> float | None:
        """Trials an hour of running; None where there is no pace yet."""
        used = self.study.seconds_used
        return 3600 * self.n_ended / used if self.n_ended and used > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the first limit of its budget, at the pace so far; None where that is not known."""
        limits = []
        if self.total is not None and self.per_hour:
            limits.append(3600 * max(0, self.total - self.n_ended) / self.per_hour)
        if self.study.definition.budget.minutes is not None:
            limits.append(max(0.0, 60 * self.study.definition.budget.minutes - self.study.seconds_used))
        return min(limits, default=None)

    @property
    def share(self) -> float | None:
        """Share of the budget that is used, in [0, 1]; None where only the results can end it."""
        minutes = self.study.definition.budget.minutes
        shares = [self.n_ended / self.total] if self.total else []
        shares += [self.study.seconds_used / (60 * minutes)] if minutes else []
        return min(1.0, max(shares)) if shares else None


Show = Callable[[Standing, Sequence[Trial]], None]
"""Shows a standing and the trials that have ended since the former one."""


class Watch:
    """What is known of a study, brought up to date by reading what changed."""

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

    def look(self) -> tuple[Standing, tuple[Trial, ...]] | None:
        """Read what changed; None where nothing did."""
        revision = study_store.revision(self._store, self._id)
        if revision == self._revision and time.monotonic() - self._read_at < LOOK_SECONDS:
            return None
        self._read_at = time.monotonic()
        changed = study_store.trials(self._store, self._id, after_revision=self._revision) if revision != self._revision else ()
        self._revision = revision
        self.study = study_store.find(self._store, self._id)
        if self.study.edition != self._edition:
            self._edition, self._total = self.study.edition, n_trials_wanted(self.study.definition)
        new = tuple(trial for trial in changed if not trial.state.is_open and trial.number not in self._ended)
        self._ended |= {trial.number for trial in new}
        self._running |= {trial.number for trial in changed if trial.state is TrialState.RUNNING}
        self._running -= self._ended
        self._best = best_trial((*([self._best] if self._best else []), *new), self.study.definition)
        return Standing(self.study, len(self._ended), len(self._running), self._total, self._best), new

    @property
    def is_worked_on(self) -> bool:
        """Whether workers are needed: trials run, or will."""
        return bool(self._running) or self.study.state is StudyState.RUNNING


def follow(store: Store, study_id: str, *, show: Show, interruptions: Interruptions) -> Study:
    """Wait until a study has ended, or was paused because it broke, showing it whenever it changed.

    The first interruption stops it, its running trials too; the second returns it as it is then.
    """
    watch = Watch(store, study_id)
    starter = WorkerStarter(store, n_workers=n_in_flight(watch.study.definition))
    asked = False
    while interruptions.count < 2:
        try:
            seen = watch.look()
            if seen is not None:
                show(*seen)
            if watch.study.state.has_ended or (watch.study.state is StudyState.PAUSED and watch.study.reason):
                break
            if interruptions.count and not asked:
                asked = True
                _stop(store, watch.study)
            if watch.is_worked_on:
                starter.ensure()
            if not watch.study.is_advanced:
                ensure_study_runner(store.settings)
        except StoreLocked:
            continue  # it waited for seconds already; the study goes on meanwhile
        time.sleep(POLL_SECONDS)
    return study_store.find(store, study_id)


def n_in_flight(definition: StudyDefinition) -> int:
    """Count the runs that a study has in flight at a time: a trial is one a seed."""
    return definition.parallelism * definition.seeds


def n_trials_wanted(definition: StudyDefinition) -> int | None:
    """Count the trials after which a study ends; None where it is something else that ends it."""
    limits = [limit for limit in (definition.n_grid, definition.budget.trials) if limit is not None]
    return min(limits, default=None)


@contextmanager
def shown(*, quiet: bool) -> Iterator[Show]:
    """Choose how to show progress: a bar where standard error is a terminal, else nothing if `quiet`, else a line a trial."""
    if sys.stderr.isatty():
        with _bar() as show:
            yield show
    else:
        yield _nothing if quiet else _lines


def _stop(store: Store, study: Study) -> None:
    try:
        steering.stop(store, study.id, cancel=True)
    except IllegalTransition:
        return  # it ended at the same moment
    print(f"Stopping study {study.name}; what it has is kept. Ctrl+C again leaves it to stop alone.", file=sys.stderr)


def _nothing(_standing: Standing, _new: Sequence[Trial]) -> None:
    return


def _lines(standing: Standing, new: Sequence[Trial]) -> None:
    for trial in new:
        print(f"{trial_words(trial, standing.study.definition)}; {_details(standing)}", file=sys.stderr)


def trial_words(trial: Trial, definition: StudyDefinition) -> str:
    """Write an ended trial in a line: number, state, figures, values."""
    figures = [figure(name, value) for name, value in zip(definition.objectives, trial.figures or (), strict=False)]
    words = " ".join([f"trial {trial.number}", trial.state.value, *([" / ".join(figures)] if figures else [])])
    return f"{words} ({settings(trial.parameters)})"


def _details(standing: Standing) -> str:
    total = f" of {standing.total:,}" if standing.total is not None else ""
    parts = [f"{standing.n_ended:,}{total} trials"]
    if standing.best is not None and standing.best.figures is not None:
        name = standing.study.definition.objectives[0]
        parts.append(f"best {figure(name, standing.best.figures[0])}")
    if standing.per_hour is not None:
        parts.append(f"{standing.per_hour:,.0f} an hour")
    if standing.seconds_left is not None:
        parts.append(f"{span(standing.seconds_left)} left")
    return ", ".join(parts)


@contextmanager
def _bar() -> Iterator[Show]:
    columns = (BarColumn(bar_width=20), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("waits for its first trial", total=None)

        def show(standing: Standing, new: Sequence[Trial]) -> None:
            for trial in new:
                progress.console.print(trial_words(trial, standing.study.definition), markup=False, highlight=False)
            _draw(progress, task, standing)

        yield show


def _draw(progress: Progress, task: TaskID, standing: Standing) -> None:
    share, state = standing.share, standing.study.state
    words = _details(standing) if state is StudyState.RUNNING else f"{state}, {_details(standing)}"
    progress.update(task, total=None if share is None else 1.0, completed=share or 0.0, description=words)
