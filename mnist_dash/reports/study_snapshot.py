"""A study as its figures take it: its trials as columns, brought up to date by what has changed."""

from __future__ import annotations

import html
from dataclasses import dataclass

import numpy as np

from mnist_dash.figures.study import trials as figures
from mnist_dash.formatting import exact, number
from mnist_dash.runs.store.run_store import Store
from mnist_dash.search.definition.space import Choice, Parameter
from mnist_dash.search.definition.study_definition import StudyDefinition
from mnist_dash.search.studies import study_store
from mnist_dash.search.studies.records import Event, Study, Trial, TrialState


@dataclass(frozen=True)
class Snapshot:
    """A study and all its trials as they were at one revision."""

    study: Study
    trials: tuple[Trial, ...]
    """By number."""
    events: tuple[Event, ...]
    runs: dict[int, tuple[str, ...]]
    """Runs of each trial that has begun, in the order of their seeds."""
    columns: figures.Trials
    objectives: tuple[figures.Objective, ...]
    axes: tuple[figures.Axis, ...]
    """The explored settings, wide enough for all trials."""

    @property
    def best(self) -> Trial | None:
        """The complete trial with the best first objective."""
        order = figures.ranking(self.columns, self.objectives[0])
        return self.trials[int(order[0])] if len(order) else None

    def count(self, *states: TrialState) -> int:
        """Count the trials in some states."""
        return sum(int((self.columns.states == state.value).sum()) for state in states)


def read_snapshot(opened: Store, study: Study, former: Snapshot | None = None) -> Snapshot:
    """Read a study's trials, only those that have changed since a former snapshot."""
    since = former.study.revision if former is not None else 0
    trials = {trial.number: trial for trial in former.trials} if former is not None else {}
    changed = study_store.trials(opened, study.id, after_revision=since)
    trials |= {trial.number: trial for trial in changed}
    ordered = tuple(trials[number] for number in sorted(trials))
    runs = dict(former.runs) if former is not None else {}
    missing = [trial.number for trial in changed if trial.number not in runs]
    if missing:
        runs |= study_store.runs_of(
            opened, study.id, missing if former is not None and len(missing) < 500 else None
        )
    goals = tuple(
        figures.Objective(goal.name, goal.title, goal.maximize) for goal in study.definition.goals
    )
    columns = _columns(ordered, study.definition)
    axes = tuple(_axis(parameter, columns) for parameter in study.definition.space.parameters)
    return Snapshot(
        study, ordered, study_store.events(opened, study.id), runs, columns, goals, axes
    )


def _columns(trials: tuple[Trial, ...], definition: StudyDefinition) -> figures.Trials:
    n_objectives = len(definition.objectives)
    values = np.full((len(trials), n_objectives), np.nan)
    for index, trial in enumerate(trials):
        if trial.figures is not None and trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
            values[index, : len(trial.figures)] = trial.figures
    paths = definition.space.paths
    names = figures.titles([_axis(parameter, None) for parameter in definition.space.parameters])
    return figures.Trials(
        numbers=np.array([trial.number for trial in trials], dtype=np.int64),
        states=np.array([trial.state.value for trial in trials], dtype=np.str_),
        values=values,
        parameters={path: [trial.parameters.get(path) for trial in trials] for path in paths},
        curves=[trial.curve for trial in trials],
        deviations=np.array([_or_nan(trial.deviation) for trial in trials]),
        started=np.array(
            [
                _or_nan(trial.started_at or (trial.created_at if trial.ended_at else None))
                for trial in trials
            ]
        ),
        ended=np.array([_or_nan(trial.ended_at) for trial in trials]),
        hovers=[_hover(trial, names) for trial in trials],
    )


def _axis(parameter: Parameter, columns: figures.Trials | None) -> figures.Axis:
    """Describe a setting; its range is that of all trials, which a narrowed range no longer contains."""
    if isinstance(parameter, Choice):
        seen = (
            []
            if columns is None
            else [value for value in columns.parameters[parameter.path] if value is not None]
        )
        return figures.Axis(
            parameter.path, "choice", choices=tuple(dict.fromkeys((*parameter.values, *seen)))
        )
    numbers = (
        []
        if columns is None
        else [
            value for value in columns.parameters[parameter.path] if isinstance(value, int | float)
        ]
    )
    low, high = min((float(parameter.low), *numbers)), max((float(parameter.high), *numbers))
    return figures.Axis(parameter.path, parameter.kind, log=parameter.log, low=low, high=high)


def _hover(trial: Trial, names: dict[str, str]) -> str:
    return "<br>".join(
        f"{html.escape(names.get(path, path))}: {html.escape(exact(value) if isinstance(value, float) else short(value))}"
        for path, value in trial.parameters.items()
    )


def short(value: object) -> str:
    """Write a hyperparameter's value as pages do."""
    return number(value) if isinstance(value, float) else "none" if value is None else str(value)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
