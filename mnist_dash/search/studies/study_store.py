"""The studies' tables: what pages and commands read, and the writes that all changes are made of."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache

import sqlalchemy as sa

from mnist_dash.errors import UnknownStudy
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.run_store import Store, bump_revision
from mnist_dash.runs.store.schema import now
from mnist_dash.search.definition.study_definition import StudyDefinition, trusted
from mnist_dash.search.studies.records import Event, Origin, Study, StudyState, Trial, TrialState
from mnist_dash.text import did_you_mean


def find(store: Store, id_or_name: str) -> Study:
    """Read a study by its id or its name.

    Raises:
        NotAllowed: whoever asks may read other studies only.
        UnknownStudy: there is none.
    """
    table = schema.studies
    with store.reading() as connection:
        query = _query().where((table.c.id == id_or_name) | (table.c.name == id_or_name))
        row = connection.execute(query.order_by(table.c.id == id_or_name)).mappings().first()
    store.check_readable((id_or_name if row is None else str(row["id"]),))
    if row is None:
        with store.reading() as connection:
            names = connection.execute(sa.select(table.c.name)).scalars().all()
        hint = (
            did_you_mean(id_or_name, names)
            or "List studies on the Studies page or with `mnist-dash study list`."
        )
        raise UnknownStudy(f"No study {id_or_name!r}. {hint}")
    return study_from_row(row)


def exists(store: Store, name: str) -> bool:
    """Say whether a study has this name."""
    with store.reading() as connection:
        return (
            connection.execute(
                sa.select(schema.studies.c.id).where(schema.studies.c.name == name)
            ).first()
            is not None
        )


def all_studies(store: Store, *, live: bool = False) -> tuple[Study, ...]:
    """List the studies, newest first; only those that may change by themselves where `live`."""
    query = _query().order_by(schema.studies.c.created_at.desc(), schema.studies.c.id)
    if live:
        query = query.where(
            schema.studies.c.state.in_([state for state in StudyState if state.is_live])
        )
    if store.person.only is not None:
        query = query.where(schema.studies.c.id.in_(store.person.only))
    with store.reading() as connection:
        return tuple(study_from_row(row) for row in connection.execute(query).mappings())


def revision(store: Store, study_id: str) -> int:
    """Read a number that changes whenever the study or one of its trials changes; 0 where it does not exist."""
    with store.reading() as connection:
        return int(
            connection.execute(
                sa.select(schema.studies.c.revision).where(schema.studies.c.id == study_id)
            ).scalar()
            or 0
        )


def trials(
    store: Store,
    study_id: str,
    *,
    after_revision: int = 0,
    states: Iterable[TrialState] | None = None,
) -> tuple[Trial, ...]:
    """List a study's trials by number; those that changed after a revision, or are in some states, where asked."""
    table = schema.trials
    query = (
        sa.select(table)
        .where(table.c.study_id == study_id, table.c.revision > after_revision)
        .order_by(table.c.number)
    )
    if states is not None:
        query = query.where(table.c.state.in_(list(states)))
    with store.reading() as connection:
        return tuple(trial_from_row(row) for row in connection.execute(query))


def counts(store: Store, study_id: str) -> dict[TrialState, int]:
    """Count a study's trials by state; states that none is in are left out."""
    table = schema.trials
    query = (
        sa.select(table.c.state, sa.func.count())
        .where(table.c.study_id == study_id)
        .group_by(table.c.state)
    )
    with store.reading() as connection:
        found = {TrialState(state): int(count) for state, count in connection.execute(query)}
    return {state: found[state] for state in TrialState if state in found}


def tallies(store: Store, ids: Iterable[str]) -> dict[str, dict[TrialState, int]]:
    """Count the trials of several studies by state; a study without trials has an empty tally."""
    wanted, table = list(ids), schema.trials
    query = sa.select(table.c.study_id, table.c.state, sa.func.count()).where(
        table.c.study_id.in_(wanted)
    )
    found: dict[str, dict[TrialState, int]] = {study_id: {} for study_id in wanted}
    with store.reading() as connection:
        for study_id, state, count in connection.execute(
            query.group_by(table.c.study_id, table.c.state)
        ):
            found[study_id][TrialState(state)] = int(count)
    return found


def figures_of_complete(
    store: Store, study_id: str, *, after_revision: int = 0
) -> tuple[tuple[int, tuple[float, ...]], ...]:
    """List number and figures of a study's complete trials, those that became so after a revision."""
    table = schema.trials
    query = sa.select(table.c.number, table.c.figures).where(
        table.c.study_id == study_id,
        table.c.state == TrialState.COMPLETE,
        table.c.revision > after_revision,
        table.c.figures.is_not(None),
    )
    with store.reading() as connection:
        return tuple(
            (int(row.number), tuple(json.loads(row.figures)))
            for row in connection.execute(query.order_by(table.c.number))
        )


def runs_of(
    store: Store, study_id: str, numbers: Iterable[int] | None = None
) -> dict[int, tuple[str, ...]]:
    """Name the runs of trials by their number, in the order of their seeds; of all trials by default."""
    table = schema.trial_runs
    query = (
        sa.select(table.c.number, table.c.run_id)
        .where(table.c.study_id == study_id)
        .order_by(table.c.number, table.c.seed)
    )
    if numbers is not None:
        query = query.where(table.c.number.in_(list(numbers)))
    found: dict[int, tuple[str, ...]] = {}
    with store.reading() as connection:
        for number, run_id in connection.execute(query):
            found[number] = (*found.get(number, ()), run_id)
    return found


def trial_of(store: Store, run_id: str) -> tuple[str, int] | None:
    """Name the study and the trial that a run belongs to; None where it belongs to none."""
    table = schema.trial_runs
    with store.reading() as connection:
        row = connection.execute(
            sa.select(table.c.study_id, table.c.number).where(table.c.run_id == run_id)
        ).first()
    return None if row is None else (str(row.study_id), int(row.number))


def events(store: Store, study_id: str) -> tuple[Event, ...]:
    """List what was done to a study, oldest first."""
    table = schema.study_events
    query = sa.select(table).where(table.c.study_id == study_id).order_by(table.c.id)
    with store.reading() as connection:
        return tuple(
            Event(row.id, row.at, row.sentence, row.former) for row in connection.execute(query)
        )


def add_event(
    connection: sa.Connection, study_id: str, sentence: str, *, former: str | None = None
) -> None:
    """Note what was done, within the caller's transaction."""
    connection.execute(
        schema.study_events.insert().values(
            study_id=study_id, at=now(), sentence=sentence, former=former
        )
    )


def write_study(connection: sa.Connection, study_id: str, **values: object) -> int:
    """Write columns of a study, count up its revision and the store's, and return the study's new revision."""
    table = schema.studies
    connection.execute(
        table.update().where(table.c.id == study_id).values(revision=table.c.revision + 1, **values)
    )
    bump_revision(connection)
    return int(
        connection.execute(sa.select(table.c.revision).where(table.c.id == study_id)).scalar_one()
    )


def write_trial(
    connection: sa.Connection, study_id: str, number: int, *, revision: int, **values: object
) -> None:
    """Write columns of one trial; `revision` is what `write_study` returned in the same transaction."""
    table = schema.trials
    connection.execute(
        table.update()
        .where(table.c.study_id == study_id, table.c.number == number)
        .values(revision=revision, **values)
    )


def study_from_row(row: sa.RowMapping) -> Study:
    """Build the record of a study from its row."""
    fields = {
        name: row[name]
        for name in Study.__dataclass_fields__
        if name not in ("definition", "state", "is_advanced")
    }
    state, definition = StudyState(row["state"]), _definition(row["definition"])
    return Study(**fields, state=state, definition=definition, is_advanced=bool(row["is_advanced"]))


def trial_from_row(row: sa.Row[tuple[object, ...]]) -> Trial:
    """Build the record of a trial from its row."""
    figures = None if row.figures is None else tuple(json.loads(row.figures))
    return Trial(
        number=row.number,
        state=TrialState(row.state),
        origin=Origin(row.origin),
        parameters=json.loads(row.parameters),
        figures=figures,
        deviation=row.deviation,
        curve=tuple(json.loads(row.curve)),
        attributes=json.loads(row.attributes),
        reason=row.reason,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        told_order=row.told_order,
    )


def _query() -> sa.Select[tuple[object, ...]]:
    table = schema.studies
    return sa.select(
        table, sa.func.coalesce(table.c.held_until > now(), False).label("is_advanced")
    )


@lru_cache(maxsize=256)
def _definition(text: str) -> StudyDefinition:
    """Read a stored definition once a process for each of its editions."""
    return trusted(text)
