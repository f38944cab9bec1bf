"""Nested settings as JSON trees: reading, writing and listing them by dotted paths such as ``layers.1.units``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Tree = dict[str, Any]


class Twice(ValueError):
    """A key is written twice in one object, so that one of its values would be lost."""


def read_json(text: str) -> Any:  # noqa: ANN401 - JSON
    """Read JSON whose objects have each key once.

    Raises:
        ValueError: it is no JSON, or nested too deep.
        Twice: a key is written twice.
    """
    try:
        return json.loads(text, object_pairs_hook=_once)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def get(tree: object, path: str | Sequence[str]) -> Any:  # noqa: ANN401 - JSON
    """Read what stands at a path, or at its parts where one of them has dots; None where it leads nowhere."""
    node = tree
    for part in path.split(".") if isinstance(path, str) else path:
        node = _child(node, part)
    return node


def put(tree: Tree, path: str | Sequence[str], value: Any, *, creates: bool = False) -> bool:  # noqa: ANN401 - JSON
    """Set a value in place.

    Args:
        tree: the whole.
        path: where, or its parts where one of them has dots; the first part must be there, and items of lists too.
        value: what to set.
        creates: whether a part that is none becomes an empty one that the path goes on into.

    Returns:
        Whether the path led anywhere.
    """
    *parents, leaf = path.split(".") if isinstance(path, str) else path
    node: Any = tree
    for part in parents:
        if creates and isinstance(node, dict) and part in node and node[part] is None:
            node[part] = {}
        node = _child(node, part)
    if isinstance(node, list):
        if _child(node, leaf) is None:
            return False
        node[int(leaf)] = value
        return True
    if not isinstance(node, dict) or (node is tree and leaf not in tree):
        return False
    node[leaf] = value
    return True


def leaves(
    node: object,
    path: str = "",
    *,
    lists: bool = True,
    keep: Callable[[str], bool] = lambda _: True,
) -> Iterator[tuple[str, Any]]:
    """List the single values of a tree with their paths, in order.

    Args:
        node: the tree, or a part of it.
        path: of the part.
        lists: whether the items of lists are listed one by one; else a list is a value.
        keep: chooses paths; what lies below one that is not kept is left out.
    """
    items: Iterator[tuple[Any, Any]] | None = None
    if isinstance(node, Mapping):
        items = iter(node.items())
    elif lists and isinstance(node, list):
        items = iter(enumerate(node))
    if items is None:
        yield path, node
        return
    for name, inner in items:
        whole = f"{path}.{name}" if path else str(name)
        if keep(whole):
            yield from leaves(inner, whole, lists=lists, keep=keep)


def flatten(tree: object, *, lists: bool = True) -> dict[str, Any]:
    """Give the single values of a tree by their paths; see `leaves`."""
    return dict(leaves(tree, lists=lists))


def _child(node: object, part: str) -> Any:  # noqa: ANN401 - JSON
    if isinstance(node, list):
        return (
            node[int(part)] if part.isascii() and part.isdigit() and int(part) < len(node) else None
        )
    return node.get(part) if isinstance(node, dict) else None


def _once(pairs: list[tuple[str, Any]]) -> Tree:
    found: Tree = {}
    for key, value in pairs:
        if key in found:
            raise Twice(f"the key {key!r} is written twice")
        found[key] = value
    return found
