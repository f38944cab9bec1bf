"""Nested settings by dotted paths."""

from __future__ import annotations

import pytest

from mnist_dash.core.config import nested

TREE = {"epochs": 5, "stopping": None, "layers": [{"units": 8}, {"units": 10}]}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("epochs", 5),
        ("layers.1.units", 10),
        ("layers.2.units", None),
        ("layers.x", None),
        ("epochs.more", None),
        ("", None),
    ],
)
def test_values_are_read_by_path(path: str, value: object) -> None:
    """What is not there is None, whatever the path."""
    assert nested.get(TREE, path) == value


@pytest.mark.parametrize(
    ("path", "creates", "changed"),
    [
        ("epochs", False, {"epochs": 1}),
        ("layers.0.units", False, {"layers": [{"units": 1}, {"units": 10}]}),
        ("layers.0", False, {"layers": [1, {"units": 10}]}),
        ("stopping.patience", True, {"stopping": {"patience": 1}}),
        ("stopping.patience", False, None),
        ("new", False, None),
        ("layers.2", False, None),
        ("epochs.more", True, None),
    ],
)
def test_values_are_set_by_path(
    path: str, *, creates: bool, changed: dict[str, object] | None
) -> None:
    """A path that leads nowhere changes nothing."""
    tree = nested.read_json(
        '{"epochs": 5, "stopping": null, "layers": [{"units": 8}, {"units": 10}]}'
    )
    assert nested.put(tree, path, 1, creates=creates) == (changed is not None)
    assert tree == {**TREE, **(changed or {})}


def test_leaves_are_listed_in_order() -> None:
    """Items of lists by their index, or lists as values; what is not kept is left out with all below it."""
    assert nested.flatten(TREE) == {
        "epochs": 5,
        "stopping": None,
        "layers.0.units": 8,
        "layers.1.units": 10,
    }
    assert nested.flatten(TREE, lists=False) == TREE
    assert dict(nested.leaves(TREE, keep=lambda path: path != "layers.0")) == {
        "epochs": 5,
        "stopping": None,
        "layers.1.units": 10,
    }


def test_a_key_stands_once() -> None:
    """JSON with a key twice is refused, at any depth."""
    with pytest.raises(nested.Twice, match="'a' is written twice"):
        nested.read_json('{"b": [{"a": 1, "a": 2}]}')
    with pytest.raises(ValueError, match="nested too deep"):
        nested.read_json("[" * 100_000)
