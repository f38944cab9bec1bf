"""What a person may do to a study, before and while it runs. Every change is an event, so that a reader sees what was done when."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from mnist_dash.errors import IllegalTransition, InvalidInput, InvalidStudy, Problem
from mnist_dash.runs.access.permission import require
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.schema import now
from mnist_dash.search.actions import quotas
from mnist_dash.search.definition.methods import Budget
from mnist_dash.search.definition.space import Choice, Condition, IntRange, Scalar
from mnist_dash.search.definition.space_rules import notes
from mnist_dash.search.definition.study_definition import (
    StudyDefinition,
    canonical,
    check,
    parse_definition,
    trusted,
)
from mnist_dash.search.engine.advance import end_run, insert_trial
from mnist_dash.search.engine.study_runner import ensure_study_runner
from mnist_dash.search.studies import study_store
from mnist_dash.search.studies.records import Origin, Study, StudyState, Trial, TrialState
from mnist_dash.text import did_you_mean, listed, plural

EDITABLE = ("budget", "parallelism", "keep", "question")
"""Parts of a definition that a file may change while the study has trials; the space is steered by `narrow` and `ban`."""


@dataclass(frozen=True)
class Narrowing:
    """New bounds of a range."""

    path: str
    low: float
    high: float


def create(store: Store, definition: StudyDefinition, *, key: str | None = None) -> str:
    """Accept a study: from here on it runs, whoever watches.

    Args:
        store: where to.
        definition: checked.
        key: names this submission; the same key again gives the same study.

    Returns:
        The study's id.

    Raises:
        NotAllowed: the person may only look.
        InvalidStudy: a rule is broken, or the name is taken.
        QuotaExceeded: it is more than one person may have.
        DataError, DeviceUnavailable, StorageFull: as for `mnist_dash.runs.actions.run_actions.submit`.
    """
    require(store, "create a study")
    problems = check(definition)
    if problems:
        raise InvalidStudy(problems)
    run_actions.check_can_run(store, definition.space.base)
    table = schema.studies
    study_id = secrets.token_hex(4) if key is None else key[:8]
    with store.writing(in_turn=True) as connection:
        taken = connection.execute(
            sa.select(table.c.id).where(table.c.name == definition.name)
        ).scalar()
        if taken is not None and taken == study_id:
            return study_id
        if taken is not None:
            remedy = f"Choose another name, such as {free_name(store, definition.name)}."
            raise InvalidStudy(
                (Problem("name", f"the name {definition.name!r} is taken", "", remedy),)
            )
        quotas.check_study(connection, store, definition)
        row = {
            "id": study_id,
            "name": definition.name,
            "owner": store.person.email,
            "definition": canonical(definition),
            "state": StudyState.RUNNING,
            "created_at": now(),
        }
        connection.execute(table.insert().values(row))
        study_store.write_study(connection, study_id)
        study_store.add_event(
            connection,
            study_id,
            f"Begun: {_budget_in_words(definition)}, {definition.parallelism} at a time.",
        )
        for note in notes(definition.space):
            study_store.add_event(connection, study_id, note)
    ensure_study_runner(store.settings)
    return study_id


def free_name(store: Store, name: str) -> str:
    """Find a name like this one that is not taken."""
    number = 2
    while study_store.exists(store, f"{name[:58]}-{number}"):
        number += 1
    return f"{name[:58]}-{number}"


def pause(store: Store, study_id: str) -> None:
    """Begin no further trials; those in flight go on.

    Raises:
        IllegalTransition: it does not run.
    """
    require(store, "pause a study")
    _transition(
        store, study_id, StudyState.PAUSED, allowed=(StudyState.RUNNING,), sentence="Paused."
    )


def resume(store: Store, study_id: str) -> None:
    """Go on with a paused study, or with one that is about to stop.

    Raises:
        IllegalTransition: it is neither paused nor stopping.
    """
    require(store, "resume a study")
    _transition(
        store,
        study_id,
        StudyState.RUNNING,
        allowed=(StudyState.PAUSED, StudyState.STOPPING),
        sentence="Resumed.",
    )
    ensure_study_runner(store.settings)


def stop(store: Store, study_id: str, *, cancel: bool = False) -> None:
    """End a study: begin no further trials, and let those in flight end or stop them too.

    Raises:
        IllegalTransition: it has ended already.
    """
    require(store, "stop a study")
    live = (StudyState.RUNNING, StudyState.PAUSED, *((StudyState.STOPPING,) if cancel else ()))
    sentence = "Stopped, what ran included." if cancel else "Stopped; what runs is let to end."
    _transition(store, study_id, StudyState.STOPPING, allowed=live, sentence=sentence)
    if cancel:
        with store.writing() as connection:
            for trial in study_store.trials(
                store, study_id, states=[TrialState.WAITING, TrialState.RUNNING]
            ):
                _end_trial(connection, store, study_id, trial)
    ensure_study_runner(store.settings)


def stop_trial(store: Store, study_id: str, number: int) -> None:
    """Stop one trial; its runs keep what they have, and it counts for nothing.

    Raises:
        InvalidInput: it does not exist or has ended.
    """
    require(store, "stop a trial")
    found = [
        trial
        for trial in study_store.trials(
            store, study_id, states=[TrialState.WAITING, TrialState.RUNNING]
        )
        if trial.number == number
    ]
    if not found:
        raise InvalidInput(
            f"Trial {number} neither waits nor runs, so it cannot be stopped. Open it to see what became of it."
        )
    with store.writing() as connection:
        _end_trial(connection, store, study_id, found[0])
        study_store.write_study(connection, study_id)
        study_store.add_event(connection, study_id, f"Trial {number} stopped.")


def extend(store: Store, study_id: str, n_trials: int) -> None:
    """Give a study more trials; one that has ended runs again.

    Raises:
        InvalidInput: fewer than one is asked for.
    """
    require(store, "give a study more trials")
    if n_trials < 1:
        raise InvalidInput(f"{plural(n_trials, 'trial')} more would be none. Type 10, say.")

    def more(definition: StudyDefinition) -> StudyDefinition:
        done = _n_trials(store, study_id)
        former = definition.budget.trials
        total = (done if former is None else max(former, done)) + n_trials
        return _with(
            definition,
            budget=definition.budget.model_copy(
                update={"trials": total, "minutes": None, "stagnation": None}
            ),
        )

    _edit(store, study_id, more, f"{plural(n_trials, 'more trial')}.", restart=True)
    ensure_study_runner(store.settings)


def set_parallelism(store: Store, study_id: str, parallelism: int) -> None:
    """Change how many trials are in flight at a time; those above it are let to end.

    Raises:
        InvalidStudy: the number is out of bounds.
    """
    require(store, "steer a study")
    _edit(
        store,
        study_id,
        lambda definition: _with(definition, parallelism=parallelism),
        f"{plural(parallelism, 'trial')} at a time.",
    )


def narrow(store: Store, study_id: str, narrowings: tuple[Narrowing, ...]) -> None:
    """Search only here: draw numbers between new bounds, which may also be wider, from now on. Former trials stay in the study.

    Raises:
        InvalidStudy: a bound breaks a rule.
        InvalidInput: a setting is not explored, or has no range.
    """
    require(store, "steer a study")

    def narrowed(definition: StudyDefinition) -> StudyDefinition:
        parameters = []
        wanted = {one.path: one for one in narrowings}
        for parameter in definition.space.parameters:
            one = wanted.pop(parameter.path, None)
            if one is None:
                parameters.append(parameter.model_dump(mode="json"))
            elif isinstance(parameter, Choice):
                raise InvalidInput(
                    f"{parameter.path} is a choice and has no bounds to narrow. Exclude the values that are not wanted."
                )
            else:
                low, high = sorted((one.low, one.high))
                if isinstance(parameter, IntRange):
                    low, high = round(low), max(round(low), round(high))
                parameters.append(parameter.model_dump(mode="json") | {"low": low, "high": high})
        if wanted:
            raise InvalidInput(
                f"{next(iter(wanted))} is not explored by this study. {_explored(definition, next(iter(wanted)))}"
            )
        return _with(definition, space={"base": definition.space.base, "parameters": parameters})

    words = ", ".join(
        f"{one.path} from {min(one.low, one.high):.4g} to {max(one.low, one.high):.4g}"
        for one in narrowings
    )
    _edit(store, study_id, narrowed, f"Searches only here: {words}.")


def ban(store: Store, study_id: str, path: str, value: Scalar) -> None:
    """Draw a value of a choice no more.

    Raises:
        InvalidInput: the setting is no choice, or the value is its last.
    """
    require(store, "steer a study")

    def without(definition: StudyDefinition) -> StudyDefinition:
        parameters = []
        for parameter in definition.space.parameters:
            fields = parameter.model_dump(mode="json")
            if parameter.path == path:
                if not isinstance(parameter, Choice):
                    raise InvalidInput(
                        f"{path} is a range and has no single values to exclude. Narrow it instead."
                    )
                if not parameter.contains(value) or len(parameter.values) == 1:
                    raise InvalidInput(_no_exclusion(parameter, value))
                fields["values"] = [own for own in parameter.values if own != value]
            conditions = [_without(condition, path, value) for condition in parameter.when]
            if any(condition is None for condition in conditions):
                continue  # a parameter that would never apply again goes with the value
            fields["when"] = conditions
            parameters.append(fields)
        return _with(definition, space={"base": definition.space.base, "parameters": parameters})

    _edit(store, study_id, without, f"{path} = {value} is banned.")


def undo(store: Store, study_id: str) -> str:
    """Take the last change of the definition back; returns what was undone.

    Raises:
        InvalidInput: nothing was changed.
    """
    require(store, "steer a study")
    changes = [event for event in study_store.events(store, study_id) if event.former is not None]
    if not changes:
        raise InvalidInput(
            f"Nothing was changed in study {study_id}, so there is nothing to take back."
        )
    last = changes[-1]
    with store.writing() as connection:
        table = schema.studies
        connection.execute(
            schema.study_events.update()
            .where(schema.study_events.c.id == last.id)
            .values(former=None)
        )
        study_store.write_study(
            connection, study_id, definition=last.former, edition=table.c.edition + 1
        )
        study_store.add_event(connection, study_id, f"Taken back: {last.sentence}")
    return last.sentence


def try_next(store: Store, study_id: str, values: Mapping[str, Scalar]) -> int:
    """Have a configuration tried before the sampler's next; it need not lie in the present ranges.

    Args:
        store: where the study is.
        study_id: the study.
        values: of the explored settings that apply; numbers are rounded where the setting is whole.

    Returns:
        The trial's number.

    Raises:
        InvalidConfig: the values make no configuration.
        InvalidInput: a setting is not explored.
        IllegalTransition: the study has ended; extend it first.
    """
    require(store, "have a configuration tried")
    study = study_store.find(store, study_id)
    if study.state.has_ended or study.state is StudyState.STOPPING:
        raise IllegalTransition(
            f"Study {study.name} is {study.state} and tries nothing more. Give it more trials first."
        )
    space = study.definition.space
    strangers = [path for path in values if path not in space.paths]
    if strangers:
        raise InvalidInput(
            f"{strangers[0]} is not explored by this study. {_explored(study.definition, strangers[0])}"
        )
    chosen = {path: _typed(space.parameter(path), value) for path, value in values.items()}
    space.configure(chosen)
    table = schema.trials
    with store.writing(in_turn=True) as connection:
        revision = study_store.write_study(connection, study_id)
        last = connection.execute(
            sa.select(sa.func.max(table.c.number)).where(table.c.study_id == study_id)
        ).scalar()
        number = 0 if last is None else int(last) + 1
        trial = Trial(
            number,
            TrialState.WAITING,
            Origin.PERSON,
            chosen,
            None,
            None,
            (),
            {},
            "",
            0.0,
            None,
            None,
            None,
        )
        insert_trial(connection, study_id, trial, revision=revision)
        words = ", ".join(f"{path} = {value}" for path, value in chosen.items())
        study_store.add_event(connection, study_id, f"Trial {number} asked for: {words}.")
    ensure_study_runner(store.settings)
    return number


def differences(former: StudyDefinition, wanted: StudyDefinition) -> tuple[str, ...]:
    """Name the parts in which two definitions differ and that cannot be changed while there are trials."""
    one, other = former.model_dump(mode="json"), wanted.model_dump(mode="json")
    return tuple(name for name in one if name not in EDITABLE and one[name] != other[name])


def _with(definition: StudyDefinition, **parts: Any) -> StudyDefinition:  # noqa: ANN401 - parts of a definition
    tree = definition.model_dump(mode="json")
    for name, part in parts.items():
        tree[name] = part.model_dump(mode="json") if hasattr(part, "model_dump") else part
    if "space" in parts and isinstance(parts["space"], dict):
        tree["space"]["base"] = definition.space.base.model_dump(mode="json")
    return parse_definition(tree)


def _edit(
    store: Store,
    study_id: str,
    change: Callable[[StudyDefinition], StudyDefinition],
    sentence: str,
    *,
    restart: bool = False,
) -> None:
    """Change a definition as a whole; the trials in flight are not touched."""
    study = study_store.find(store, study_id)
    wanted = change(study.definition)
    if wanted == study.definition and not restart:
        return
    table = schema.studies
    values: dict[str, Any] = {"definition": canonical(wanted), "edition": table.c.edition + 1}
    if restart and study.state in (StudyState.FINISHED, StudyState.STOPPED, StudyState.STOPPING):
        values |= {"state": StudyState.RUNNING, "reason": "", "ended_at": None}
    with store.writing(in_turn=True) as connection:
        now_at = connection.execute(
            sa.select(table.c.edition).where(table.c.id == study_id)
        ).scalar()
        if now_at != study.edition:
            raise IllegalTransition(
                f"Study {study.name} was changed by somebody else meanwhile. Look at it, and try again."
            )
        quotas.check_study(connection, store, wanted, study=study)
        study_store.write_study(connection, study_id, **values)
        study_store.add_event(connection, study_id, sentence, former=canonical(study.definition))


def _transition(
    store: Store,
    study_id: str,
    target: StudyState,
    *,
    allowed: tuple[StudyState, ...],
    sentence: str,
) -> None:
    table = schema.studies
    study = study_store.find(store, study_id)
    with store.writing() as connection:
        state = connection.execute(
            sa.select(table.c.state).where(table.c.id == study.id)
        ).scalar_one()
        if state not in allowed:
            raise IllegalTransition(
                f"Study {study.name} is {state} and cannot become {target}; only one that is {' or '.join(allowed)} can."
            )
        study_store.write_study(connection, study.id, state=target, reason="")
        study_store.add_event(connection, study.id, sentence)


def _end_trial(connection: sa.Connection, store: Store, study_id: str, trial: Trial) -> None:
    """Stop the runs of a trial, or the trial itself where it has none yet."""
    if trial.state is TrialState.WAITING:
        revision = study_store.write_study(connection, study_id)
        values = {
            "state": TrialState.STOPPED,
            "reason": "Stopped before it began.",
            "ended_at": now(),
        }
        study_store.write_trial(connection, study_id, trial.number, revision=revision, **values)
        return
    for run_id in study_store.runs_of(store, study_id, [trial.number]).get(trial.number, ()):
        if not store.run(run_id).state.is_terminal:
            end_run(connection, run_id, pruned=False)


def _without(condition: Condition, path: str, value: Scalar) -> dict[str, Any] | None:
    fields = condition.model_dump(mode="json")
    if condition.path != path or condition.at_least is not None:
        return fields
    fields["values"] = [own for own in condition.values if own != value]
    return fields if fields["values"] else None


def _typed(parameter: object, value: Scalar) -> Scalar:
    if (
        isinstance(parameter, IntRange)
        and isinstance(value, int | float)
        and not isinstance(value, bool)
    ):
        return round(value)
    return value


def _explored(definition: StudyDefinition, path: str) -> str:
    """Say which settings are explored, the nearest to a mistyped one alone where there is one."""
    return did_you_mean(path, definition.space.paths) or f"Choose {listed(definition.space.paths)}."


def _no_exclusion(parameter: Choice, value: Scalar) -> str:
    if len(parameter.values) == 1:
        return f"{value} is the last value of {parameter.path}. Add others before you exclude it."
    known = [str(own) for own in parameter.values]
    return f"{parameter.path} has no value {value} ({listed(known)}). {did_you_mean(str(value), known) or 'Choose one of them.'}"


def _n_trials(store: Store, study_id: str) -> int:
    return sum(study_store.counts(store, study_id).values())


def _budget_in_words(definition: StudyDefinition) -> str:
    budget = definition.budget
    parts = (
        [f"{plural(definition.n_grid or 0, 'point')} of a grid"]
        if definition.sampler.kind == "grid"
        else []
    )
    parts += [plural(budget.trials, "trial")] if budget.trials is not None else []
    parts += [plural(budget.minutes, "minute")] if budget.minutes is not None else []
    parts += (
        [f"until {plural(budget.stagnation, 'trial')} bring no improvement"]
        if budget.stagnation is not None
        else []
    )
    return ", ".join(parts)


def attach(store: Store, definition: StudyDefinition) -> Study | None:
    """Find the study that a file names; None where there is none yet.

    The file may be of any edition of the study: one that was narrowed since still belongs to it.

    Raises:
        InvalidStudy: the file differs in what the study's trials were made by.
    """
    if not study_store.exists(store, definition.name):
        return None
    study = study_store.find(store, definition.name)
    formers = [
        trusted(event.former)
        for event in study_store.events(store, study.id)
        if event.former is not None
    ]
    if all(differences(edition, definition) for edition in (study.definition, *formers)):
        fault = "it differs from the study of this name, which has trials already"
        remedy = f"Give the file another name, such as {free_name(store, definition.name)}, or take the change back."
        changed = differences(formers[0] if formers else study.definition, definition)
        raise InvalidStudy(tuple(Problem(part, fault, "", remedy) for part in changed))
    return study


def go_on(store: Store, study_id: str, budget: Budget) -> None:
    """Have a study run until it has used a budget in all: a paused one is resumed, one that has ended with less runs again.

    Raises:
        InvalidStudy: the budget breaks a rule.
    """
    require(store, "go on with a study")
    study = study_store.find(store, study_id)
    is_same, has_ended = budget == study.definition.budget, study.state.has_ended
    is_spent = (budget.trials is not None and _n_trials(store, study_id) >= budget.trials) or (
        budget.minutes is not None and study.seconds_used >= 60 * budget.minutes
    )
    if has_ended and (is_spent or (is_same and study.state is StudyState.FINISHED)):
        return
    if has_ended or not is_same:
        words = _budget_in_words(_with(study.definition, budget=budget))
        sentence = f"{'Goes on' if has_ended else 'Another budget'}: {words}."
        _edit(
            store,
            study_id,
            lambda definition: _with(definition, budget=budget),
            sentence,
            restart=has_ended,
        )
    if not has_ended and study.state is not StudyState.RUNNING:
        resume(store, study_id)
    ensure_study_runner(store.settings)
