"""What a study and its trials are to whoever looks at them: states and frozen records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from mnist_dash.search.definition.space import Scalar
from mnist_dash.search.definition.study_definition import StudyDefinition


class StudyState(StrEnum):
    """Where a study is in its life."""

    RUNNING = "running"
    """New trials are begun as others end."""
    PAUSED = "paused"
    """No trial is begun; those in flight go on. Can be resumed."""
    STOPPING = "stopping"
    """Stopped by a person; the trials in flight are let to end."""
    STOPPED = "stopped"
    """Stopped by a person. Can be extended."""
    FINISHED = "finished"
    """Its budget is spent, its grid is done, or it has converged. Can be extended."""

    @property
    def is_live(self) -> bool:
        """Whether it may change without a person doing anything."""
        return self in (StudyState.RUNNING, StudyState.PAUSED, StudyState.STOPPING)

    @property
    def has_ended(self) -> bool:
        """Whether no trial of it is in flight and none will be."""
        return self in (StudyState.STOPPED, StudyState.FINISHED)


class TrialState(StrEnum):
    """Where a trial is in its life."""

    WAITING = "waiting"
    """Asked for by a person; begins before the sampler's next one."""
    RUNNING = "running"
    """Its runs are queued or training."""
    COMPLETE = "complete"
    """All its runs have finished; it has its figures."""
    PRUNED = "pruned"
    """Ended by the pruner; its figure is that of the epoch in which it was."""
    DIVERGED = "diverged"
    """The loss of a run became infinite or not a number; it has no figure."""
    STOPPED = "stopped"
    """A person stopped it or one of its runs; it has no figure."""
    FAILED = "failed"
    """A run failed, or its values made no configuration; it has no figure."""

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self in (TrialState.WAITING, TrialState.RUNNING)


class Origin(StrEnum):
    """Who chose a trial's values."""

    SAMPLER = "sampler"
    """The study's sampler."""
    PERSON = "person"
    """A person who wanted these values tried."""


@dataclass(frozen=True)
class Study:
    """One study as the store knows it; times are seconds since 1970."""

    id: str
    name: str
    definition: StudyDefinition
    state: StudyState
    reason: str
    """Why it ended, in a sentence; empty while it has not."""
    created_at: float
    ended_at: float | None
    seconds_used: float
    """Seconds of running, pauses left out."""
    revision: int
    """Changes with every change to the study or its trials."""
    edition: int
    """Changes with its definition."""
    owner: str | None
    """Who created it, and owns its runs; None on a machine with one person."""
    is_advanced: bool
    """Whether a process advances it now."""


@dataclass(frozen=True)
class Trial:
    """One trial: its values, and what came of them; times are seconds since 1970."""

    number: int
    state: TrialState
    origin: Origin
    parameters: Mapping[str, Scalar]
    """Values of the parameters that apply, by path."""
    figures: tuple[float, ...] | None
    """One an objective, mean over the seeds; of a pruned trial the first objective at its last epoch; None where there is none."""
    deviation: float | None
    """Standard deviation of the first objective over the seeds."""
    curve: tuple[float, ...]
    """The first objective by epoch, mean over the seeds; empty where it has none by epoch."""
    attributes: Mapping[str, object]
    """What sampler and pruner remember of it."""
    reason: str
    created_at: float
    started_at: float | None
    ended_at: float | None
    told_order: int | None
    """The place in which it ended among the trials of its study."""


@dataclass(frozen=True)
class Event:
    """Something that was done to a study."""

    id: int
    at: float
    """Seconds since 1970."""
    sentence: str
    former: str | None
    """The definition before the change, as JSON; None where it was not changed."""


def best_trial(
    trials: tuple[Trial, ...], definition: StudyDefinition, objective: int = 0
) -> Trial | None:
    """Find the complete trial with the best figure, the first of equals; None where none is complete."""
    sign = -1 if definition.goals[objective].maximize else 1
    complete = [
        trial
        for trial in trials
        if trial.state is TrialState.COMPLETE and trial.figures is not None
    ]
    return min(
        complete,
        key=lambda trial: (sign * trial.figures[objective], trial.number),  # type: ignore[index]
        default=None,
    )


def pareto_front(trials: tuple[Trial, ...], definition: StudyDefinition) -> tuple[Trial, ...]:
    """Find the complete trials that no other one beats in all objectives, best by the first objective first."""
    signs = [-1 if goal.maximize else 1 for goal in definition.goals]
    points = [
        (tuple(sign * value for sign, value in zip(signs, trial.figures, strict=True)), trial)
        for trial in trials
        if trial.state is TrialState.COMPLETE and trial.figures is not None
    ]
    front: list[tuple[tuple[float, ...], Trial]] = []
    # What dominates a point comes before it.
    for point, trial in sorted(points, key=lambda pair: (pair[0], pair[1].number)):
        if not any(
            other != point and all(one <= two for one, two in zip(other, point, strict=True))
            for other, _ in front
        ):
            front.append((point, trial))
    return tuple(trial for _, trial in front)
