"""How much one person may have at a time. Admins, and whoever sits at the machine itself, have no limit."""

from __future__ import annotations

import sqlalchemy as sa

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.errors import QuotaExceeded
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.identities import Role, role_of
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.settings import Settings
from mnist_dash.text import plural, verb


def check_run(connection: sa.Connection, store: Store, config: RunConfig) -> None:
    """Check that the person a store acts for may have one more run.

    Args:
        connection: the writing transaction in which the run is accepted, so that two at once cannot both be the last.
        store: acts for `store.person`.
        config: what would be trained.

    Raises:
        QuotaExceeded: it would be more than one person may have.
    """
    owner, quotas = store.person.email, store.settings.quotas
    if not is_limited(store):
        return
    check_work(store.settings, config)
    for state, most, remedy in (
        (RunState.QUEUED, quotas.queued, "Wait until one begins, or stop one"),
        (RunState.RUNNING, quotas.running, "Wait until one ends, or stop one"),
    ):
        if most is not None:
            runs = schema.runs
            query = sa.select(sa.func.count()).where(runs.c.owner == owner, runs.c.state == state)
            count = int(connection.execute(query).scalar_one())
            if count >= most:
                raise QuotaExceeded(
                    f"{plural(count, 'run')} of yours {verb(count, 'are')} {state}, as many as one person may have ({most:,}). {remedy}."
                )


def check_work(settings: Settings, config: RunConfig) -> None:
    """Check a run's epochs times parameters.

    Raises:
        QuotaExceeded: they are more than a run may have.
    """
    work, most = config.epochs * config.n_parameters, settings.quotas.work
    if most is not None and work > most:
        raise QuotaExceeded(
            f"Epochs times parameters are too many: {config.epochs:,} x {config.n_parameters:,} = {work:,} (at most {most:,}). "
            "Train fewer epochs or a smaller network."
        )


def is_limited(store: Store) -> bool:
    """Say whether limits hold for the person a store acts for: all but admins and those at the machine itself."""
    return not store.person.role.covers(Role.ADMIN)


def limits_owner(settings: Settings, owner: str | None) -> bool:
    """Say whether limits hold for what somebody owns, whoever acts; the study runner asks for a study's trials."""
    return owner is not None and role_of(settings.access, owner) is not Role.ADMIN
