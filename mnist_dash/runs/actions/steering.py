"""What a person may do to the course of a run: pause, resume, change, fork, continue, train again.

Whatever is done becomes part of the run's configuration (`mnist_dash.core.config.changes`), so that a steered run can be trained again from
its configuration alone, and of its events (`mnist_dash.runs.store.events`), so that people can read what was done when.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from mnist_dash.core.config.changes import continued, describe, hash_until, with_change
from mnist_dash.core.config.run_config import Change, RunConfig
from mnist_dash.errors import ArtifactError, IllegalTransition, InvalidInput
from mnist_dash.runs.access import quotas
from mnist_dash.runs.access.permission import require
from mnist_dash.runs.actions.run_actions import check_can_run
from mnist_dash.runs.store import artifacts, events, schema
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.config_changes import apply_change
from mnist_dash.runs.store.engine import Job
from mnist_dash.runs.store.events import EventKind
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store, new_run_id, transition, update
from mnist_dash.runs.store.states import RunState
from mnist_dash.text import plural


@dataclass(frozen=True)
class Start:
    """From where a branch of a run begins."""

    from_checkpoint: bool
    """Whether the parent's checkpoint of that epoch is there; else its epochs are trained again, to the same figures."""
    seconds: float
    """What training them again will take, at the parent's pace; 0 from a checkpoint."""


@dataclass(frozen=True)
class _Branch:
    """A run that shares a parent's first epochs."""

    parent: Run
    config: RunConfig
    epoch: int
    """The last one that they share."""
    kind: EventKind
    sentence: str


def pause(store: Store, run_id: str) -> RunState:
    """Set a run aside: a waiting one at once, one in training at the end of its epoch. Its worker is free then.

    Returns:
        The run's state now; RUNNING where its worker has been asked.

    Raises:
        NotAllowed: the person may not.
        UnknownRun: no run has this id.
        IllegalTransition: it is paused already, or has ended.
    """
    require(store, f"pause run {run_id}")
    run = store.run(run_id)
    with store.writing() as connection:
        if transition(connection, run_id, RunState.PAUSED, only_from=RunState.QUEUED):
            _note(
                store,
                connection,
                run,
                EventKind.PAUSED,
                f"Paused after epoch {run.epoch}." if run.epoch else "Paused before it began.",
            )
            return RunState.PAUSED
        if not update(connection, run_id, held_by=run.attempt, pause_requested=True):
            raise IllegalTransition(
                f"Run {run_id} is {run.state}, so it cannot be paused; only one that waits or trains can. {_REMEDY}"
            )
        _note(store, connection, run, EventKind.ASKED, "Asked to pause at the end of the epoch.")
    return RunState.RUNNING


def resume(store: Store, run_id: str) -> None:
    """Put a paused run back into the queue; it goes on from its checkpoint. A pause that has not come yet is taken back.

    Raises:
        NotAllowed: the person may not.
        UnknownRun: no run has this id.
        IllegalTransition: it is not paused.
    """
    require(store, f"resume run {run_id}")
    run = store.run(run_id)
    with store.writing() as connection:
        # The job of the next attempt may lie in the queue since before the pause, or be used up: this attempt is left out.
        attempt = run.attempt + 1
        values: dict[str, Any] = {
            "attempt": attempt,
            "pause_requested": None,
            "reason": "",
            "n_deaths": 0,
        }
        if transition(connection, run_id, RunState.QUEUED, only_from=RunState.PAUSED, **values):
            store.add_job(connection, Job(run_id, attempt + 1), run.config.device)
            _note(
                store,
                connection,
                run,
                EventKind.RESUMED,
                f"Resumed after epoch {run.epoch}." if run.epoch else "Resumed.",
            )
            return
        if not (
            run.pause_requested
            and update(connection, run_id, held_by=run.attempt, pause_requested=None)
        ):
            raise IllegalTransition(
                f"Run {run_id} is {run.state}, not paused, so it cannot be resumed. {_REMEDY}"
            )
        _note(store, connection, run, EventKind.ASKED, "Asked not to pause after all.")


def change(store: Store, run_id: str, values: Mapping[str, Any]) -> bool:
    """Change settings of a run that has not ended: of a paused one at once, of one in training at the end of its epoch.

    Args:
        store: holds the run, and acts for a person.
        run_id: the run.
        values: fields of a `Change` by name; those that are none stay as they are.

    Returns:
        Whether they are changed already; else its worker has been asked.

    Raises:
        NotAllowed: the person may not.
        UnknownRun: no run has this id.
        InvalidConfig: a value breaks a rule.
        IllegalTransition: the run has ended or has not begun, trains its last epoch, or is a study's.
    """
    require(store, f"change run {run_id}")
    run = store.run(run_id)
    _check_changeable(store, run)
    wanted = {name: value for name, value in values.items() if value is not None}
    with_change(run.config, max(1, min(run.epoch + 1, run.config.epochs - 1)), wanted)
    asked = json.dumps({"values": wanted, "person": store.person.email})
    with store.writing() as connection:
        state = connection.execute(
            sa.select(schema.runs.c.state).where(schema.runs.c.id == run_id)
        ).scalar_one()
        if RunState(state).is_terminal:
            raise IllegalTransition(
                f"Run {run_id} is {state}, so its settings cannot change any more. Fork it instead."
            )
        update(connection, run_id, change_requested=asked)
        if state == RunState.PAUSED:
            return apply_change(connection, run_id)
        _note(
            store,
            connection,
            run,
            EventKind.ASKED,
            f"Asked for at the end of the epoch: {_listed(wanted)}.",
        )
    return False


def fork(
    store: Store,
    run_id: str,
    epoch: int,
    values: Mapping[str, Any],
    *,
    epochs: int | None = None,
    key: str | None = None,
) -> str:
    """Begin a new run that is the same as another until the end of an epoch and has other settings from there on.

    Args:
        store: holds the runs, and acts for a person.
        run_id: the parent.
        epoch: a finished epoch of the parent.
        values: fields of a `Change` by name; those that are none stay as they are.
        epochs: of the new run in all; the parent's where it is none.
        key: names this submission, as for `actions.submit`.

    Returns:
        The new run's id.

    Raises:
        NotAllowed: the person may not.
        UnknownRun: no run has this id.
        InvalidInput: the parent has not finished that epoch, or a value breaks a rule.
        MnistDashError: what `actions.submit` raises.
    """
    require(store, f"fork run {run_id}")
    parent = store.run(run_id)
    if not 1 <= epoch <= parent.epoch:
        raise InvalidInput(
            f"Run {run_id} has not finished an epoch {epoch} to fork from; it has {plural(parent.epoch, 'finished epoch')}. "
            "Choose one of those, or train a changed copy from the start."
        )
    config = forked_config(parent.config, epoch, values, epochs=epochs)
    made = next(change for change in config.changes if change.after_epoch == epoch)
    sentence = f"Forked from run {parent.id} after epoch {epoch}: {describe(config, made)}."
    return _accept(store, _Branch(parent, config, epoch, EventKind.FORKED, sentence), key)


def forked_config(
    config: RunConfig, epoch: int, values: Mapping[str, Any], *, epochs: int | None = None
) -> RunConfig:
    """Make the configuration of a fork; what the parent has changed at the end of that epoch or later is left out.

    Raises:
        InvalidInput: a value breaks a rule.
    """
    later = [
        change.after_epoch
        for change in config.changes
        if change.after_epoch >= epoch and change.restart_schedule
    ]
    former = tuple(change for change in config.changes if change.after_epoch < epoch)
    kept = (*former, *(Change(after_epoch=restart, restart_schedule=True) for restart in later))
    base = config.model_copy(update={"changes": kept})
    if epochs is not None and epochs != base.epochs:
        base = continued(base, epoch, epochs)
    return with_change(base, epoch, values)


def continue_run(store: Store, run_id: str, epochs: int, *, key: str | None = None) -> str:
    """Begin a new run that goes on where an ended one is, to more epochs in all.

    Args:
        store: holds the runs, and acts for a person.
        run_id: the parent, which has ended.
        epochs: how many there will be in all.
        key: names this submission, as for `actions.submit`.

    Returns:
        The new run's id.

    Raises:
        NotAllowed: the person may not.
        UnknownRun: no run has this id.
        IllegalTransition: the parent has not ended, has no epoch, or has diverged.
        InvalidInput: there would be no more epochs.
        MnistDashError: what `actions.submit` raises.
    """
    require(store, f"continue run {run_id}")
    parent = store.run(run_id)
    if not parent.state.is_terminal or parent.state is RunState.DIVERGED or not parent.epoch:
        said = f"is {parent.state}" if parent.epoch else "has finished no epoch"
        raise IllegalTransition(
            f"Run {run_id} {said}, so it cannot be continued; one that has ended after a finished epoch and not diverged can. {_REMEDY}"
        )
    config = continued(
        parent.config,
        parent.epoch,
        epochs,
        waited=max(0, parent.epoch - (parent.best_epoch or parent.epoch)),
    )
    sentence = f"Continues run {parent.id} from epoch {parent.epoch} to {epochs}."
    return _accept(store, _Branch(parent, config, parent.epoch, EventKind.CONTINUED, sentence), key)


def train_again(store: Store, run_id: str, *, key: str | None = None) -> str:
    """Begin a new run of the same configuration from the start, linked to the former one.

    Returns:
        The new run's id.

    Raises:
        NotAllowed: the person may not.
        UnknownRun: no run has this id.
        IllegalTransition: the run has not ended.
        MnistDashError: what `actions.submit` raises.
    """
    require(store, f"train run {run_id} again")
    former = store.run(run_id)
    if not former.state.is_terminal:
        raise IllegalTransition(
            f"Run {run_id} is {former.state} and cannot be rerun before it has ended. {_REMEDY}"
        )
    check_can_run(store, former.config)
    with store.writing(in_turn=True) as connection:
        child = new_run_id()
        if store.submitted(connection, key) is None:
            quotas.check_run(connection, store, former.config)
        known = store.insert_run(
            connection,
            former.config,
            key=key,
            preset=former.preset,
            id=child,
            parent_id=run_id,
            parent_epoch=0,
        )
        if known == child:
            text = f"The configuration of run {run_id}, from the start."
            events.write(
                connection, child, EventKind.AGAIN, text, epoch=0, person=store.person.email
            )
            update(connection, run_id)
    return known


def start_of(store: Store, parent: Run, epoch: int) -> Start:
    """Say from where a branch of a run would begin."""
    found = _checkpoint_at(store, parent.id, epoch) is not None
    pace = (parent.seconds_training + parent.seconds_evaluation) / max(1, parent.epoch)
    return Start(found, 0.0 if found else pace * epoch)


def children(store: Store, run_id: str) -> tuple[Run, ...]:
    """List the runs that began as branches of a run, those in the bin left out, the first one first."""
    with store.reading() as connection:
        query = sa.select(schema.runs.c.id).where(
            schema.runs.c.parent_id == run_id, schema.runs.c.deleted_at.is_(None), store.readable()
        )
        ids = connection.execute(query.order_by(schema.runs.c.created_at)).scalars().all()
    return tuple(store.run(child) for child in ids)


def is_trial(store: Store, run_id: str) -> bool:
    """Say whether a run belongs to a study."""
    with store.reading() as connection:
        return (
            connection.execute(
                sa.select(schema.trial_runs.c.run_id).where(schema.trial_runs.c.run_id == run_id)
            ).first()
            is not None
        )


_REMEDY = "Open it to see what can be done with it."


def _check_changeable(store: Store, run: Run) -> None:
    if run.state.is_terminal or (not run.epoch and run.state is not RunState.RUNNING):
        said = f"is {run.state}" if run.state.is_terminal else "has not begun"
        remedy = (
            "Fork it instead." if run.state.is_terminal else "Stop it and train a changed copy."
        )
        raise IllegalTransition(
            f"Run {run.id} {said}, so its settings cannot change; they can while it trains. {remedy}"
        )
    last = run.epoch if run.state is RunState.PAUSED else run.epoch + 1
    if last >= run.config.epochs:
        raise IllegalTransition(
            f"Run {run.id} is in its last epoch, {last} of {run.config.epochs}: no epoch is left for other settings. "
            "Fork it, or continue it when it has ended."
        )
    if is_trial(store, run.id):
        raise IllegalTransition(
            f"Run {run.id} is a trial, whose settings its study has chosen. Fork it instead: a fork is no part of the study."
        )


def _accept(store: Store, branch: _Branch, key: str | None) -> str:
    """Accept a branch: with the parent's history and checkpoint where that is there, from zero else."""
    parent, config, epoch = branch.parent, branch.config, branch.epoch
    check_can_run(store, config)
    child = new_run_id()
    part = (
        _checkpoint_at(store, parent.id, epoch)
        if hash_until(config, epoch) == hash_until(parent.config, epoch)
        else None
    )
    files: list[tuple[ArtifactKind, str, int, artifacts.StoredFile]] = []
    written = False
    try:
        if part is not None:
            files = _copied_files(store, parent.id, child, epoch, part)
        with store.writing(in_turn=True) as connection:
            values = {"id": child, "parent_id": parent.id, "parent_epoch": epoch}
            if files:
                values |= _progress_until(connection, parent.id, epoch)
            if store.submitted(connection, key) is None:
                quotas.check_run(connection, store, config)
            known = store.insert_run(connection, config, key=key, preset=None, **values)
            if known == child:
                for file_kind, file_part, file_epoch, file in files:
                    artifacts.record(
                        connection, child, file_kind, file, epoch=file_epoch, part=file_part
                    )
                if files:
                    _copy_history(connection, parent.id, child, epoch)
                events.write(
                    connection,
                    child,
                    branch.kind,
                    branch.sentence,
                    epoch=epoch,
                    person=store.person.email,
                )
                update(connection, parent.id)
        written = known == child
    finally:
        if not written:
            for *_, file in files:
                artifacts.discard(store.settings, file.path)
    return known


def _checkpoint_at(store: Store, run_id: str, epoch: int) -> tuple[ArtifactKind, str] | None:
    """Find the checkpoint that a run has left of exactly this epoch."""
    table = schema.artifacts
    kinds = (ArtifactKind.CHECKPOINT, ArtifactKind.EPOCH_CHECKPOINT)
    query = sa.select(table.c.kind, table.c.part).where(
        table.c.run_id == run_id, table.c.kind.in_(kinds), table.c.epoch == epoch
    )
    with store.reading() as connection:
        row = connection.execute(query).first()
    return None if row is None else (ArtifactKind(row.kind), str(row.part))


def _copied_files(
    store: Store, parent: str, child: str, epoch: int, checkpoint: tuple[ArtifactKind, str]
) -> list[tuple[ArtifactKind, str, int, artifacts.StoredFile]]:
    """Copy the checkpoint and the probabilities by epoch for a branch; nothing where one is gone or damaged."""
    kept = ArtifactKind.EPOCH_PROBABILITIES
    copied: list[tuple[ArtifactKind, str, int, artifacts.StoredFile]] = []
    try:
        content = artifacts.read(store, parent, *checkpoint)
        if artifacts.find(store, parent, *checkpoint) != epoch:
            return []  # the parent trains on, and has replaced it meanwhile
        copied.append(
            (
                ArtifactKind.CHECKPOINT,
                "",
                epoch,
                artifacts.write(store.settings, child, ArtifactKind.CHECKPOINT, content),
            )
        )
        for part in artifacts.parts(store, parent, kept):
            if int(part) <= epoch:
                file = artifacts.write(
                    store.settings, child, kept, artifacts.read(store, parent, kept, part)
                )
                copied.append((kept, part, int(part), file))
    except ArtifactError:
        for *_, file in copied:
            artifacts.discard(store.settings, file.path)
        return []
    return copied


def _progress_until(connection: sa.Connection, run_id: str, epoch: int) -> dict[str, Any]:
    """Make the columns that a run has after an epoch."""
    table = schema.epochs
    rows = connection.execute(
        sa.select(table)
        .where(table.c.run_id == run_id, table.c.epoch <= epoch)
        .order_by(table.c.epoch)
    ).all()
    best = max(rows, key=lambda row: (row.val_accuracy, -row.epoch))
    return {
        "epoch": epoch,
        "step": rows[-1].step,
        "best_epoch": best.epoch,
        "best_val_accuracy": best.val_accuracy,
        "last_val_accuracy": rows[-1].val_accuracy,
        "last_val_loss": rows[-1].val_loss,
        "seconds_training": sum(row.seconds_training for row in rows),
        "seconds_evaluation": sum(row.seconds_evaluation for row in rows),
    }


def _copy_history(connection: sa.Connection, parent: str, child: str, epoch: int) -> None:
    for table in (schema.epochs, schema.epoch_layers, schema.step_chunks):
        columns = [column for column in table.c if column.name != "run_id"]
        rows = sa.select(sa.literal(child), *columns).where(
            table.c.run_id == parent, table.c.epoch <= epoch
        )
        connection.execute(
            table.insert().from_select(["run_id", *(column.name for column in columns)], rows)
        )


def _note(
    store: Store, connection: sa.Connection, run: Run, kind: EventKind, sentence: str
) -> None:
    events.write(connection, run.id, kind, sentence, epoch=run.epoch, person=store.person.email)


def _listed(values: Mapping[str, Any]) -> str:
    """List settings as a sentence has them: ``learning rate 0.001, batch size 64``."""
    return ", ".join(
        f"{name.replace('_', ' ')} {value['kind'] if isinstance(value, Mapping) else value}"
        for name, value in values.items()
    )
