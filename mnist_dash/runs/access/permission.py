"""The one check of who may do what. Every action that writes for a person begins with it."""

from __future__ import annotations

import logging

import sqlalchemy as sa

from mnist_dash.errors import NotAllowed
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.identities import Role
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.schema import now

_LOG = logging.getLogger(__name__)
_DAY_SECONDS = 86_400
AUDIT_DAYS = 365
"""How long a refusal is kept."""
MOST_REFUSALS = 10_000
"""How many are kept, the newest."""


def require(store: Store, deed: str, *, role: Role = Role.EDITOR) -> None:
    """Check that the person a store acts for may do something; a refusal is logged and kept.

    Args:
        store: acts for `store.person`.
        deed: what is to be done, as the end of "may", such as ``stop run 1a2b``.
        role: the least role that may.

    Raises:
        NotAllowed: the person's role does not cover it.
    """
    person = store.person
    if person.role.covers(role):
        return
    name = person.email or "a visitor"
    _LOG.warning("refused: %s (%s) asked to %s", name, person.role, deed)
    with store.writing() as connection:
        row = {
            "at": now(),
            "person": name,
            "role": person.role,
            "deed": deed[:120],
            "allowed": False,
        }
        connection.execute(schema.audit.insert().values(row))
    raise NotAllowed(
        f"Only {_phrase(role)} may {deed}; you are {_phrase(person.role)}. Sign in as one, or ask an admin for the role."
    )


def thin_audit(
    store: Store, *, older_than_days: float = AUDIT_DAYS, most: int = MOST_REFUSALS
) -> int:
    """Forget refusals that are old, too many, or the same again: of one person's tries of one deed, a day's last one stays.

    Of the last day all are kept.

    Returns:
        How many were forgotten.
    """
    audit = schema.audit
    day = sa.cast(sa.func.floor(audit.c.at / _DAY_SECONDS), sa.Integer)
    last = sa.select(sa.func.max(audit.c.id)).group_by(audit.c.person, audit.c.deed, day)
    kept = sa.select(audit.c.id).order_by(audit.c.id.desc()).limit(most)
    repeated = (audit.c.at < now() - _DAY_SECONDS) & audit.c.id.not_in(last)
    with store.writing() as connection:
        old = connection.execute(
            audit.delete().where((audit.c.at < now() - older_than_days * _DAY_SECONDS) | repeated)
        )
        surplus = connection.execute(audit.delete().where(audit.c.id.not_in(kept)))
    return old.rowcount + surplus.rowcount


def _phrase(role: Role) -> str:
    return f"{'a' if role is Role.VIEWER else 'an'} {role}"
