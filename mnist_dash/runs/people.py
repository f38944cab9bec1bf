"""Who acts on a store, and what each role may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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


OWNER = Person(Role.ADMIN)
"""The person at the machine itself: the command line, and the dashboard on a loopback address."""
