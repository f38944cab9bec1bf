"""`study run`, `study list` and `study show`."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_dash.cli.formatting import json_line, moment, percent, span, table
from mnist_dash.cli.store_opening import opened
from mnist_dash.cli.studies.formatting import counted, figure, result, scalar, settings, short_names, study_values, time_of
from mnist_dash.errors import MnistDashError

if TYPE_CHECKING:
    from mnist_dash.runs.store.run_store import Store
    from mnist_dash.search.definition.methods import Budget
    from mnist_dash.search.definition.study_definition import StudyDefinition
    from mnist_dash.search.studies.records import Study, Trial

N_SHOWN = 10


def run(arguments: Namespace) -> int:
    """Run a study file to its end and return the exit code."""
    definition = read_definition(arguments)
    with opened() as store:
        study_id = _begin(store, definition, arguments)
        if arguments.detach:
            return _leave(store, study_id, as_json=arguments.json)
        study = _follow(store, study_id, quiet=arguments.json)
        if study is None:
            return 1
        values = study_values(store, study)
    print(json_line(values) if arguments.json else _sentences(study, values))
    return 0 if study.state.has_ended and values["best"] is not None else 1


def list_studies(arguments: Namespace) -> int:
    """List studies, newest first."""
    from mnist_dash.search.studies import study_store

    with opened() as store:
        found = [(study, study_values(store, study)) for study in study_store.all_studies(store)]
    if arguments.json:
        for study, values in found:
            print(json_line(values | {"created_at": time_of(study.created_at).isoformat(), "question": study.definition.question}))
    elif found:
        headings = ("study", "name", "state", "created", "trials", "running time", "best", "run")
        rows = ((study.id, study.name, study.state.value, *_listed(study, values)) for study, values in found)
        print(table(headings, rows, right=("trials", "running time", "best")))
    else:
        print("No studies yet. Run one: python -m mnist_dash study run studies/batch_size.yaml")
    return 0


def show(arguments: Namespace) -> int:
    """Show one study."""
    from mnist_dash.search.studies import study_store
    from mnist_dash.search.studies.costs import costs

    with opened() as store:
        study = study_store.find(store, arguments.study)
        values = study_values(store, study)
        ranked = rank(study_store.trials(store, study.id), study.definition)
        chosen = ranked[: arguments.limit or (len(ranked) if arguments.json else N_SHOWN)]
        spent = costs(store, study.id, [trial.number for trial in chosen])
        events = study_store.events(store, study.id)
    if arguments.json:
        trials = [_trial_values(trial, result(trial, study, spent.get(trial.number))) for trial in chosen]
        done = [{"at": time_of(event.at).isoformat(), "sentence": event.sentence} for event in events]
        definition = study.definition.model_dump(mode="json")
        print(json_line(values | {"counts": values["trials"], "trials": trials, "definition": definition, "events": done}))
        return 0
    print(_head(study, values))
    if chosen:
        rows = [_cells(trial, result(trial, study, spent.get(trial.number)), study) for trial in chosen]
        headings, numeric = _columns(study)
        print("\n" + table(headings, rows, right=numeric))
    if len(ranked) > len(chosen):
        print(f"{len(chosen)} of {len(ranked):,} trials, best first; --limit {len(ranked)} shows them all.", file=sys.stderr)
    print("\n" + "\n".join(f"{moment(time_of(event.at))}  {event.sentence}" for event in events))
    return 0


def read_definition(arguments: Namespace) -> StudyDefinition:
    """Read the study file and change what the options say.

    Raises:
        InvalidInput: it cannot be read.
        InvalidStudy: a rule is broken.
    """
    from mnist_dash.search.definition.study_definition import parse_definition
    from mnist_dash.search.definition.study_files import read_study

    definition = read_study(Path(arguments.file))
    budget = {"trials": arguments.trials, "minutes": arguments.minutes}
    changes: dict[str, Any] = {"parallelism": arguments.parallel, "seed": arguments.seed, "name": arguments.name}
    tree = definition.model_dump(mode="json") | {name: value for name, value in changes.items() if value is not None}
    tree["budget"] |= {name: value for name, value in budget.items() if value is not None}
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


def _begin(store: Store, definition: StudyDefinition, arguments: Namespace) -> str:
    """Create the study, or see to it that the one of that name goes on; returns its id."""
    from mnist_dash.search.actions import steering

    study = steering.attach(store, definition)
    if study is None:
        study_id = steering.create(store, definition)
        print(f"Study {definition.name} ({study_id}) begins.", file=sys.stderr)
        return study_id
    if arguments.parallel is not None:
        steering.set_parallelism(store, study.id, arguments.parallel)
    is_asked = arguments.trials is not None or arguments.minutes is not None
    steering.go_on(store, study.id, _larger(study.definition.budget, definition.budget) if not is_asked else definition.budget)
    print(f"Study {study.name} ({study.id}) exists and is followed.", file=sys.stderr)
    return study.id


def _larger(own: Budget, of_file: Budget) -> Budget:
    """Choose what a study without options goes on to: its own budget, or that of the file where it has raised a limit."""
    limits = ((own.trials, of_file.trials), (own.minutes, of_file.minutes))
    is_raised = any(one is not None and other is not None and other > one for one, other in limits)
    return of_file if is_raised else own


def _leave(store: Store, study_id: str, *, as_json: bool) -> int:
    from mnist_dash.cli.studies.following import n_in_flight
    from mnist_dash.cli.worker_start import WorkerStarter
    from mnist_dash.search.studies import study_store

    study = study_store.find(store, study_id)
    if study.state.is_live:
        WorkerStarter(store, n_workers=n_in_flight(study.definition)).ensure()
    if as_json:
        print(json_line(study_values(store, study)))
    else:
        print(f"Study {study.name} is {study.state}; see `python -m mnist_dash study show {study.name}`.")
    return 0


def _follow(store: Store, study_id: str, *, quiet: bool) -> Study | None:
    """Follow a study to its end; None where that is not possible any more, after saying why."""
    from mnist_dash.cli.runs.following import counting_interruptions
    from mnist_dash.cli.studies.following import follow, shown

    try:
        with counting_interruptions() as interruptions, shown(quiet=quiet) as showing:
            study = follow(store, study_id, show=showing, interruptions=interruptions)
    except MnistDashError as error:
        print(f"{error}\nStudy {study_id} is kept.", file=sys.stderr)
        return None
    if study.state.is_live and interruptions.count:
        print(f"Study {study.name} is left to itself; see `python -m mnist_dash study show {study.name}`.", file=sys.stderr)
        raise KeyboardInterrupt
    if study.state.is_live:
        print(f"Study {study.name} was paused: {study.reason}", file=sys.stderr)
    return study


def _sentences(study: Study, values: dict[str, Any]) -> str:
    lines = [f"Study {study.name} {study.state}: {study.reason} {counted(values['trials'])}, {span(study.seconds_used)} of running."]
    best = values["best"]
    if best is None:
        lines.append("No trial is complete, so there is no best one.")
    else:
        lines.append(_best(study, best))
    if "front" in values:
        lines.append(f"{len(values['front'])} trials that no other one beats in all objectives:")
        lines += [
            f"  {_figures(study, one)}: trial {one['trial']}, run {one['run']} ({settings(one['parameters'])})" for one in values["front"]
        ]
    lines.append(f"More: python -m mnist_dash study show {study.name}")
    return "\n".join(lines)


def _best(study: Study, best: dict[str, Any]) -> str:
    title = study.definition.goals[0].title
    test = f", test accuracy {percent(best['test_accuracy'])}" if best["test_accuracy"] is not None else ""
    what = f"Best {title} {figure(study.definition.objectives[0], best['value'])}{test}: trial {best['trial']}, run {best['run']}"
    return f"{what} ({settings(best['parameters'])})."


def _figures(study: Study, values: dict[str, Any]) -> str:
    return ", ".join(f"{goal.title} {figure(goal.name, values['values'].get(goal.name))}" for goal in study.definition.goals)


def _listed(study: Study, values: dict[str, Any]) -> tuple[str, ...]:
    from mnist_dash.cli.studies.following import n_trials_wanted
    from mnist_dash.search.studies.records import TrialState

    n_ended = sum(count for state, count in values["trials"].items() if not TrialState(state).is_open)
    wanted, best = n_trials_wanted(study.definition), values["best"]
    return (
        moment(time_of(study.created_at)),
        f"{n_ended:,}" if wanted is None else f"{n_ended:,}/{wanted:,}",
        span(study.seconds_used),
        figure(study.definition.objectives[0], None if best is None else best["value"]),
        "-" if best is None else str(best["run"]),
    )


def _head(study: Study, values: dict[str, Any]) -> str:
    from mnist_dash.cli.studies.following import n_trials_wanted

    definition = study.definition
    lines = [f"Study {study.id} {study.name}: {study.state}{f'. {study.reason}' if study.reason else ''}"]
    lines += [definition.question] if definition.question else []
    wanted = n_trials_wanted(definition)
    end = [f"{wanted:,} trials"] if wanted is not None else []
    end += [f"{definition.budget.minutes:g} minutes"] if definition.budget.minutes is not None else []
    end += [f"convergence ({definition.budget.stagnation:,} trials)"] if definition.budget.stagnation is not None else []
    lines.append(f"{counted(values['trials'])}; until {' or '.join(end)}; {span(study.seconds_used)} of running")
    seeds = f", {definition.seeds} seeds each" if definition.seeds > 1 else ""
    pruner = "" if definition.pruner.kind == "none" else f", pruner {definition.pruner.kind}"
    lines.append(f"sampler {definition.sampler.kind}{pruner}, {definition.parallelism} at a time{seeds}, seed {definition.seed}")
    lines.append(f"created {moment(time_of(study.created_at))}, {'advanced now' if study.is_advanced else 'advanced by nobody now'}")
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
    figures = [figure(name, values["values"].get(name)) for name in definition.objectives]
    spread = [figure(definition.objectives[0], trial.deviation)] if definition.seeds > 1 else []
    own = [scalar(trial.parameters[path]) if path in trial.parameters else "-" for path in definition.space.paths]
    runs = " ".join(values["runs"]) or "-"
    return (str(trial.number), trial.state.value, *figures, *spread, percent(values["test_accuracy"]), *own, runs)


def _trial_values(trial: Trial, values: dict[str, Any]) -> dict[str, Any]:
    times = {"started_at": trial.started_at, "ended_at": trial.ended_at}
    return values | {
        "state": trial.state.value,
        "origin": trial.origin.value,
        "deviation": trial.deviation,
        "curve": list(trial.curve),
        "reason": trial.reason,
        **{name: None if seconds is None else time_of(seconds).isoformat() for name, seconds in times.items()},
    }
