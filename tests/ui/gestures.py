"""What a person does that AppTest has no word for, sent to the page as a browser sends it: rows ticked, cells and pictures clicked."""

from __future__ import annotations

import json

from streamlit.components.v2.bidi_component.main import _make_trigger_id
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Dataframe


def tick_rows(app: AppTest, *rows: int, table: Dataframe | None = None) -> AppTest:
    """Tick exactly these rows of a table, the first one unless another is given."""
    selection = {"selection": {"rows": list(rows), "columns": [], "cells": []}}
    return _send(
        app,
        WidgetState(id=(table or app.dataframe[0]).proto.id, string_value=json.dumps(selection)),
    )


def click_cell(app: AppTest, column: str, row: int) -> AppTest:
    """Click the button in a cell of the first table."""
    table = app.dataframe[0]
    state = WidgetState(id=table.proto.button_click_widgets[column])
    state.string_trigger_value.data = json.dumps(
        {"row": row, "label": str(table.value[column].iloc[row])}
    )
    return _send(app, state)


def touch(app: AppTest, key: str, event: str, value: object) -> AppTest:
    """Do something to a chart or a grid of pictures.

    Args:
        app: shows it.
        key: its own.
        event: what is done, such as ``clicked``, ``brushed`` or ``placed``.
        value: what its JavaScript reports then.
    """
    (part,) = [each for each in app.get("bidi_component") if each.proto.id.endswith(f"-{key}")]
    state = WidgetState(
        id=_make_trigger_id(part.proto.id, "events"),
        json_trigger_value=json.dumps([{"event": event, "value": value}]),
    )
    return _send(app, state)


def _send(app: AppTest, state: WidgetState) -> AppTest:
    """Run the page with one widget changed and all others as they are."""
    states = app._tree.get_widget_states()
    states.widgets.append(state)
    return app._run(states)
