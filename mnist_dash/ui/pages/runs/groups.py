"""Groups of runs that agree in some settings: how many, and mean and deviation of their metrics; a click lists a group's runs."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ButtonColumnResult, ColumnConfig

from mnist_dash import formatting
from mnist_dash.runs.query import catalog
from mnist_dash.runs.query.catalog import MAX_GROUPS, Group, Scope
from mnist_dash.runs.query.fields import Field, FieldKind, columns
from mnist_dash.text import plural
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.pages.runs.filter import field_titles, narrow

BY_KEY, FIGURES_KEY = "grouped", "figures"
"""Their names in the address."""
AS_KEY = "as"
_SHOWN_KEY = "runs_groups_shown"
_CLICK_KEY = "runs_group_open"
BY_FIRST = ("optimizer.kind",)
FIGURES_FIRST = ("best_val_accuracy", "last_val_accuracy", "test_accuracy", "seconds")
_FIGURES = (
    *FIGURES_FIRST,
    "last_val_loss",
    "test_loss",
    "best_epoch",
    "epoch",
    "seconds_training",
    "seconds_evaluation",
    "seconds_per_image_test",
)
_UNGROUPED = {*_FIGURES, "run", "notes", "reason", "worker", "step", "n_steps", "parent_epoch"}


def groups_section(scope: Scope) -> None:
    """Draw the groups of the runs of a scope."""
    by, figures = _choices()
    if not by:
        st.caption("Choose at least one field to group by.")
        return
    found = catalog.groups(store(), scope, by, figures)
    st.session_state[_SHOWN_KEY] = (tuple(by), tuple(group.key for group in found))
    if not found:
        st.caption("No run matches the query.")
        return
    st.caption(
        f"{plural(len(found), 'group')} of {plural(sum(group.n for group in found), 'run')}, "
        "sorted by the mean of the first metric. ± is the standard deviation of the sample. "
        "Where some runs lack a metric, the next column says how many have it."
        + (f" Only {plural(MAX_GROUPS, 'group')} are shown." if len(found) == MAX_GROUPS else "")
    )
    table, looks = _frame(found, by, figures)
    st.dataframe(
        table,
        key="runs_groups",
        hide_index=True,
        height="content" if len(found) <= 15 else 600,
        row_height=40,
        column_config=looks,
        placeholder=formatting.NOTHING,
        alt="Groups of runs with their number, and mean and standard deviation of metrics",
    )


def _choices() -> tuple[list[Field], list[Field]]:
    fields = {field.name: field for field in columns()}
    keys = [
        name
        for name, field in fields.items()
        if name not in _UNGROUPED and field.kind is not FieldKind.MOMENT
    ]
    with st.container(horizontal=True, gap="medium"):
        by = st.multiselect(
            "Group by",
            keys,
            default=list(BY_FIRST),
            format_func=lambda name: field_titles()[name],
            key=BY_KEY,
            bind="query-params",
            max_selections=4,
        )
        of = st.multiselect(
            "Metrics",
            _FIGURES,
            default=list(FIGURES_FIRST),
            format_func=lambda name: field_titles()[name],
            key=FIGURES_KEY,
            bind="query-params",
        )
    return [fields[name] for name in by if name in keys], [
        fields[name] for name in of if name in _FIGURES
    ]


def _frame(
    found: tuple[Group, ...], by: list[Field], figures: list[Field]
) -> tuple[pd.DataFrame, dict[str, Any]]:
    column = st.column_config
    looks: dict[str, ColumnConfig | ButtonColumnResult] = {
        "Runs": column.ButtonColumn(
            pinned=True,
            type="tertiary",
            on_click=_open,
            key=_CLICK_KEY,
            help="Lists the runs of this group.",
        )
    }
    cells: dict[str, Any] = {"Runs": [plural(group.n, "run") for group in found]}
    for place, field in enumerate(by):
        cells[field.title] = [_shown(group.key[place]) for group in found]
    for place, field in enumerate(figures):
        factor = 100 if field.is_share else 1
        form = "%.2f %%" if field.is_share else "%.3g"
        spreads = [group.spreads[place] for group in found]
        mean, deviation, number = field.title, f"{field.title} ±", f"{field.title} of"
        cells[mean] = pd.Series(
            [None if each.mean is None else factor * each.mean for each in spreads], dtype="Float64"
        )
        cells[deviation] = pd.Series(
            [None if each.deviation is None else factor * each.deviation for each in spreads],
            dtype="Float64",
        )
        looks[mean] = column.NumberColumn(
            format=form, help=f"Mean over the group's runs: {field.about}."
        )
        looks[deviation] = column.NumberColumn(
            "±",
            format=form,
            help=f"Standard deviation of {field.title.lower()} over the group's runs.",
        )
        if any(each.n < group.n for each, group in zip(spreads, found, strict=True)):
            cells[number] = [each.n for each in spreads]
            looks[number] = column.NumberColumn(
                "of",
                format="localized",
                help=f"The number of runs that have {field.title.lower()}.",
            )
    return pd.DataFrame(cells), looks


def _shown(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case float():
            return formatting.number(value)
    return str(value)


def _open() -> None:
    """Narrow the query to the group that was clicked, and show the list."""
    click = st.session_state.get(_CLICK_KEY)
    by, shown = st.session_state.get(_SHOWN_KEY, ((), ()))
    if not click or click["row"] >= len(shown):
        return
    for field, value in zip(by, shown[click["row"]], strict=True):
        narrow(field, [value])
    st.session_state[AS_KEY] = "table"
