"""Who acts on a store, and what each role may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mnist_dash.settings import Access


class Role(StrEnum):
    """What a person may do; each role may do what those before it may."""

    VIEWER = "viewer"
    """Look at everything, change nothing."""
    EDITOR = "editor"
    """Submit, steer, annotate and delete runs and studies, share them."""
    ADMIN = "admin"
    """Everything, other people's links and the installation included."""

    def covers(self, other: Role) -> bool:
        """Say whether this role may do what the other may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True)
class Person:
    """Somebody who acts: on a page, or from a terminal."""

    role: Role
    email: str | None = None
    """As the sign-in gives it; None for the owner of the machine and for visitors without a name."""
    only: frozenset[str] | None = None
    """Ids of the runs and studies that may be read, where a share link has let somebody in; None for all."""


OWNER = Person(Role.ADMIN)
"""The person at the machine itself: the command line, and the dashboard on a loopback address."""


def role_of(access: Access, email: str | None) -> Role | None:
    """Say which role a verified e-mail has: the highest of those that name it or its domain; None for nobody.

    Args:
        access: who has which role.
        email: as the sign-in has verified it; None for visitors.
    """
    for role, who in (
        (Role.ADMIN, access.admins),
        (Role.EDITOR, access.editors),
        (Role.VIEWER, access.viewers),
    ):
        if email is not None and _names(who, email):
            return Role.VIEWER if access.read_only else role
    return Role.VIEWER if access.visitors_look else None


def _names(who: tuple[str, ...], email: str) -> bool:
    address = email.strip().lower()
    return "@" in address and (address in who or f"@{address.rpartition('@')[2]}" in who)
