"""The one check of who may do what. Every action that writes for a person begins with it."""

from __future__ import annotations

import logging

from mnist_dash.errors import NotAllowed
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.identities import Role
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.schema import now

_LOG = logging.getLogger(__name__)


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
        row = {"at": now(), "person": name, "role": person.role, "deed": deed[:120], "allowed": False}
        connection.execute(schema.audit.insert().values(row))
    raise NotAllowed(f"Only {_phrase(role)} may {deed}; you are {_phrase(person.role)}. Sign in as one, or ask an admin for the role.")


def _phrase(role: Role) -> str:
    return f"{'a' if role is Role.VIEWER else 'an'} {role}"
