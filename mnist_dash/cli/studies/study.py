"""`study run`, `study list` and `study show`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_dash.cli.command import as_typed, program
from mnist_dash.cli.formatting import json_line, table
from mnist_dash.cli.store_opening import opened
from mnist_dash.cli.studies.formatting import counted, result, short_names, study_values, time_of
from mnist_dash.errors import MnistDashError
from mnist_dash.formatting import NOTHING, duration, moment, percent
from mnist_dash.search.studies.formatting import hyperparameters, objective, scalar
from mnist_dash.text import plural

if TYPE_CHECKING:
    from mnist_dash.runs.store.run_store import Store
    from mnist_dash.search.definition.study_definition import StudyDefinition
    from mnist_dash.search.studies.records import Study, Trial

N_SHOWN = 10


def run(
    *,
    file: str,
    trials: int | None,
    minutes: float | None,
    parallel: int | None,
    seed: int | None,
    name: str | None,
    detach: bool,
    as_json: bool,
) -> int:
    """Run a study file to its end and return the exit code."""
    definition = read_definition(
        _located(file), trials=trials, minutes=minutes, parallelism=parallel, seed=seed, name=name
    )
    with opened() as store:
        study_id = _start(
            store,
            definition,
            parallelism=parallel,
            has_limit=trials is not None or minutes is not None,
        )
        if detach:
            return _detach(store, study_id, as_json=as_json)
        study = _follow(store, study_id, quiet=as_json)
        if study is None:
            return 1
        values = study_values(store, study)
    print(json_line(values) if as_json else _sentences(study, values))
    return 0 if study.state.has_ended and values["best"] is not None else 1


def list_studies(*, as_json: bool) -> int:
    """List studies, newest first."""
    from mnist_dash.search.studies import study_store

    with opened() as store:
        found = [(study, study_values(store, study)) for study in study_store.all_studies(store)]
    if as_json:
        for study, values in found:
            print(
                json_line(
                    values
                    | {
                        "created_at": time_of(study.created_at).isoformat(),
                        "question": study.definition.question,
                    }
                )
            )
    elif found:
        headings = (
            "study",
            "name",
            "state",
            "created",
            "trials",
            "running time",
            "best value",
            "run",
        )
        rows = (
            (study.id, study.name, study.state.value, *_listed(study, values))
            for study, values in found
        )
        print(table(headings, rows, right=("trials", "running time", "best value")))
    else:
        print(f"No studies yet. Run one with `{program()} study run studies/batch_size.yaml`.")
    return 0


def show(study: str, *, limit: int | None, as_json: bool) -> int:
    """Show one study."""
    from mnist_dash.search.studies import study_store
    from mnist_dash.search.studies.costs import costs

    with opened() as store:
        found = study_store.find(store, study)
        values = study_values(store, found)
        ranked = rank(study_store.trials(store, found.id), found.definition)
        chosen = ranked[: limit or (len(ranked) if as_json else N_SHOWN)]
        spent = costs(store, found.id, [trial.number for trial in chosen])
        events = study_store.events(store, found.id)
    if as_json:
        trials = [
            _trial_values(trial, result(trial, found, spent.get(trial.number))) for trial in chosen
        ]
        done = [
            {"at": time_of(event.at).isoformat(), "sentence": event.sentence} for event in events
        ]
        definition = found.definition.model_dump(mode="json")
        print(
            json_line(
                values
                | {
                    "counts": values["trials"],
                    "trials": trials,
                    "definition": definition,
                    "events": done,
                }
            )
        )
        return 0
    print(_head(found, values))
    if chosen:
        rows = [
            _cells(trial, result(trial, found, spent.get(trial.number)), found) for trial in chosen
        ]
        headings, numeric = _columns(found)
        print("\n" + table(headings, rows, right=numeric))
    if len(ranked) > len(chosen):
        print(
            f"{len(chosen):,} of {len(ranked):,} trials, best first. Show all with --limit {len(ranked)}.",
            file=sys.stderr,
        )
    print("\nEvents\n" + "\n".join(f"{moment(event.at)}  {event.sentence}" for event in events))
    return 0


def read_definition(
    path: Path,
    *,
    trials: int | None,
    minutes: float | None,
    parallelism: int | None,
    seed: int | None,
    name: str | None,
) -> StudyDefinition:
    """Read the study file and change what the options say.

    Raises:
        InvalidInput: it cannot be read.
        InvalidStudy: the study is invalid.
    """
    from mnist_dash.search.definition.study_definition import parse_definition
    from mnist_dash.search.definition.study_files import read_study

    tree = read_study(path).model_dump(mode="json")
    changes: dict[str, Any] = {"parallelism": parallelism, "seed": seed, "name": name}
    limits = {"trials": trials, "minutes": minutes}
    tree |= {word: value for word, value in changes.items() if value is not None}
    tree["budget"] |= {word: value for word, value in limits.items() if value is not None}
    return parse_definition(tree)


def rank(trials: Sequence[Trial], definition: StudyDefinition) -> list[Trial]:
    """Order trials: those that no other one beats, the other complete ones by the first objective, then what ended otherwise, by number."""
    from mnist_dash.search.studies.records import TrialState, pareto_front

    sign = -1 if definition.goals[0].maximize else 1
    front = {trial.number for trial in pareto_front(tuple(trials), definition)}

    def key(trial: Trial) -> tuple[bool, bool, float, int]:
        is_complete = trial.state is TrialState.COMPLETE and trial.figures is not None
        value = sign * trial.figures[0] if trial.figures is not None and is_complete else 0.0
        return (not is_complete, trial.number not in front, value, trial.number)

    return sorted(trials, key=key)


def _located(file: str) -> Path:
    """Find a study file: where the path says, or ``studies/NAME`` among those that come with the package."""
    from mnist_dash.search.definition.study_files import READY_FOLDER

    path = Path(file)
    ready = READY_FOLDER / path.name
    return (
        ready if path.parent == Path("studies") and not path.exists() and ready.exists() else path
    )


def _start(
    store: Store, definition: StudyDefinition, *, parallelism: int | None, has_limit: bool
) -> str:
    """Create the study, or see to it that the one of that name goes on; says which, and returns its id."""
    from mnist_dash.search.actions import steering
    from mnist_dash.search.actions.starting import start

    study_id, is_new = start(store, definition, has_limit=has_limit)
    if parallelism is not None and not is_new:
        steering.set_parallelism(store, study_id, parallelism)
    print(
        f"Study {definition.name} ({study_id}) {'starts' if is_new else 'exists and is followed'}.",
        file=sys.stderr,
    )
    return study_id


def _detach(store: Store, study_id: str, *, as_json: bool) -> int:
    from mnist_dash.following.study import n_runs_at_a_time
    from mnist_dash.following.worker_start import WorkerStarter
    from mnist_dash.search.studies import study_store

    study = study_store.find(store, study_id)
    if study.state.is_live:
        WorkerStarter(store, n_workers=n_runs_at_a_time(study.definition)).ensure()
    if as_json:
        print(json_line(study_values(store, study)))
    else:
        print(
            f"Study {study.name} is {study.state}. See it with `{program()} study show {study.name}`."
        )
    return 0


def _follow(store: Store, study_id: str, *, quiet: bool) -> Study | None:
    """Follow a study to its end; None where that is not possible any more, after saying why."""
    from mnist_dash.following.follow import counting_interruptions, follow, shown
    from mnist_dash.following.study import FollowedStudy
    from mnist_dash.search.studies import study_store

    try:
        with counting_interruptions() as interruptions, shown(quiet=quiet) as showing:
            follow(FollowedStudy(store, study_id), show=showing, interruptions=interruptions)
        study = study_store.find(store, study_id)
    except MnistDashError as error:
        print(f"{as_typed(str(error))}\nStudy {study_id} is kept.", file=sys.stderr)
        return None
    if study.state.is_live and interruptions.count:
        print(
            f"Study {study.name} is still {study.state}. See it with `{program()} study show {study.name}`.",
            file=sys.stderr,
        )
        raise KeyboardInterrupt
    if study.state.is_live:
        print(f"Study {study.name} is paused: {study.reason}", file=sys.stderr)
    return study


def _sentences(study: Study, values: dict[str, Any]) -> str:
    lines = [
        f"Study {study.name} {study.state}: {study.reason} {counted(values['trials'])}, {duration(study.seconds_used)} of running."
    ]
    best = values["best"]
    lines.append(
        "No trial is complete, so there is no best value." if best is None else _best(study, best)
    )
    if "front" in values:
        lines.append(f"{plural(len(values['front']), 'Pareto-optimal trial')}:")
        lines += [
            f"  {_values(study, one)}: trial {one['trial']}, run {one['run']} ({hyperparameters(one['parameters'])})"
            for one in values["front"]
        ]
    lines.append(f"More: {program()} study show {study.name}")
    return "\n".join(lines)


def _best(study: Study, best: dict[str, Any]) -> str:
    title = study.definition.goals[0].title
    test = (
        f", test accuracy {percent(best['test_accuracy'])}"
        if best["test_accuracy"] is not None
        else ""
    )
    what = f"Best {title} {objective(study.definition.objectives[0], best['value'])}{test}: trial {best['trial']}, run {best['run']}"
    return f"{what} ({hyperparameters(best['parameters'])})."


def _values(study: Study, values: dict[str, Any]) -> str:
    return ", ".join(
        f"{goal.title} {objective(goal.name, values['values'].get(goal.name))}"
        for goal in study.definition.goals
    )


def _listed(study: Study, values: dict[str, Any]) -> tuple[str, ...]:
    from mnist_dash.search.studies.records import TrialState

    n_ended = sum(
        count for state, count in values["trials"].items() if not TrialState(state).is_open
    )
    wanted, best = study.definition.n_planned, values["best"]
    return (
        moment(study.created_at),
        f"{n_ended:,}" if wanted is None else f"{n_ended:,}/{wanted:,}",
        duration(study.seconds_used),
        objective(study.definition.objectives[0], None if best is None else best["value"]),
        NOTHING if best is None else str(best["run"]),
    )


def _head(study: Study, values: dict[str, Any]) -> str:

    definition = study.definition
    lines = [
        f"Study {study.id} {study.name}: {study.state}{f'. {study.reason}' if study.reason else ''}"
    ]
    lines += [definition.question] if definition.question else []
    wanted = definition.n_planned
    end = [plural(wanted, "trial")] if wanted is not None else []
    end += (
        [f"{definition.budget.minutes:g} minutes"] if definition.budget.minutes is not None else []
    )
    stagnation = definition.budget.stagnation
    end += [f"{plural(stagnation, 'trial')} without improvement"] if stagnation is not None else []
    lines.append(
        f"{counted(values['trials'])}; stops after {' or '.join(end)}; {duration(study.seconds_used)} of running"
    )
    seeds = f", {definition.seeds} seeds each" if definition.seeds > 1 else ""
    pruner = "" if definition.pruner.kind == "none" else f", pruner {definition.pruner.kind}"
    lines.append(
        f"sampler {definition.sampler.kind}{pruner}, {definition.parallelism} at a time{seeds}, seed {definition.seed}"
    )
    lines.append(
        f"created {moment(study.created_at)}, {'a study runner advances it' if study.is_advanced else 'no study runner advances it'}"
    )
    if values["best"] is not None:
        lines.append(_best(study, values["best"]))
    return "\n".join(lines)


def _columns(study: Study) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name the columns of the trials' table, and those that hold numbers."""
    titles = tuple(goal.title for goal in study.definition.goals)
    spread = ("±",) if study.definition.seeds > 1 else ()
    names = tuple(short_names(study.definition.space.paths))
    numeric = (*titles, *spread, "test accuracy")
    return ("trial", "state", *numeric, *names, "run"), ("trial", *numeric)


def _cells(trial: Trial, values: dict[str, Any], study: Study) -> tuple[str, ...]:
    definition = study.definition
    shown = [objective(name, values["values"].get(name)) for name in definition.objectives]
    spread = [objective(definition.objectives[0], trial.deviation)] if definition.seeds > 1 else []
    own = [
        scalar(trial.parameters[path]) if path in trial.parameters else NOTHING
        for path in definition.space.paths
    ]
    runs = " ".join(values["runs"]) or NOTHING
    return (
        str(trial.number),
        trial.state.value,
        *shown,
        *spread,
        percent(values["test_accuracy"]),
        *own,
        runs,
    )


def _trial_values(trial: Trial, values: dict[str, Any]) -> dict[str, Any]:
    times = {"started_at": trial.started_at, "ended_at": trial.ended_at}
    return values | {
        "state": trial.state.value,
        "origin": trial.origin.value,
        "deviation": trial.deviation,
        "curve": list(trial.curve),
        "reason": trial.reason,
        **{
            name: None if seconds is None else time_of(seconds).isoformat()
            for name, seconds in times.items()
        },
    }
