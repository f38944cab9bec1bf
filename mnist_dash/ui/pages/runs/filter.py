"""Which runs the Runs page lists, and in which order: a query, choices that write it, the column to sort by; all in the address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import streamlit as st

from mnist_dash import formatting
from mnist_dash.errors import InvalidQuery
from mnist_dash.runs.query import catalog
from mnist_dash.runs.query.catalog import Order, Scope
from mnist_dash.runs.query.fields import Field, columns, find
from mnist_dash.runs.query.language import Query, chosen_values, parse, with_values
from mnist_dash.runs.store.states import RunState
from mnist_dash.ui.app.resources import store

QUERY_KEY, SHOW_KEY, SORT_KEY, UP_KEY = "q", "show", "sort", "up"
"""Their names in the address."""
SHOWN: dict[str, Scope] = {
    "all": Scope(),
    "live": Scope(states=(RunState.QUEUED, RunState.RUNNING, RunState.PAUSED)),
    "finished": Scope(states=(RunState.FINISHED,)),
    "ended early": Scope(
        states=(RunState.STOPPED, RunState.PRUNED, RunState.DIVERGED, RunState.FAILED)
    ),
    "archived": Scope(archived=True),
    "deleted": Scope(deleted=True),
}
NEWEST = "created"
_CHOICES = ("state", "optimizer", "preset", "tag", "study")
"""The fields that are filtered by clicking."""
_HELP = """Compare any metric or setting: `==` `!=` `<` `<=` `>` `>=`, `in (…)`, `contains` or `~` for text; join by `and`, `or`, `not` and
parentheses. A missing value is `none`, `98%` is 0.98. Times without a zone are UTC.

- `optimizer == "adam" and test_accuracy > 98%`
- `tag in ("demo", "baseline") and not starred`
- `learning_rate <= 0.001 and split.fraction != none`
- `created > "7 days ago" and name ~ "wide"`"""


@cache
def field_titles() -> Mapping[str, str]:
    """Give what each field is called where one is chosen."""
    return {field.name: field.title for field in columns()}


def show_choice(on_change: Callable[[], None]) -> str:
    """Let a person choose between the list, the live ones, the archive, the bin and so on."""
    return str(
        st.segmented_control(
            "Show",
            list(SHOWN),
            default="all",
            required=True,
            key=SHOW_KEY,
            bind="query-params",
            on_change=on_change,
            label_visibility="collapsed",
        )
    )


def query_box(on_change: Callable[[], None]) -> Query | None:
    """Draw the query and the choices that write it; what is wrong with it stands below.

    Returns:
        The query, or None where it cannot be read.
    """
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        text = str(
            st.text_input(
                "Query",
                key=QUERY_KEY,
                bind="query-params",
                on_change=on_change,
                placeholder='optimizer == "adam" and test_accuracy > 98%',
                icon=":material/search:",
                help=_HELP,
                label_visibility="collapsed",
                width="stretch",
            )
            or ""
        )
        query, refused = _read(text)
        with st.popover("Filter", icon=":material/filter_alt:"):
            _choices(query, on_change)
    if refused is not None:
        st.error(formatting.plain(refused.sentence), icon=":material/error:")
        st.code(refused.caret, language=None)
    return query


def order_choice(on_change: Callable[[], None]) -> Order:
    """Let a person choose what to sort by."""
    fields = {field.name: field for field in columns()}
    st.markdown("Sort by", width="content")
    name = st.selectbox(
        "Sort by",
        list(fields),
        index=list(fields).index(NEWEST),
        format_func=lambda name: field_titles()[name],
        key=SORT_KEY,
        bind="query-params",
        on_change=on_change,
        label_visibility="collapsed",
        width=190,
    )
    upwards = st.toggle("Ascending", key=UP_KEY, bind="query-params", on_change=on_change)
    return Order(fields.get(str(name), fields[NEWEST]), descending=not upwards)


def scope(shown: str, query: Query) -> Scope:
    """Say which runs are listed."""
    chosen = SHOWN.get(shown, SHOWN["all"])
    return Scope(query, chosen.states, chosen.archived, chosen.deleted)


def narrow(field: Field, values: list[Any]) -> None:
    """Write into the query that a field has one of some values; for callbacks. A query that cannot be read stays as it is."""
    try:
        st.session_state[QUERY_KEY] = with_values(
            st.session_state.get(QUERY_KEY) or "", field, values
        )
    except InvalidQuery as error:
        st.toast(formatting.plain(error.sentence), icon=":material/error:")


def _read(text: str) -> tuple[Query | None, InvalidQuery | None]:
    try:
        return parse(text), None
    except InvalidQuery as error:
        return None, error


def _choices(query: Query | None, on_change: Callable[[], None]) -> None:
    if query is None:
        st.caption("Correct the query first.")
        return
    for name in _CHOICES:
        field = find(name)
        assert field is not None
        chosen = list(chosen_values(query, field))
        offered = list(
            dict.fromkeys(
                [*_offered(store().settings.database_url, store().revision(), name), *chosen]
            )
        )
        if not offered:
            continue
        key = f"runs_pick_{name}"
        st.session_state[key] = chosen
        st.multiselect(
            field.title,
            offered,
            format_func=_label,
            key=key,
            on_change=_pick,
            args=(field, key, on_change),
        )
    starred = find("starred")
    assert starred is not None
    st.session_state["runs_pick_starred"] = chosen_values(query, starred) == (True,)
    st.toggle(
        "Starred only", key="runs_pick_starred", on_change=_pick_star, args=(starred, on_change)
    )
    st.caption("Your choices are written into the query, where you can refine them.")


@st.cache_data(show_spinner=False, max_entries=64)
def _offered(_database_url: str, revision: int, name: str) -> list[Any]:  # noqa: ARG001 - the revision is part of the cache's key
    field = find(name)
    assert field is not None
    if field.options:
        return list(field.options)
    found = [value for value, _ in catalog.distinct(store(), field, Scope())]
    return [] if found == [None] else found


def _label(value: object) -> str:
    return "none" if value is None else str(value)


def _pick(field: Field, key: str, on_change: Callable[[], None]) -> None:
    narrow(field, list(st.session_state[key]))
    on_change()


def _pick_star(field: Field, on_change: Callable[[], None]) -> None:
    narrow(field, [True] if st.session_state["runs_pick_starred"] else [])
    on_change()
