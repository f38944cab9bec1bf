"""Where something stands in a draft, and what is wrong there; what drafts of runs and of studies have in common. No Streamlit in here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, Self

from mnist_dash.core.config import nested
from mnist_dash.errors import Problem

Tree = dict[str, Any]
Place = str | tuple[str, ...]
"""A dotted path, such as ``layers.2.units``, or its parts where one of them has dots: ``("parameters", "optimizer.momentum", "low")``."""


def parts_of(place: Place) -> tuple[str, ...]:
    """Take a place apart."""
    return tuple(place.split(".")) if isinstance(place, str) else place


def path_of(place: Place) -> str:
    """Write a place as problems name it."""
    return place if isinstance(place, str) else ".".join(place)


def value_at(tree: Tree, place: Place) -> Any:  # noqa: ANN401 - JSON
    """Read what stands at a place of a tree; None where the place does not exist."""
    return nested.get(tree, parts_of(place))


def put_at(tree: Tree, place: Place, value: Any) -> bool:  # noqa: ANN401 - JSON
    """Put a value in its place of a tree; says whether there is such a place."""
    return nested.put(tree, parts_of(place), value)


class AnyDraft(Protocol):
    """What a form needs of a draft: it is immutable, and every change gives a new one."""

    @property
    def generation(self) -> int:
        """Another number for every draft that was not made by changing one."""

    def value(self, place: Place) -> Any:  # noqa: ANN401 - JSON
        """Read what stands at a place; None where the place does not exist."""

    def changed(self, place: Place, value: Any) -> Self:  # noqa: ANN401 - JSON
        """Put a value in its place."""


@dataclass(frozen=True)
class CheckedDraft:
    """What is wrong with a draft."""

    problems: tuple[Problem, ...]

    def at(self, place: Place) -> tuple[Problem, ...]:
        """Find the problems of one place alone."""
        path = path_of(place)
        return tuple(problem for problem in self.problems if problem.path == path)

    def under(self, place: Place) -> tuple[Problem, ...]:
        """Find the problems of a place and of all within it."""
        path = path_of(place)
        return tuple(
            problem
            for problem in self.problems
            if problem.path == path or problem.path.startswith(f"{path}.")
        )
