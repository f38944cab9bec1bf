"""The columns of the Runs page: any metric, note or setting of a run, and some that say several at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ButtonColumnResult, ColumnConfig

from mnist_dash import formatting
from mnist_dash.core.config.naming import network_name, optimizer_name
from mnist_dash.runs.query import catalog
from mnist_dash.runs.query.catalog import Listed
from mnist_dash.runs.query.fields import Field, FieldKind, columns
from mnist_dash.runs.store.hosts import blocked
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.states import RunState
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.components.run_look import STATE_LOOK
from mnist_dash.ui.components.tables import without_empty

FIRST_ORDER = "created"
"""By what the list is sorted without a choice."""
COLUMNS_KEY, DIFFERING_KEY = "cols", "differ"
"""Their names in the address."""
Looks = Mapping[str, ColumnConfig | ButtonColumnResult | str | None]
FIRST = (
    "run",
    "name",
    "state",
    "test_accuracy",
    "best_val_accuracy",
    "last_val_accuracy",
    "curve",
    "progress",
    "time",
    "starred",
    "created",
    "batch_size",
    "tag",
    "notes",
    "remarks",
    "network",
    "rule",
)
"""The columns without a choice, the metrics before what the name says already; the first one is always there."""
N_NAMING = 3
"""The first columns, which say which run it is; what the list is sorted by follows them."""


def _remarks(run: Run) -> list[str]:
    remarks = [
        run.preset or "",
        "leak: validates on the test set" if run.config.leaks_test_set else "",
        run.reason,
    ]
    return [remark for remark in remarks if remark]


def _state(run: Run) -> list[str]:
    return ["stopping" if run.stop_requested else str(run.state)]


_JOINT: dict[str, tuple[str, Callable[[Run], object]]] = {
    "name": ("Name", lambda run: run.title),
    "state": ("State", _state),
    "network": ("Network", lambda run: network_name(run.config)),
    "rule": ("Optimizer", lambda run: optimizer_name(run.config)),
    "progress": ("Epochs", lambda run: f"{run.epoch} of {run.config.epochs}"),
    "time": (
        "Time",
        lambda run: (
            formatting.duration(run.seconds_training + run.seconds_evaluation)
            if run.started_at
            else formatting.NOTHING
        ),
    ),
    "remarks": ("Comments", lambda run: "; ".join(_remarks(run))),
}
"""Columns that say several things at once, written for people."""
_HEADINGS = {
    "batch_size": "Batch",
    "starred": "★",
    "optimizer.kind": "Optimizer kind",
    "epochs": "Epochs planned",
    "curve": "Curve",
}


@cache
def titles() -> Mapping[str, str]:
    """Give the heading of every column by its name, each heading once."""
    found = {field.name: _HEADINGS.get(field.name, field.title) for field in columns()}
    found |= {"curve": "Curve"} | {name: title for name, (title, _) in _JOINT.items()}
    ordered = [*FIRST, *(name for name in found if name not in FIRST)]
    return {name: found[name] for name in ordered}


def column_choice(sorted_by: str) -> tuple[tuple[str, ...], bool]:
    """Let a person choose the columns.

    Args:
        sorted_by: the field by which the runs are sorted; where nobody has chosen columns, it is one of the first.

    Returns:
        Their names, and whether to show only what differs.
    """
    with st.popover("Columns", icon=":material/view_column:"):
        chosen = st.multiselect(
            "Columns",
            list(titles()),
            default=list(FIRST),
            format_func=lambda name: titles()[name],
            key=COLUMNS_KEY,
            bind="query-params",
        )
        differing = st.toggle(
            "Only differing columns",
            key=DIFFERING_KEY,
            bind="query-params",
            help="Hides the columns in which all listed runs agree, and shows every setting in which they differ.",
        )
    wanted = tuple(chosen) or FIRST
    if wanted == FIRST and sorted_by != FIRST_ORDER and sorted_by in titles():
        wanted = (*FIRST[:N_NAMING], sorted_by, *FIRST[N_NAMING:])
    names = tuple(dict.fromkeys(name for name in (FIRST[0], *wanted) if name in titles()))
    return names, bool(differing)


def frame(
    entries: Sequence[Listed], names: Sequence[str], *, differing: bool
) -> tuple[pd.DataFrame, Looks]:
    """Build the table of some runs.

    Args:
        entries: one row each.
        names: of the columns, each of `titles`.
        differing: leave out the columns in which all rows agree, and add the settings in which they do not.

    Returns:
        The table with headings, and how its columns are drawn.
    """
    fields = {field.name: field for field in columns()}
    ids = [each.run.id for each in entries]
    settings = [name for name, field in fields.items() if field.is_setting] if differing else []
    wanted = [*names, *(name for name in settings if name not in names)]
    plain = [fields[name] for name in wanted if name in fields and name not in _JOINT]
    found = catalog.values(store(), ids, plain)
    cells: dict[str, list[Any]] = {}
    for name in wanted:
        if name == "curve":
            lines = store().sparklines(ids)
            cells[name] = [lines[run_id] or None for run_id in ids]
        elif name == "remarks":
            waits = (
                blocked(store())
                if any(each.run.state is RunState.QUEUED for each in entries)
                else {}
            )
            cells[name] = [
                "; ".join([*_remarks(each.run), *filter(None, [waits.get(each.run.id)])])
                for each in entries
            ]
        elif name in _JOINT:
            cells[name] = [_JOINT[name][1](each.run) for each in entries]
        else:
            place = [field.name for field in plain].index(name)
            cells[name] = [found[run_id][place] if run_id in found else None for run_id in ids]
    if differing and len(entries) > 1:
        cells = {
            name: column
            for name, column in cells.items()
            if name == FIRST[0] or len(set(map(repr, column))) > 1
        }
    table = pd.DataFrame(
        {titles()[name]: _column(fields.get(name), name, column) for name, column in cells.items()}
    )
    if set(FIRST) <= set(names):  # what a person has chosen stays, empty or not
        table = without_empty(table, keep=[titles()[FIRST[0]]])
    looks = {titles()[name]: _look(fields.get(name), name) for name in cells}
    # None would hide the column.
    return table, {
        title: look for title, look in looks.items() if look is not None and title in table
    }


def _column(field: Field | None, name: str, cells: list[Any]) -> pd.Series[Any]:
    if field is None or name in _JOINT:
        return pd.Series(cells, dtype=object)
    if name == "starred":
        return pd.Series(["★" if cell else "" for cell in cells], dtype=object)
    match field.kind:
        case FieldKind.NUMBER if field.is_whole:
            return pd.Series([None if cell is None else int(cell) for cell in cells], dtype="Int64")
        case FieldKind.NUMBER:
            return pd.Series(
                [
                    None if cell is None else (100 if field.is_share else 1) * float(cell)
                    for cell in cells
                ],
                dtype="Float64",
            )
        case FieldKind.MOMENT:
            return pd.Series(
                [None if cell is None else datetime.fromtimestamp(cell, tz=UTC) for cell in cells],
                dtype="datetime64[ns, UTC]",
            )
        case FieldKind.NAMES:
            return pd.Series([list(cell) for cell in cells], dtype=object)
        case FieldKind.PART:
            return pd.Series(["none" if cell is None else "yes" for cell in cells], dtype=object)
    return pd.Series(cells, dtype=object)


def _look(field: Field | None, name: str) -> ColumnConfig | None:
    kind = st.column_config
    if name == "state":
        looks = {str(state): color for state, (_, color) in STATE_LOOK.items()} | {
            "stopping": "orange"
        }
        return kind.MultiselectColumn(options=list(looks), color=list(looks.values()))
    if name == "curve":
        return kind.LineChartColumn(width="small", help="Validation accuracy by epoch.")
    if name == "name":
        return kind.TextColumn(
            width="medium",
            help="The name of the run; one that nobody has renamed has its network, its optimizer and its number.",
        )
    if field is None or name in _JOINT:
        return None
    about = f"{field.about[:1].upper()}{field.about[1:]}." if field.about else None
    if name == "starred":
        return kind.TextColumn(width=40, help=about)
    match field.kind:
        case FieldKind.NUMBER if field.is_share:
            return kind.NumberColumn(format="%.2f %%", help=about)
        case FieldKind.NUMBER:
            return kind.NumberColumn(format="localized" if field.is_whole else "%.3g", help=about)
        case FieldKind.MOMENT:
            return kind.DatetimeColumn(format="distance", help=about)
        case FieldKind.TRUTH:
            return kind.CheckboxColumn(help=about)
        case FieldKind.NAMES:
            return kind.ListColumn(help=about)
    return kind.TextColumn(help=about)
