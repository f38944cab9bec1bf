"""Which runs are compared: the field that picks them, what the address names in vain, and how many could have been picked by their test."""

from __future__ import annotations

import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.analysis.verdicts import judge_selection
from mnist_dash.runs.query import comparison
from mnist_dash.runs.query.comparison import MOST_RUNS
from mnist_dash.runs.store.records import Run
from mnist_dash.text import plural
from mnist_dash.ui.app.navigation import RUNS, TRAIN
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.pages.compare.board import Board, set_runs, wanted_ids

NEWEST, BEST = "newest first", "best validation first"
_KEY = "compare_runs"


def picker(shown: Board | None) -> None:
    """Offer runs to compare; the address keeps those that are picked.

    Args:
        shown: what is compared already.
    """
    ids = wanted_ids()
    with st.expander(
        f"Runs compared: {len(shown.runs)}"
        if shown is not None and shown.runs
        else "Pick runs to compare",
        expanded=shown is None or len(shown.runs) < 2,
        icon=":material/checklist:",
    ):
        order = st.segmented_control(
            "Order", (NEWEST, BEST), default=NEWEST, required=True, key="offer", bind="query-params"
        )
        offered = {
            run.id: _label(run)
            for run in _offered(
                store().settings.database_url, store().revision(), best_first=order == BEST
            )
        }
        here = {run.id: _label(run) for run in shown.runs} if shown is not None else {}
        options = {**offered, **here}
        st.session_state[_KEY] = [run_id for run_id in ids if run_id in options]
        st.multiselect(
            "Runs",
            list(options),
            key=_KEY,
            format_func=lambda run_id: options.get(run_id, run_id),
            on_change=_pick,
            placeholder="Type part of a name, a network, an optimizer or an id",
            max_selections=MOST_RUNS,
            label_visibility="collapsed",
        )
        st.caption(
            f"{plural(len(offered), 'run')} to choose from, "
            f"{'the newest' if order == NEWEST else 'those with the best validation accuracy'} first. "
            "For others, write their ids behind ?runs= in the address, separated by commas."
        )


def nothing_picked() -> None:
    """Say what a comparison is and how to begin one."""
    with st.container(border=True):
        if store().count():
            st.markdown(
                "**Pick two or more runs above.** See their curves in one chart, the settings in which they differ, their errors image by "
                "image, and whether each difference is significant or chance."
            )
            st.page_link(RUNS, label="See all runs", icon=":material/table_rows:")
        else:
            st.markdown("**No runs yet.** Train two networks, then compare them here.")
            st.page_link(TRAIN, label="Train your first network", icon=":material/model_training:")


def absences(board: Board) -> None:
    """Name the runs of the address that cannot be shown."""
    if board.compared.unknown:
        named = ", ".join(formatting.plain(run_id[:20]) for run_id in board.compared.unknown[:10])
        one = len(board.compared.unknown) == 1
        more = (
            f" and {len(board.compared.unknown) - 10} more"
            if len(board.compared.unknown) > 10
            else ""
        )
        rest = "The other runs are shown." if board.runs else "Pick runs above."
        st.warning(
            f"Unknown {'run' if one else 'runs'} in the address: {named}{more}. {rest}",
            icon=":material/search_off:",
        )
    if board.compared.deleted:
        named, one = ", ".join(board.compared.deleted[:10]), len(board.compared.deleted) == 1
        text = (
            f"Left out because {'it is' if one else 'they are'} deleted: {named}. "
            f"Restore {'it' if one else 'them'} on the Runs page under “deleted”."
        )
        st.warning(text, icon=":material/delete:")


def selection_notes(board: Board) -> None:
    """Say how many runs could have been ranked by test accuracy to pick these, and which leak."""
    several = len({run.config.dataset for run in board.runs}) > 1
    for ranking in comparison.rankings(store(), board.compared):
        text = judge_selection(
            ranking.n_ranked,
            ranking.n_shown,
            ranking.best_rank,
            ranking.best_accuracy,
            ranking.n_test,
        )
        st.caption(
            f":material/filter_alt: {f'{ranking.dataset}: '.replace('_', ' ') if several else ''}{text}"
        )
    leaking = [board.said(run.id) for run in board.runs if run.config.leaks_test_set]
    if leaking:
        st.caption(
            f":material/warning: {', '.join(leaking[:6])}{' and others' if len(leaking) > 6 else ''}: {formatting.LEAK}"
        )


@st.cache_resource(show_spinner=False, max_entries=8)
def _offered(_database_url: str, revision: int, *, best_first: bool) -> tuple[Run, ...]:  # noqa: ARG001 - the revision is part of the cache's key
    return comparison.candidates(store(), best_first=best_first)


def _pick() -> None:
    set_runs(st.session_state[_KEY])


def _label(run: Run) -> str:
    accuracy = (
        formatting.percent(run.best_val_accuracy)
        if run.best_val_accuracy is not None
        else str(run.state)
    )
    return f"{run.title} · {run.id} · seed {run.config.seed} · {accuracy}"
