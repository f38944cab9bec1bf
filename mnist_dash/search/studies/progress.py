"""How far a study is: the share of its budget that is spent, its pace, and what is left."""

from __future__ import annotations

from dataclasses import dataclass

from mnist_dash.search.studies.records import Study, StudyState


@dataclass(frozen=True)
class Progress:
    """How far a study is."""

    n_ended: int
    """Trials that have ended."""
    n_planned: int | None
    """Trials that it has at most; None where time or convergence decides."""
    share: float | None
    """Share of the budget that is spent, in [0, 1], by the end that is nearest; None where only convergence ends it."""
    seconds_left: float | None
    """Until the end that is nearest; None where it does not run, or none is known."""


def progress(study: Study, n_ended: int, *, trials_per_hour: float | None) -> Progress:
    """Measure how far a study is.

    Args:
        study: as it is now.
        n_ended: trials of it that have ended.
        trials_per_hour: its pace; None where that is not known yet.
    """
    planned, minutes = study.definition.n_planned, study.definition.budget.minutes
    shares = [n_ended / planned] if planned else []
    shares += [study.seconds_used / (60 * minutes)] if minutes else []
    share = 1.0 if study.state is StudyState.FINISHED else min(1.0, max(shares)) if shares else None
    ends = (
        [3600 * max(0, planned - n_ended) / trials_per_hour]
        if planned is not None and trials_per_hour
        else []
    )
    ends += [max(0.0, 60 * minutes - study.seconds_used)] if minutes is not None else []
    left = min(ends, default=None) if study.state is StudyState.RUNNING else None
    return Progress(n_ended, planned, share, left)


def mean_trials_per_hour(study: Study, n_ended: int) -> float | None:
    """Measure a study's pace over all the time that it has run; None before the first trial has ended."""
    return 3600 * n_ended / study.seconds_used if n_ended and study.seconds_used >= 1 else None
