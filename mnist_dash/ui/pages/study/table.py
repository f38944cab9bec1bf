"""The trials of a study as a table, and the selected ones side by side."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from mnist_dash import formatting
from mnist_dash.figures.study.trials import Objective, ranking, titles
from mnist_dash.reports.study_snapshot import Snapshot, short
from mnist_dash.search.actions import steering
from mnist_dash.search.studies.records import Trial
from mnist_dash.text import plural
from mnist_dash.ui.app.navigation import TRAIN, run_link
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.app.visitor import has_share_link, may_edit
from mnist_dash.ui.components.tables import without_empty
from mnist_dash.ui.pages.study.head import act
from mnist_dash.ui.pages.study.selection import select, selected

PAGE_SIZE = 100
SPREAD = "± over seeds"
ORDERS = ("best first", "newest first")


def trials_view(board: Snapshot) -> None:
    """Draw the table, a page at a time; a click on a row selects its trial."""
    if not board.trials:
        st.caption("No trials yet.")
        return
    order = str(
        st.segmented_control(
            "Order", ORDERS, default=ORDERS[0], required=True, key="order", bind="query-params"
        )
    )
    ordered = _ordered(board, order)
    n_pages = -(-len(ordered) // PAGE_SIZE)
    page = 1
    if n_pages > 1:
        with st.container(horizontal=True, vertical_alignment="center"):
            page = min(int(st.pagination(n_pages, key="page", bind="query-params")), n_pages)
            st.caption(f"{plural(len(ordered), 'trial')}, {PAGE_SIZE} per page")
    shown = ordered[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    numbers = tuple(trial.number for trial in shown)
    key = f"study_table_{board.study.id}_{order}_{page}_{hash(numbers)}"
    st.dataframe(
        without_empty(_frame(board, shown), keep=[goal.title for goal in board.objectives]),
        key=key,
        hide_index=True,
        height=min(560, 38 + 35 * len(shown)),
        on_select=lambda: _take_rows(key, numbers),
        selection_mode="multi-row",
        column_config=_formats(board),
        alt=f"Trials of {board.study.name}",
    )
    st.caption("Tick rows to select their trials here and in all charts.")
    selection_panel(board)


def selection_panel(board: Snapshot) -> None:
    """Draw the selected trials: what they have in common is left out, what differs is shown, each with its runs."""
    numbers = selected(len(board.trials))
    if not numbers:
        return
    chosen = [board.trials[number] for number in numbers]
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plural(len(chosen), 'selected trial')}**", width="stretch")
            st.button(
                "Clear selection", key="study_clear", type="tertiary", on_click=select, args=((),)
            )
        for trial in chosen[:10]:
            _selected_trial(board, trial, chosen)
        if len(chosen) > 10:
            st.caption(f"{len(chosen) - 10} more selected trials are ringed in the charts.")


def _selected_trial(board: Snapshot, trial: Trial, chosen: list[Trial]) -> None:
    names = titles(board.axes)
    differing = {
        path: value
        for path, value in trial.parameters.items()
        if len(chosen) == 1 or _differs(path, chosen)
    }
    figures = (
        ""
        if trial.figures is None
        else ", ".join(
            f"{goal.title} **{goal.write(value)}**"
            for goal, value in zip(board.objectives, trial.figures, strict=False)
        )
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        settings = ", ".join(
            f"{names.get(path, path)} {short(value)}" for path, value in differing.items()
        )
        outcome = figures or formatting.plain(trial.reason) or "no value yet"
        st.markdown(
            f"**Trial {trial.number}** {trial.state}: {outcome}  \n{settings}", width="stretch"
        )
        for place, run_id in enumerate(board.runs.get(trial.number, ())):
            run_link(run_id, "Run" if len(board.runs[trial.number]) == 1 else f"Seed {place + 1}")
        if board.runs.get(trial.number) and not has_share_link():
            st.page_link(
                TRAIN,
                label="Clone and edit",
                icon=":material/edit:",
                query_params={"from": board.runs[trial.number][0]},
            )
        if trial.state.is_open and may_edit():
            st.button(
                "Stop trial",
                key=f"study_stop_{trial.number}",
                icon=":material/stop_circle:",
                on_click=act,
                args=(lambda: steering.stop_trial(store(), board.study.id, trial.number),),
            )


def _differs(path: str, chosen: list[Trial]) -> bool:
    return len({repr(trial.parameters.get(path)) for trial in chosen}) > 1


def _ordered(board: Snapshot, order: str) -> list[Trial]:
    if order == ORDERS[1]:
        return list(reversed(board.trials))
    ranked = [int(place) for place in ranking(board.columns, board.objectives[0])]
    rest = sorted(set(range(len(board.trials))) - set(ranked), reverse=True)
    return [board.trials[place] for place in (*ranked, *rest)]


def _frame(board: Snapshot, shown: list[Trial]) -> pd.DataFrame:
    names = titles(board.axes)
    rows = []
    for trial in shown:
        row: dict[str, object] = {"Trial": trial.number, "State": trial.state.value}
        for place, goal in enumerate(board.objectives):
            value = (
                None
                if trial.figures is None or place >= len(trial.figures)
                else trial.figures[place]
            )
            row[goal.title] = value * 100 if value is not None and goal.is_share else value
        if board.study.definition.seeds > 1:
            share = 100 if board.objectives[0].is_share and trial.deviation is not None else 1
            row[SPREAD] = None if trial.deviation is None else share * trial.deviation
        row |= {names[axis.path]: trial.parameters.get(axis.path) for axis in board.axes}
        row["Epochs"] = len(trial.curve)
        row["Duration"] = (
            None
            if trial.ended_at is None or trial.started_at is None
            else formatting.duration(trial.ended_at - trial.started_at)
        )
        row["Run"] = (
            f"/run?run={board.runs[trial.number][0]}" if trial.number in board.runs else None
        )
        row["Origin"] = trial.origin.value
        row["Note"] = trial.reason
        rows.append(row)
    return pd.DataFrame(rows)


def _formats(board: Snapshot) -> dict[str, ColumnConfig]:
    column = st.column_config.NumberColumn
    goals = {goal.title: column(format=_format(goal)) for goal in board.objectives}
    goals |= {SPREAD: column(format=_format(board.objectives[0]))}
    names = titles(board.axes)
    numbers = {
        names[axis.path]: st.column_config.NumberColumn(format="%.3g")
        for axis in board.axes
        if axis.kind == "float"
    }
    link = st.column_config.LinkColumn(display_text=r"run=(\w+)")
    return {**goals, **numbers, "Run": link, "Trial": st.column_config.NumberColumn(pinned=True)}


def _format(goal: Objective) -> str:
    return "%.2f %%" if goal.is_share else "localized" if goal.name == "parameters" else "%.3g"


def _take_rows(key: str, numbers: tuple[int, ...]) -> None:
    """Turn the ticked rows of the page that was drawn into trials."""
    rows = st.session_state[key]["selection"]["rows"]
    here = [numbers[row] for row in rows if row < len(numbers)]
    elsewhere = [number for number in selected(10**9) if number not in numbers]
    select([*elsewhere, *here])
