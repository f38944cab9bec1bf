"""The table of runs: what it shows, what is selected, and what can be done to the selection."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from mnist_dash import formatting
from mnist_dash.runs.actions import run_actions, run_annotations
from mnist_dash.runs.query import catalog
from mnist_dash.runs.query.catalog import Listed, Order, Scope
from mnist_dash.text import plural
from mnist_dash.ui.app.navigation import open_comparison, open_run
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.app.visitor import may_edit
from mnist_dash.ui.components.annotations import act, marks_popover
from mnist_dash.ui.forms.suggestion import proposal_button
from mnist_dash.ui.pages.runs.columns import FIRST, frame, titles

PAGE_SIZE = 50
OPEN_KEY = "runs_open"
_SHOWN_KEY = "runs_shown"
_SELECTED_KEY = "runs_selected"
_UNDO_KEY = "runs_undo_of"
_ROUND_KEY = "runs_round"


def listed(scope: Scope, order: Order, page: int) -> tuple[Listed, ...]:
    """Read the runs of one page; while some are selected, the same runs in the same order."""
    if st.session_state.get(_SELECTED_KEY):
        shown: tuple[str, ...] = st.session_state[_SHOWN_KEY]
        return catalog.by_ids(store(), shown)
    found = catalog.page(
        store(), scope, order=order, limit=PAGE_SIZE, offset=(page - 1) * PAGE_SIZE
    )
    st.session_state[_SHOWN_KEY] = tuple(each.run.id for each in found)
    return found


def runs_table(
    entries: Sequence[Listed], view: str, names: Sequence[str], *, differing: bool
) -> None:
    """Draw the table; clicking a run's id opens it, ticking rows selects them.

    Args:
        entries: one row each.
        view: names what is listed; another view is another table.
        names: the columns.
        differing: show only the columns in which the rows differ.
    """
    drawn = st.session_state.get(_ROUND_KEY, 0)
    key = f"runs_table_{view}_{drawn}"
    shown = tuple(each.run.id for each in entries)
    table, looks = frame(entries, names, differing=differing)
    column = st.column_config
    opens = column.ButtonColumn(
        pinned=True, type="tertiary", on_click=_open, key=OPEN_KEY, help="Opens this run."
    )
    st.dataframe(
        table,
        key=key,
        hide_index=True,
        height="content" if len(entries) <= 15 else 600,
        row_height=40,
        on_select=lambda: take_rows(key, drawn, shown),
        selection_mode="multi-row",
        column_config={**looks, titles()[FIRST[0]]: opens},
        placeholder=formatting.NOTHING,
        alt="Runs with state, settings and metrics",
    )


def action_bar(entries: Sequence[Listed]) -> None:
    """Name the selected runs and what can be done to them, or offer to bring back what was deleted or archived last.

    It is always there and always as high, so that ticking a row does not push the table away from under the pointer.
    """
    chosen = [each for each in entries if each.run.id in st.session_state.get(_SELECTED_KEY, ())]
    deed, gone = st.session_state.get(_UNDO_KEY, ("", ()))
    with st.container(horizontal=True, vertical_alignment="center", border=True):
        # Buttons first: what is written beside them varies in length, and a button must not move under the pointer.
        if chosen:
            _selection_actions(chosen)
        elif gone:
            back = _unarchive if deed == "Archived" else _restore
            st.button(
                "Undo", key="runs_undo", icon=":material/undo:", on_click=_act, args=(back, gone)
            )
            st.button("Dismiss", key="runs_dismiss", type="tertiary", on_click=_forget_undo)
            st.markdown(f"{deed} {_named(gone)}.", width="stretch")
        else:
            st.button(
                "Compare", key="runs_nothing", icon=":material/compare_arrows:", disabled=True
            )
            deeds = "compare, tag, star, stop, archive or delete" if may_edit() else "compare"
            st.markdown(
                f":gray[Click a run's id to open it. Tick rows to {deeds} them.]", width="stretch"
            )


def _selection_actions(chosen: Sequence[Listed]) -> None:
    runs = [each.run for each in chosen]
    live = [run.id for run in runs if not run.state.is_terminal and not run.stop_requested]
    ended = [run.id for run in runs if run.state.is_terminal and run.deleted_at is None]
    deleted = [run.id for run in runs if run.deleted_at is not None]
    archived = [run.id for run in runs if run.archived_at is not None and run.deleted_at is None]
    listed_ended = [run_id for run_id in ended if run_id not in archived]
    ids = tuple(run.id for run in runs)
    if len(ids) > 1:
        st.button(
            "Compare",
            key="runs_compare",
            icon=":material/compare_arrows:",
            on_click=open_comparison,
            args=(ids,),
        )
    if may_edit():
        starred = all(run.starred for run in runs)
        label, icon = (
            ("Unstar", ":material/star:") if starred else ("Star", ":material/star_border:")
        )
        st.button(label, key="runs_star", icon=icon, on_click=_star, args=(ids, not starred))
        marks_popover(chosen)
        for label, icon, some, deed in (
            ("Stop", ":material/stop_circle:", live, _stop),
            ("Archive", ":material/archive:", listed_ended, _archive),
            ("Unarchive", ":material/unarchive:", archived, _unarchive),
            ("Delete", ":material/delete:", ended, _delete),
            ("Restore", ":material/restore_from_trash:", deleted, _restore),
        ):
            if some:
                name = some[0] if len(some) == 1 else str(len(some))
                st.button(
                    f"{label} {name}",
                    key=f"runs_{label}",
                    icon=icon,
                    on_click=_act,
                    args=(deed, tuple(some)),
                )
    proposal_button(runs)
    st.button("Clear", key="runs_clear", type="tertiary", on_click=clear_selection)
    st.markdown(f"**{plural(len(chosen), 'run')}:** {_named(ids)}", width="stretch")


def clear_selection() -> None:
    """Select nothing; the table is drawn anew."""
    st.session_state[_SELECTED_KEY] = ()
    st.session_state[_ROUND_KEY] = st.session_state.get(_ROUND_KEY, 0) + 1


def take_rows(key: str, drawn: int, shown: Sequence[str]) -> None:
    """Select the runs of the rows that were ticked in one table.

    A browser may still speak of a table that has been replaced meanwhile; its rows are other runs by now, so they select nothing.

    Args:
        key: the table's.
        drawn: the round in which it was drawn.
        shown: the runs of its rows.
    """
    if drawn == st.session_state.get(_ROUND_KEY, 0):
        rows = st.session_state[key].selection.rows
        st.session_state[_SELECTED_KEY] = tuple(shown[row] for row in rows if row < len(shown))


def _act(deed: Callable[[tuple[str, ...]], None], ids: tuple[str, ...]) -> None:
    act(lambda: deed(ids))
    clear_selection()


def _stop(ids: tuple[str, ...]) -> None:
    for run_id in ids:
        run_actions.stop(store(), run_id)


def _star(ids: tuple[str, ...], starred: bool) -> None:  # noqa: FBT001 - a callback's argument
    act(lambda: run_annotations.star(store(), ids, starred=starred))


def _archive(ids: tuple[str, ...]) -> None:
    st.session_state[_UNDO_KEY] = ("Archived", run_annotations.archive(store(), ids))


def _unarchive(ids: tuple[str, ...]) -> None:
    run_annotations.unarchive(store(), ids)
    _forget_undo()


def _delete(ids: tuple[str, ...]) -> None:
    st.session_state[_UNDO_KEY] = ("Deleted", run_actions.delete(store(), ids))


def _restore(ids: tuple[str, ...]) -> None:
    run_actions.undelete(store(), ids)
    _forget_undo()


def _forget_undo() -> None:
    st.session_state[_UNDO_KEY] = ("", ())


def _open() -> None:
    """Open the run whose id was on the button, wherever its row stands by now."""
    click = st.session_state.get(OPEN_KEY)
    if click:
        open_run(click["label"])


def _named(ids: Sequence[str]) -> str:
    shown = ", ".join(f"`{run_id}`" for run_id in ids[:6])
    return shown if len(ids) <= 6 else f"{shown} and {len(ids) - 6} more"
