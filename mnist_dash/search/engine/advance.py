"""`Advancer.step`: tell the trials that have ended, prune those that lag behind, begin new ones. Whenever, however often, wherever killed.

All of a step is decided from rows, and every change is a transaction that names the holder of the study: a process that was frozen while
another took the study over writes nothing. A trial's row, its runs' rows and their jobs are one transaction, and a run's key is that of
its trial and seed, so no trial is begun twice and none is without its runs.

What a pruner says depends on the epochs in their order and not on when they were looked at, so that the same search with one trial at a
time gives the same trials again.
"""

from __future__ import annotations

import json
import logging
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from mnist_dash.core.config.run_config import parse_config
from mnist_dash.errors import Fenced, InvalidConfig, QuotaExceeded
from mnist_dash.runs.access import quotas
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.identities import Person, Role
from mnist_dash.runs.store.run_store import Store, transition, update
from mnist_dash.runs.store.schema import now
from mnist_dash.runs.store.states import RunState
from mnist_dash.search.definition.methods import OBJECTIVES
from mnist_dash.search.definition.space import Scalar
from mnist_dash.search.definition.study_definition import StudyDefinition
from mnist_dash.search.engine.sampling import Exhausted, Search
from mnist_dash.search.studies import study_store
from mnist_dash.search.studies.records import Origin, Study, StudyState, Trial, TrialState
from mnist_dash.text import plural, verb

_Row = sa.Row[Any, Any, Any]
log = logging.getLogger("mnist_dash.study_runner")


@dataclass(frozen=True)
class _Member:
    """One run of a trial, as far as a step needs it."""

    run_id: str
    state: RunState
    reason: str
    started_at: float | None
    epochs: Sequence[float]
    """The first objective by epoch; empty where it has none by epoch."""
    figures: tuple[float | None, ...]
    """The objectives, of a run that has finished."""


@dataclass(frozen=True)
class _Verdict:
    """What is to be written of a trial."""

    trial: Trial
    members: Sequence[_Member]
    state: TrialState
    figures: tuple[float, ...] | None = None
    deviation: float | None = None
    reason: str = ""


class Advancer:
    """Advances one study for as long as this process holds it."""

    def __init__(self, store: Store, study_id: str, holder: str) -> None:
        self._store = store
        self._id = study_id
        self._holder = holder
        self._search: Search | None = None
        self._edition = 0
        self.has_new_ends = True
        """Whether trials have ended since somebody looked and set it to false."""

    def step(self) -> StudyState:
        """Bring the study up to date with its runs and begin what may begin; returns the state that it is in then.

        Raises:
            Fenced: another process holds the study.
        """
        study = study_store.find(self._store, self._id)
        if self._search is None or study.edition != self._edition:
            self._search = Search(study.definition, study_store.trials(self._store, self._id))
            self._edition = study.edition
        open_trials = study_store.trials(
            self._store, self._id, states=[TrialState.WAITING, TrialState.RUNNING]
        )
        for trial in open_trials:
            if trial.number >= len(self._search):
                self._search.add(trial)
        for number in self._search.open - {trial.number for trial in open_trials}:
            # A person stopped it before it began.
            self._search.tell(number, TrialState.STOPPED, None)
        verdicts = self._judge(
            study, [trial for trial in open_trials if trial.state is TrialState.RUNNING]
        )
        self._write(study, verdicts)
        ended = {verdict.trial.number for verdict in verdicts if not verdict.state.is_open}
        self.has_new_ends |= bool(ended)
        in_flight = sum(
            trial.state is TrialState.RUNNING and trial.number not in ended for trial in open_trials
        )
        waiting = [trial for trial in open_trials if trial.state is TrialState.WAITING]
        return self._begin(study, in_flight, waiting)

    def forget(self) -> None:
        """Drop what is in memory; the next step reads it anew."""
        self._search = None

    # what has become of the trials

    def _judge(self, study: Study, trials: Sequence[Trial]) -> list[_Verdict]:
        members = self._members(study.definition, [trial.number for trial in trials])
        verdicts = []
        for trial in trials:
            verdict = self._judge_trial(study.definition, trial, members.get(trial.number, ()))
            if verdict is not None:
                verdicts.append(verdict)
        return verdicts

    def _judge_trial(
        self, definition: StudyDefinition, trial: Trial, members: Sequence[_Member]
    ) -> _Verdict | None:
        """Decide about one trial; None where nothing about it is new."""
        assert self._search is not None
        n_known, last = (
            len(trial.curve),
            trial.parameters.get("epochs", definition.space.base.epochs),
        )
        curve = list(trial.curve)
        for epoch, values in enumerate(
            zip(*(member.epochs for member in members), strict=False), 1
        ):
            if epoch <= n_known:
                continue
            value = statistics.fmean(values)
            if not math.isfinite(value):
                break
            curve.append(value)
            # After the last one there is nothing to save.
            if self._search.report(trial.number, epoch, value) and epoch != last:
                whole = replace(trial, curve=tuple(curve))
                return _Verdict(
                    whole,
                    members,
                    TrialState.PRUNED,
                    (value,),
                    reason=f"Pruned after epoch {epoch}.",
                )
        started = min(
            (member.started_at for member in members if member.started_at is not None), default=None
        )
        trial_now = replace(trial, curve=tuple(curve), started_at=started)
        failure = next((member for member in members if member.state in _FAILURES), None)
        if failure is not None:
            state = _FAILURES[failure.state]
            return _Verdict(
                trial_now, members, state, reason=f"Run {failure.run_id}: {failure.reason}"
            )
        if members and all(member.state is RunState.FINISHED for member in members):
            return _complete(trial_now, members, definition)
        return _Verdict(trial_now, members, TrialState.RUNNING) if trial_now != trial else None

    def _members(
        self, definition: StudyDefinition, numbers: Sequence[int]
    ) -> dict[int, list[_Member]]:
        """Read the runs of open trials, with their epochs."""
        runs, links, epochs = schema.runs, schema.trial_runs, schema.epochs
        by_epoch = [name for name in definition.objectives if OBJECTIVES[name].by_epoch]
        query = (
            sa.select(links.c.number, runs)
            .join_from(links, runs, links.c.run_id == runs.c.id)
            .where(links.c.study_id == self._id, links.c.number.in_(numbers))
            .order_by(links.c.number, links.c.seed)
        )
        with self._store.reading() as connection:
            rows = connection.execute(query).all()
            ids = [row.id for row in rows]
            read = sa.select(epochs.c.run_id, epochs.c.val_loss, epochs.c.val_accuracy).where(
                epochs.c.run_id.in_(ids)
            )
            measured = connection.execute(read.order_by(epochs.c.run_id, epochs.c.epoch)).all()
        found: dict[int, list[_Member]] = {}
        histories: dict[str, list[_Row]] = {run_id: [] for run_id in ids}
        for row in measured:
            histories[row.run_id].append(row)
        for row in rows:
            history = histories[row.id]
            values = (
                [float(getattr(epoch, by_epoch[0])) for epoch in history]
                if definition.objectives[0] in by_epoch
                else []
            )
            figures: tuple[float | None, ...] = ()
            if row.state == RunState.FINISHED:
                figures = tuple(_figure(name, row, history) for name in definition.objectives)
            member = _Member(
                row.id, RunState(row.state), row.reason, row.started_at, values, figures
            )
            found.setdefault(row.number, []).append(member)
        return found

    def _write(self, study: Study, verdicts: Sequence[_Verdict]) -> None:
        """Record what was decided, and end the runs that are to end, in one transaction."""
        assert self._search is not None
        used = self._used(study, at_least=0.0 if verdicts else 1.0)
        if not verdicts and used is None:
            return
        attributes = {
            verdict.trial.number: self._search.tell(
                verdict.trial.number, verdict.state, verdict.figures
            )
            for verdict in verdicts
            if not verdict.state.is_open
        }
        try:
            with self._store.writing() as connection:
                self._check_held(connection)
                if used is not None:
                    connection.execute(
                        schema.studies.update().where(schema.studies.c.id == self._id).values(used)
                    )
                if not verdicts:
                    return
                revision = study_store.write_study(connection, self._id)
                told = connection.execute(
                    sa.select(sa.func.coalesce(sa.func.max(schema.trials.c.told_order), -1)).where(
                        schema.trials.c.study_id == self._id
                    )
                ).scalar_one()
                for verdict in verdicts:
                    if not verdict.state.is_open:
                        told += 1
                    self._write_verdict(
                        connection, verdict, revision, told, attributes.get(verdict.trial.number)
                    )
        except Exception:
            self.forget()  # memory is ahead of the rows now
            raise

    def _write_verdict(
        self,
        connection: sa.Connection,
        verdict: _Verdict,
        revision: int,
        told: int,
        attributes: Mapping[str, object] | None,
    ) -> None:
        trial = verdict.trial
        values: dict[str, object] = {
            "state": verdict.state,
            "curve": json.dumps(trial.curve),
            "started_at": trial.started_at,
        }
        if attributes is not None:
            values |= {
                "figures": None if verdict.figures is None else json.dumps(verdict.figures),
                "deviation": verdict.deviation,
                "reason": verdict.reason,
                "attributes": json.dumps(attributes),
                "ended_at": now(),
                "told_order": told,
            }
            for member in verdict.members:
                if not member.state.is_terminal:
                    end_run(connection, member.run_id, pruned=verdict.state is TrialState.PRUNED)
        study_store.write_trial(connection, self._id, trial.number, revision=revision, **values)

    def _used(self, study: Study, *, at_least: float) -> dict[str, object] | None:
        """Count up the seconds that a running study has used, once there are so many; the time in which nobody advanced it is left out."""
        table = schema.studies
        with self._store.reading() as connection:
            row = connection.execute(
                sa.select(table.c.advanced_at, (now() - table.c.advanced_at).label("passed")).where(
                    table.c.id == self._id
                )
            ).one()
        if row.advanced_at is None or row.passed > self._store.settings.lease_seconds:
            return {"advanced_at": now()}
        if row.passed < at_least:
            return None
        spent = row.passed if study.state is StudyState.RUNNING else 0.0
        return {"advanced_at": now(), "seconds_used": table.c.seconds_used + spent}

    # what begins

    def _begin(self, study: Study, in_flight: int, waiting: Sequence[Trial]) -> StudyState:
        """Begin trials until enough are in flight or the study is at its end."""
        assert self._search is not None
        queue = list(waiting)
        while study.state is StudyState.RUNNING and in_flight < study.definition.parallelism:
            end = None
            if queue:
                begun = self._begin_trial(study, queue.pop(0))
            else:
                end = self._why_over(study)
                begun = False
                if end is None:
                    try:
                        begun = self._begin_next(study)
                    except Exhausted:
                        end = _exhausted(study.definition, len(self._search))
            if end is not None:
                return (
                    self._conclude(study, StudyState.FINISHED, end)
                    if in_flight == 0
                    else study.state
                )
            in_flight += begun
        if study.state is StudyState.STOPPING and in_flight == 0:
            return self._conclude(study, StudyState.STOPPED, "Stopped by hand.")
        return study.state

    def _why_over(self, study: Study) -> str | None:
        """Say why a study begins no more trials; None where it does."""
        assert self._search is not None
        budget, n_trials = study.definition.budget, len(self._search)
        if budget.trials is not None and n_trials >= budget.trials:
            return f"{'All ' if budget.trials > 1 else ''}{plural(budget.trials, 'trial')} {verb(budget.trials, 'are')} done."
        if budget.minutes is not None and study.seconds_used >= 60 * budget.minutes:
            return (
                f"{plural(budget.minutes, 'minute')} of running {verb(budget.minutes, 'are')} over."
            )
        if budget.stagnation is not None and self._search.is_stagnant():
            return f"It has converged: {plural(budget.stagnation, 'trial')} without improvement."
        return None

    def _begin_next(self, study: Study) -> bool:
        assert self._search is not None
        number = len(self._search)
        values, attributes = self._search.ask()
        trial = Trial(
            number,
            TrialState.RUNNING,
            Origin.SAMPLER,
            values,
            None,
            None,
            (),
            attributes,
            "",
            0.0,
            None,
            None,
            None,
        )
        return self._begin_trial(study, trial, is_new=True)

    def _begin_trial(self, study: Study, trial: Trial, *, is_new: bool = False) -> bool:
        """Write a trial's row and its runs in one transaction; returns whether it is in flight then."""
        assert self._search is not None
        try:
            with self._store.writing() as connection:
                self._check_held(connection, edition=self._edition, state=StudyState.RUNNING)
                revision = study_store.write_study(connection, self._id)
                if is_new:
                    insert_trial(connection, self._id, trial, revision=revision)
                state, reason = TrialState.RUNNING, ""
                try:
                    self._insert_runs(connection, study, trial.number, trial.parameters)
                except (InvalidConfig, QuotaExceeded) as error:
                    state, reason = TrialState.FAILED, str(error)
                values: dict[str, object] = {"state": state, "reason": reason}
                if not state.is_open:
                    values |= {
                        "ended_at": now(),
                        "attributes": json.dumps(self._search.tell(trial.number, state, None)),
                    }
                study_store.write_trial(
                    connection, self._id, trial.number, revision=revision, **values
                )
        except Exception:
            self.forget()
            raise
        return state.is_open

    def _insert_runs(
        self, connection: sa.Connection, study: Study, number: int, values: Mapping[str, Scalar]
    ) -> None:
        # The runs are whose the study is.
        definition, store = (
            study.definition,
            self._store.acting_for(Person(Role.EDITOR, study.owner)),
        )
        for config in [
            definition.space.configure(values, seed=seed) for seed in definition.run_seeds
        ]:
            if quotas.limits_owner(store.settings, study.owner):
                quotas.check_work(store.settings, config)
            key = f"study-{self._id}.{number}.{config.seed}"
            run_id = store.insert_run(connection, config, key=key, preset=None)
            link = {"study_id": self._id, "number": number, "seed": config.seed, "run_id": run_id}
            connection.execute(schema.trial_runs.insert().values(link))

    def _conclude(self, study: Study, state: StudyState, reason: str) -> StudyState:
        with self._store.writing() as connection:
            self._check_held(connection, edition=self._edition, state=study.state)
            study_store.write_study(
                connection, self._id, state=state, reason=reason, ended_at=now()
            )
            study_store.add_event(connection, self._id, reason)
        return state

    def _check_held(
        self,
        connection: sa.Connection,
        *,
        edition: int | None = None,
        state: StudyState | None = None,
    ) -> None:
        """See to it that this process still may write; raises `Fenced` where not."""
        table = schema.studies
        row = connection.execute(
            sa.select(table.c.held_by, table.c.edition, table.c.state).where(table.c.id == self._id)
        ).one()
        if row.held_by != self._holder:
            raise Fenced(
                f"Study {self._id} is not held by this process any more; what it decided is dropped."
            )
        if (edition is not None and row.edition != edition) or (
            state is not None and row.state != state
        ):
            raise Fenced(
                f"Study {self._id} was changed while a trial was chosen; it is chosen again."
            )


def _exhausted(definition: StudyDefinition, n_trials: int) -> str:
    """Say that a study has nothing new to try."""
    if definition.sampler.kind == "grid":
        return (
            f"All {plural(n_trials, 'point')} of the grid are done."
            if n_trials > 1
            else "The one point of the grid is done."
        )
    return f"Every combination of values has been tried, in {plural(n_trials, 'trial')}; nothing new is left."


def insert_trial(connection: sa.Connection, study_id: str, trial: Trial, *, revision: int) -> None:
    """Write a new trial's row; its number is taken from the record and must be free."""
    row = {
        "study_id": study_id,
        "number": trial.number,
        "state": trial.state,
        "origin": trial.origin,
        "parameters": json.dumps(dict(trial.parameters)),
        "attributes": json.dumps(dict(trial.attributes)),
        "reason": trial.reason,
        "created_at": now(),
        "revision": revision,
    }
    connection.execute(schema.trials.insert().values(row))


def end_run(connection: sa.Connection, run_id: str, *, pruned: bool) -> None:
    """Ask the worker of a run to stop it, or end it at once where none has it."""
    if transition(
        connection,
        run_id,
        RunState.PRUNED if pruned else RunState.STOPPED,
        only_from=RunState.PAUSED,
        reason="Ended by its study.",
    ):
        return
    if transition(
        connection,
        run_id,
        RunState.STOPPED,
        only_from=RunState.QUEUED,
        reason="Stopped by its study before it began.",
    ):
        return
    update(connection, run_id, stop_requested=True, prune_requested=pruned)


_FAILURES = {
    RunState.DIVERGED: TrialState.DIVERGED,
    RunState.FAILED: TrialState.FAILED,
    RunState.STOPPED: TrialState.STOPPED,
    RunState.PRUNED: TrialState.STOPPED,
}


def _complete(trial: Trial, members: Sequence[_Member], definition: StudyDefinition) -> _Verdict:
    """Average the figures of a trial's runs; one that has none that is finite is failed and never the best."""
    columns = list(zip(*(member.figures for member in members), strict=True))
    known = [
        [value for value in column if value is not None and math.isfinite(value)]
        for column in columns
    ]
    if any(len(column) < len(members) for column in known):
        names = ", ".join(definition.objectives)
        return _Verdict(
            trial,
            members,
            TrialState.FAILED,
            reason=f"No finite value of {names}. Narrow the range, or lower the learning rate.",
        )
    deviation = statistics.stdev(known[0]) if len(members) > 1 else None
    return _Verdict(
        trial,
        members,
        TrialState.COMPLETE,
        tuple(statistics.fmean(column) for column in known),
        deviation,
    )


def _figure(name: str, row: _Row, history: Sequence[_Row]) -> float | None:
    """Read an objective of a finished run: a validation figure after the epoch whose weights were kept."""
    match name:
        case "parameters":
            return float(row.n_parameters)
        case "seconds":
            return float(row.seconds_training)
        case "seconds_per_image":
            return None if row.seconds_per_image_test is None else float(row.seconds_per_image_test)
    if not history:
        return None
    stopping = parse_config(row.config).early_stopping
    kept = (
        row.best_epoch
        if stopping is not None and stopping.restore_best and row.best_epoch
        else len(history)
    )
    return float(getattr(history[kept - 1], name))
