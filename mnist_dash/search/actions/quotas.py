"""How much of studies one person may have: trials still to do, runs at a time, epochs times parameters."""

from __future__ import annotations

import sqlalchemy as sa

from mnist_dash.errors import QuotaExceeded
from mnist_dash.runs.access import quotas
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.run_store import Store
from mnist_dash.search.definition.study_definition import StudyDefinition, trusted
from mnist_dash.search.studies.records import Study, StudyState
from mnist_dash.text import plural, verb


def check_study(
    connection: sa.Connection,
    store: Store,
    definition: StudyDefinition,
    *,
    study: Study | None = None,
) -> None:
    """Check that the person a store acts for may have a study, or may change one to this.

    The network that the study varies is checked here; a trial that is larger than a run may be fails when it begins.

    Args:
        connection: the writing transaction in which the study is accepted.
        store: acts for `store.person`.
        definition: as it will be.
        study: what it was, if it exists.

    Raises:
        QuotaExceeded: it is more than one person may have.
    """
    most = store.settings.quotas
    if not quotas.is_limited(store):
        return
    quotas.check_work(store.settings, definition.space.base)
    at_once = definition.parallelism * definition.seeds
    if most.running is not None and at_once > most.running:
        seeds = f" of {definition.seeds} seeds each" if definition.seeds > 1 else ""
        raise QuotaExceeded(
            f"{plural(definition.parallelism, 'trial')} at a time"
            f"{seeds} are more runs in training than one "
            f"person may have ({most.running:,}). Have fewer trials at a time."
        )
    if most.trials is None:
        return
    planned = definition.n_planned
    if planned is None:
        raise QuotaExceeded(
            f"A study without an end is more than one person may have to do ({plural(most.trials, 'trial')}). Give it a number of trials."
        )
    left = max(0, planned - (0 if study is None else _n_ended(connection, study.id)))
    others = _left_of_others(
        connection, store.person.email, except_id=None if study is None else study.id
    )
    if left + others > most.trials:
        elsewhere = f" beside the {others:,} of your other studies" if others else ""
        raise QuotaExceeded(
            f"{plural(left, 'trial')}{elsewhere} {verb(left, 'are')} more than one person may have to do ({most.trials:,}). "
            "Ask for fewer, or stop another study."
        )


def _n_ended(connection: sa.Connection, study_id: str) -> int:
    table = schema.trials
    query = sa.select(sa.func.count()).where(
        table.c.study_id == study_id, table.c.ended_at.is_not(None)
    )
    return int(connection.execute(query).scalar_one())


def _left_of_others(connection: sa.Connection, owner: str | None, *, except_id: str | None) -> int:
    """Count what a person's other studies still have to do."""
    table, left = schema.studies, 0
    live = [
        state for state in StudyState if not state.has_ended and state is not StudyState.STOPPING
    ]
    query = sa.select(table.c.id, table.c.definition).where(
        table.c.owner == owner, table.c.state.in_(live)
    )
    for row in connection.execute(query).all():
        planned = trusted(row.definition).n_planned
        if row.id != except_id and planned is not None:
            left += max(0, planned - _n_ended(connection, row.id))
    return left
