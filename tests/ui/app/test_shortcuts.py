"""Keyboard shortcuts: one table, from which the bindings, the sheet and the buttons' own are made; and what the palette finds."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from typing import Any

from streamlit.testing.v1 import AppTest

from mnist_dash.core.config.presets import PRESETS
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.ui.app import palette, shortcuts
from tests.source_tree import sources

TITLES = list(shortcuts.PAGE_KEYS)


def test_every_key_is_in_the_table_once() -> None:
    """No two shortcuts share a key, and Streamlit's reserved letters begin nothing of ours."""
    rows = [row for _, part in shortcuts.sheet(TITLES) for row in part]
    keys = [key for row in rows for key in row.keys]
    assert len(keys) == len(set(keys))
    bound = [key for row in rows if row.action for key in row.keys]
    assert {"Ctrl+K", "/", "?", "g t", "g r"} <= set(bound)
    assert not {"r", "c", "R", "C"} & set(bound)


def test_shortcuts_of_buttons_stand_in_the_table() -> None:
    """A button takes its shortcut from the table, by name."""
    used = [
        ast.unparse(keyword.value)
        for source in sources()
        if source.layer == "ui"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "shortcut"
    ]
    assert used
    assert set(used) <= {
        name for name, value in vars(shortcuts).items() if isinstance(value, str) and name.isupper()
    }
    assert any(shortcuts.SUBMIT in row.keys for row in shortcuts.ANYWHERE)


def test_palette_is_on_every_page(open_page: Callable[..., AppTest], store: Store) -> None:
    """With its places and its sheet; pages that need to be told what to show are no places."""
    for name in ("train", "runs", "run", "studies", "study", "published", "data", "draw", "system"):
        drawn: list[Any] = [
            each
            for each in open_page(name).get("bidi_component")
            if each.proto.component_name == "mnist_dash_palette"
        ]
        (element,) = drawn
        data = json.loads(element.proto.json)
        assert data["found"] is None
        assert next(row["does"] for part in data["sheet"] for row in part["rows"]).startswith(
            "Search"
        )
    menu = [place["name"] for place in data["places"] if place["kind"] == "page"]
    assert [
        row["page"] for part in data["sheet"] for row in part["rows"] if row["page"]
    ] == menu  # each has a letter
    names = {(place["kind"], place["name"]) for place in data["places"]}
    assert {
        ("page", "Train"),
        ("page", "System"),
        *(("network", name) for name in PRESETS),
    } <= names
    assert not {("page", "Run"), ("page", "Study")} & names


def test_a_run_is_described_by_what_it_is(
    store: Store, train: Callable[..., Run], open_page: Callable[..., AppTest]
) -> None:
    """Its network, optimizer, state and figure, of the test set once it has one."""
    run = train()
    open_page("train")
    (place,) = palette.search(run.id[:5])
    assert (place.kind, place.name, place.title) == ("run", run.id, f"{run.title} ({run.id})")
    assert place.note.startswith("dense 512 – dense 256, Adam 0.001, finished, 98.00 % test, ")
