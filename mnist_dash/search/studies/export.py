"""A study for other programs: a standard Optuna database, which optuna-dashboard opens, and a table as CSV.

Optuna wants one distribution a parameter that holds for all trials, while the ranges of a study may have been narrowed and values banned
since: what is written is the union of all editions of the space and of what was tried outside of it.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TextIO, TypeGuard

import optuna
import sqlalchemy as sa
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.trial import TrialState as OptunaState

from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.transfer.new_file import new_file
from mnist_dash.search.definition.space import Choice, IntRange, Parameter, Scalar, same
from mnist_dash.search.definition.study_definition import StudyDefinition, trusted
from mnist_dash.search.definition.study_files import write_study
from mnist_dash.search.studies import study_store
from mnist_dash.search.studies.costs import TrialCost, costs
from mnist_dash.search.studies.records import Study, Trial, TrialState

STATES = {
    TrialState.WAITING: OptunaState.WAITING,
    TrialState.RUNNING: OptunaState.RUNNING,
    TrialState.COMPLETE: OptunaState.COMPLETE,
    TrialState.PRUNED: OptunaState.PRUNED,
    TrialState.DIVERGED: OptunaState.FAIL,
    TrialState.STOPPED: OptunaState.FAIL,
    TrialState.FAILED: OptunaState.FAIL,
}
"""What Optuna calls each state; the user attribute ``state`` has our own word."""
_BATCH = 5_000
"""Rows an insert takes at most."""
_METRIC_NAMES = "study:metric_names"
"""The key under which Optuna keeps the names of the objectives."""


def export_csv(store: Store, study: Study, target: Path | TextIO) -> int:
    """Write one row a trial: its values, objectives, and what its runs took; returns the number of trials.

    Fractions, seconds; empty where there is nothing. ``runs`` are ids with a blank between two.

    Raises:
        InvalidInput: the file exists or cannot be written.
    """
    found, spent = study_store.trials(store, study.id), costs(store, study.id)
    paths = list(_parameters(_editions(store, study)))
    objectives = study.definition.objectives
    head = ["number", "state", "origin", *paths, *objectives, "deviation"]
    rows = [_row(trial, paths, len(objectives), spent.get(trial.number)) for trial in found]

    def write(file: TextIO) -> None:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            [*head, "test_accuracy", "epochs_trained", "seconds_training", "runs", "reason"]
        )
        writer.writerows(rows)

    if not isinstance(target, Path):
        write(target)
        return len(rows)
    with new_file(target) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        write(file)
    return len(rows)


def export_optuna(store: Store, study: Study, path: Path) -> int:
    """Write a study as an SQLite database of Optuna's own, with one study of its name; returns the number of trials.

    User attributes of a trial: ``runs``, ``origin``, ``state``, ``test_accuracy``, ``deviation``, ``reason``, and ``other_values`` for
    what no range has. Of the study: ``mnist_dash_id``, ``question``, ``study_file``.

    Raises:
        InvalidInput: the file exists or cannot be written.
    """
    found, spent = study_store.trials(store, study.id), costs(store, study.id)
    distributions = union(_editions(store, study), found)
    directions: list[Literal["maximize", "minimize"]] = [
        "maximize" if goal.maximize else "minimize" for goal in study.definition.goals
    ]
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with new_file(path) as temporary:
        storage = RDBStorage(sa.URL.create("sqlite", database=str(temporary)).render_as_string())
        try:
            written = optuna.create_study(
                storage=storage, study_name=study.name, directions=directions
            )
            written.set_user_attr("mnist_dash_id", study.id)
            written.set_user_attr("question", study.definition.question)
            written.set_user_attr("study_file", write_study(study.definition))
            storage.set_study_system_attr(
                written._study_id,  # noqa: SLF001
                _METRIC_NAMES,
                list(study.definition.objectives),
            )
            with storage.engine.begin() as connection:
                _insert(connection, written._study_id, found, spent, distributions)  # noqa: SLF001
        finally:
            storage.remove_session()
            storage.engine.dispose()
    return len(found)


def union(
    definitions: Sequence[StudyDefinition], trials: Sequence[Trial]
) -> dict[str, BaseDistribution]:
    """Find for each setting one distribution that contains the ranges of all definitions and the values of all trials."""
    tried: dict[str, list[Scalar]] = {}
    for trial in trials:
        for path, value in trial.parameters.items():
            tried.setdefault(path, []).append(value)
    return {
        path: _union(ranges, tried.get(path, ()))
        for path, ranges in _parameters(definitions).items()
    }


def _editions(store: Store, study: Study) -> list[StudyDefinition]:
    """List the definition as it is and as it was before each change."""
    formers = dict.fromkeys(
        event.former for event in study_store.events(store, study.id) if event.former is not None
    )
    return [study.definition, *map(trusted, formers)]


def _parameters(definitions: Sequence[StudyDefinition]) -> dict[str, list[Parameter]]:
    found: dict[str, list[Parameter]] = {}
    for definition in definitions:
        for parameter in definition.space.parameters:
            found.setdefault(parameter.path, []).append(parameter)
    return found


def _union(ranges: Sequence[Parameter], tried: Sequence[Scalar]) -> BaseDistribution:
    if isinstance(ranges[0], Choice):
        choices: list[Scalar] = []
        for value in [*(value for own in ranges for value in own.extremes), *tried]:
            if not any(same(value, known) for known in choices):
                choices.append(value)
        return CategoricalDistribution(choices)
    bounds = [value for own in ranges for value in own.extremes]
    numbers = [float(value) for value in (*bounds, *tried) if _is_number(value)]
    low, high = min(numbers), max(numbers)
    log = low > 0 and all(not isinstance(own, Choice) and own.log for own in ranges)
    steps = {own.step for own in ranges if not isinstance(own, Choice)}
    step = steps.pop() if len(steps) == 1 and not log else None
    if step is not None and any(
        abs((value - low) / step - round((value - low) / step)) > 1e-9 for value in numbers
    ):
        step = None
    if isinstance(ranges[0], IntRange):
        return IntDistribution(round(low), round(high), log=log, step=round(step or 1))
    return FloatDistribution(low, high, log=log, step=step)


def _row(
    trial: Trial, paths: Sequence[str], n_objectives: int, cost: TrialCost | None
) -> list[object]:
    figures: Sequence[object] = (trial.figures or ())[:n_objectives]
    return [
        *(trial.number, trial.state.value, trial.origin.value),
        *(_cell(trial.parameters[path]) if path in trial.parameters else "" for path in paths),
        *figures,
        *[""] * (n_objectives - len(figures)),
        trial.deviation,
        *(
            (cost.test_accuracy, cost.epochs, cost.seconds, " ".join(cost.run_ids))
            if cost
            else ("", "", "", "")
        ),
        trial.reason,
    ]


def _cell(value: Scalar) -> object:
    """Tell none, true and false from a setting that does not apply, as JSON writes them."""
    return json.dumps(value) if value is None or isinstance(value, bool) else value


def _insert(
    connection: sa.Connection,
    study_id: int,
    trials: Sequence[Trial],
    spent: Mapping[int, TrialCost],
    distributions: Mapping[str, BaseDistribution],
) -> None:
    """Insert all rows of a study's trials in bulk: through Optuna's own interface each takes 25 ms."""
    written = {
        path: distribution_to_json(distribution) for path, distribution in distributions.items()
    }
    to_value = models.TrialValueModel.value_to_stored_repr
    to_intermediate = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr
    tables: dict[Any, Callable[[Trial], Iterator[dict[str, object]]]] = {
        models.TrialModel: lambda trial: iter([_trial_row(trial, study_id)]),
        models.TrialParamModel: lambda trial: (
            {"param_name": path, "param_value": value, "distribution_json": written[path]}
            for path, value in _internal(trial, distributions).items()
            if trial.state is not TrialState.WAITING
        ),
        models.TrialValueModel: lambda trial: (
            {"objective": index, "value": to_value(value)[0], "value_type": to_value(value)[1]}
            for index, value in enumerate(trial.figures or ())
        ),
        models.TrialIntermediateValueModel: lambda trial: (
            {
                "step": epoch,
                "intermediate_value": to_intermediate(value)[0],
                "intermediate_value_type": to_intermediate(value)[1],
            }
            for epoch, value in enumerate(trial.curve, 1)
        ),
        models.TrialUserAttributeModel: lambda trial: _pairs(
            _attributes(trial, spent.get(trial.number), distributions)
        ),
        models.TrialSystemAttributeModel: lambda trial: _pairs(_own_attributes(trial)),
    }
    for model, rows_of in tables.items():
        rows = [{"trial_id": trial.number + 1} | row for trial in trials for row in rows_of(trial)]
        for first in range(0, len(rows), _BATCH):
            connection.execute(sa.insert(model.__table__), rows[first : first + _BATCH])


def _trial_row(trial: Trial, study_id: int) -> dict[str, object]:
    begun = (
        None if trial.state is TrialState.WAITING else _time(trial.started_at or trial.created_at)
    )
    ended = None if trial.state.is_open else _time(trial.ended_at or trial.created_at)
    row = {"number": trial.number, "study_id": study_id, "state": STATES[trial.state]}
    return row | {"datetime_start": begun, "datetime_complete": ended}


def _internal(trial: Trial, distributions: Mapping[str, BaseDistribution]) -> dict[str, float]:
    """Write the values of a trial as Optuna stores them: choices by their index; those that no range can have are left out."""
    found: dict[str, float] = {}
    for path, value in trial.parameters.items():
        distribution = distributions.get(path)
        if isinstance(distribution, CategoricalDistribution):
            found[path] = float(
                next(
                    index
                    for index, choice in enumerate(distribution.choices)
                    if same(choice, value)
                )
            )
        elif distribution is not None and _is_number(value):
            found[path] = float(value)
    return found


def _attributes(
    trial: Trial, cost: TrialCost | None, distributions: Mapping[str, BaseDistribution]
) -> dict[str, object]:
    known = _internal(trial, distributions)
    found: dict[str, object] = {
        "state": trial.state.value,
        "origin": trial.origin.value,
        "runs": list(cost.run_ids) if cost else [],
        "reason": trial.reason,
        "deviation": trial.deviation,
        "test_accuracy": cost.test_accuracy if cost else None,
        "other_values": {
            path: value for path, value in trial.parameters.items() if path not in known
        },
    }
    return {name: value for name, value in found.items() if value not in (None, "", {})}


def _own_attributes(trial: Trial) -> dict[str, object]:
    """Give what Optuna itself remembers of a trial: its samplers' notes, and the values of one that waits, as `enqueue_trial` has them."""
    waiting: dict[str, object] = (
        {"fixed_params": dict(trial.parameters)} if trial.state is TrialState.WAITING else {}
    )
    return waiting | {name: value for name, value in trial.attributes.items() if ":" in name}


def _pairs(values: Mapping[str, object]) -> Iterator[dict[str, object]]:
    return ({"key": name, "value_json": json.dumps(value)} for name, value in values.items())


def _is_number(value: Scalar) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _time(seconds: float) -> datetime:
    """Write a time as Optuna's tables have it: UTC, without saying so."""
    return datetime.fromtimestamp(seconds, tz=UTC).replace(tzinfo=None)
