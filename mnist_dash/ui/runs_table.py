"""The table of runs: what it shows, what is selected, and what can be done to the selection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ButtonColumnResult, ColumnConfig

from mnist_dash.errors import MnistDashError
from mnist_dash.runs import actions
from mnist_dash.runs.records import Run
from mnist_dash.runs.states import RunState
from mnist_dash.ui import words
from mnist_dash.ui.navigation import open_run
from mnist_dash.ui.resources import store
from mnist_dash.ui.runs_proposal import proposal_button
from mnist_dash.ui.visitor import may_edit

PAGE_SIZE = 50
OPEN_KEY = "runs_open"
_SHOWN_KEY = "runs_shown"
_SELECTED_KEY = "runs_selected"
_DELETED_KEY = "runs_deleted"
_ROUND_KEY = "runs_round"


@dataclass(frozen=True)
class Filter:
    """Which runs a view shows."""

    states: tuple[RunState, ...] | None = None
    deleted: bool = False


FILTERS: dict[str, Filter] = {
    "all": Filter(),
    "live": Filter((RunState.QUEUED, RunState.RUNNING, RunState.PAUSED)),
    "finished": Filter((RunState.FINISHED,)),
    "ended early": Filter((RunState.STOPPED, RunState.PRUNED, RunState.DIVERGED, RunState.FAILED)),
    "deleted": Filter(deleted=True),
}


def listed(which: Filter, page: int) -> tuple[Run, ...]:
    """Read the runs of one page, newest first; while some are selected, the same runs in the same order."""
    if st.session_state.get(_SELECTED_KEY):
        shown: tuple[str, ...] = st.session_state[_SHOWN_KEY]
        return tuple(map(store().run, shown))
    runs = store().runs(limit=PAGE_SIZE, offset=(page - 1) * PAGE_SIZE, states=which.states, deleted=which.deleted)
    st.session_state[_SHOWN_KEY] = tuple(run.id for run in runs)
    return runs


def runs_table(runs: Sequence[Run], view: str) -> None:
    """Draw the table; clicking a run's id opens it, ticking rows selects them."""
    key = f"runs_table_{view}_{st.session_state.get(_ROUND_KEY, 0)}"
    st.dataframe(
        _rows(runs),
        key=key,
        hide_index=True,
        height="content" if len(runs) <= 15 else 600,
        row_height=40,
        on_select=lambda: _select(key),
        selection_mode="multi-row",
        column_config=_columns(),
        alt="Runs, newest first, with state, settings and figures",
    )


def action_bar(runs: Sequence[Run]) -> None:
    """Name the selected runs and what can be done to them, or offer to bring back what was deleted last.

    It is always there and always as high, so that ticking a row does not push the table away from under the pointer.
    """
    chosen = [run for run in runs if run.id in st.session_state.get(_SELECTED_KEY, ())]
    deleted: tuple[str, ...] = st.session_state.get(_DELETED_KEY, ())
    with st.container(horizontal=True, vertical_alignment="center", border=True):
        # Buttons first: what is written beside them varies in length, and a button must not move under the pointer.
        if chosen:
            _selection_actions(chosen)
        elif deleted:
            st.button("Undo", key="runs_undo", icon=":material/undo:", on_click=_act, args=(_restore, deleted))
            st.button("Dismiss", key="runs_dismiss", type="tertiary", on_click=_forget_deleted)
            st.markdown(f"Deleted {_named(deleted)}.", width="stretch")
        else:
            st.button("Delete", key="runs_nothing", icon=":material/delete:", disabled=True)
            ticked = "stop or delete them" if may_edit() else "have a proposal from them"
            st.markdown(f":gray[Click a run's id to open it; tick rows to {ticked}.]", width="stretch")


def _selection_actions(chosen: Sequence[Run]) -> None:
    live = [run.id for run in chosen if not run.state.is_terminal and not run.stop_requested]
    ended = [run.id for run in chosen if run.state.is_terminal and run.deleted_at is None]
    deleted = [run.id for run in chosen if run.deleted_at is not None]
    for label, icon, ids, act in (
        ("Stop", ":material/stop_circle:", live, _stop),
        ("Delete", ":material/delete:", ended, _delete),
        ("Restore", ":material/restore_from_trash:", deleted, _restore),
    ):
        if ids and may_edit():
            name = ids[0] if len(ids) == 1 else str(len(ids))
            st.button(f"{label} {name}", key=f"runs_{label}", icon=icon, on_click=_act, args=(act, tuple(ids)))
    proposal_button(chosen)
    st.button("Clear", key="runs_clear", type="tertiary", on_click=clear_selection)
    st.markdown(f"**{words.counted(len(chosen), 'run')}:** {_named([run.id for run in chosen])}", width="stretch")


def clear_selection() -> None:
    """Select nothing; the table is drawn anew."""
    st.session_state[_SELECTED_KEY] = ()
    st.session_state[_ROUND_KEY] = st.session_state.get(_ROUND_KEY, 0) + 1


def _select(key: str) -> None:
    """Resolve ticked rows to run ids by the order in which they were drawn."""
    shown: tuple[str, ...] = st.session_state.get(_SHOWN_KEY, ())
    rows = st.session_state[key].selection.rows
    st.session_state[_SELECTED_KEY] = tuple(shown[row] for row in rows if row < len(shown))


def _act(act: Callable[[tuple[str, ...]], None], ids: tuple[str, ...]) -> None:
    try:
        act(ids)
    except MnistDashError as error:
        st.toast(str(error), icon=":material/error:")
    clear_selection()


def _stop(ids: tuple[str, ...]) -> None:
    for run_id in ids:
        actions.stop(store(), run_id)


def _delete(ids: tuple[str, ...]) -> None:
    st.session_state[_DELETED_KEY] = actions.delete(store(), ids)


def _restore(ids: tuple[str, ...]) -> None:
    actions.undelete(store(), ids)
    _forget_deleted()


def _forget_deleted() -> None:
    st.session_state[_DELETED_KEY] = ()


def _open() -> None:
    """Open the run whose id was on the button, wherever its row stands by now."""
    click = st.session_state.get(OPEN_KEY)
    if click:
        open_run(click["label"])


def _named(ids: Sequence[str]) -> str:
    shown = ", ".join(f"`{run_id}`" for run_id in ids[:6])
    return shown if len(ids) <= 6 else f"{shown} and {len(ids) - 6} more"


def _rows(runs: Sequence[Run]) -> pd.DataFrame:
    lines = store().sparklines([run.id for run in runs])
    return pd.DataFrame(
        {
            "Run": [run.id for run in runs],
            "State": [[_state(run)] for run in runs],
            "Network": [words.network(run.config) for run in runs],
            "Optimizer": [words.optimizer(run.config) for run in runs],
            "Batch": [run.config.batch_size for run in runs],
            "Epochs": [f"{run.epoch} of {run.config.epochs}" for run in runs],
            "Curve": [lines[run.id] or None for run in runs],
            "Best validation": [_share(run.best_val_accuracy) for run in runs],
            "Test": [_share(run.test_accuracy) for run in runs],
            "Time": [words.duration(run.seconds_training + run.seconds_evaluation) if run.started_at else words.NOTHING for run in runs],
            "Submitted": [run.created_at for run in runs],
            "Notes": [_notes(run) for run in runs],
        }
    )


def _share(fraction: float | None) -> float | None:
    return None if fraction is None else 100 * fraction


def _state(run: Run) -> str:
    return "stopping" if run.stop_requested else str(run.state)


def _notes(run: Run) -> str:
    notes = [run.preset or "", "leak: validated on the test set" if run.config.leaks_test_set else "", run.reason]
    return "; ".join(note for note in notes if note)


def _columns() -> dict[str, ColumnConfig | ButtonColumnResult | str | None]:
    column = st.column_config
    looks = {str(state): color for state, (_, color) in words.STATE_LOOK.items()} | {"stopping": "orange"}
    percent = column.NumberColumn(format="%.2f %%")
    return {
        "Run": column.ButtonColumn(pinned=True, type="tertiary", on_click=_open, key=OPEN_KEY, help="Open this run"),
        "State": column.MultiselectColumn(options=list(looks), color=list(looks.values())),
        "Curve": column.LineChartColumn(width="small", help="Validation accuracy, epoch by epoch"),
        "Best validation": percent,
        "Test": percent,
        "Submitted": column.DatetimeColumn(format="distance"),
    }
