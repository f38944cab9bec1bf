"""What the System page offers an admin to make room: the files of old runs, shown before they go."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from mnist_dash import formatting
from mnist_dash.errors import MnistDashError
from mnist_dash.runs.actions import retention
from mnist_dash.runs.actions.retention import Candidate, Rule
from mnist_dash.runs.query import catalog
from mnist_dash.text import plural
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.app.visitor import error_sentence, may_administer

N_SHOWN = 200
_DONE_KEY = "retention_done"


def retention_section() -> None:
    """Draw the rule, the runs whose files it removes, and the button that does; for admins alone."""
    if not may_administer():
        return
    st.subheader("Remove artifacts of old runs")
    st.caption(
        "Weights, checkpoints, probabilities and embeddings of ended runs, the oldest first. Rows, curves and metrics stay."
    )
    rule = _rule()
    if done := st.session_state.pop(_DONE_KEY, ""):
        st.success(done, icon=":material/check_circle:")
    if rule is None:
        st.caption(
            "Enter an age, a size, or both to see what would go. Nothing is removed before you confirm it."
        )
        return
    found = retention.preview(store(), rule)
    if not found:
        st.caption("No run has files that this rule would remove.")
        return
    _show(found)
    with st.popover("Remove files", icon=":material/folder_delete:"):
        st.warning(
            "The files cannot be brought back but by training the runs again.",
            icon=":material/warning:",
        )
        st.button(
            f"Remove files of {plural(len(found), 'run')}",
            key="retention_apply",
            type="primary",
            on_click=_apply,
            args=(rule, found),
        )


def _rule() -> Rule | None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        days = st.number_input(
            "Older than (days)", 0, 36_500, None, key="retention_days", width=180
        )
        size = st.number_input("Keep at most (GB)", 0.0, 1e6, None, key="retention_gb", width=180)
        keep = st.checkbox("Keep starred runs", value=True, key="retention_starred")
    if days is None and size is None:
        return None
    return Rule(days, None if size is None else size * 1e9, keep)


def _show(found: tuple[Candidate, ...]) -> None:
    first = found[:N_SHOWN]
    titles = {
        each.run.id: each.run.title
        for each in catalog.by_ids(store(), [one.run_id for one in first])
    }
    shown = [
        (titles[one.run_id], one.ended_at, one.n_files, one.n_bytes / 1e6)
        for one in first
        if one.run_id in titles
    ]
    rows = pd.DataFrame(shown, columns=["Run", "Ended", "Files", "MB"])
    columns = {
        "Ended": st.column_config.DatetimeColumn(format="YYYY-MM-DD"),
        "MB": st.column_config.NumberColumn(format="%.1f"),
    }
    st.dataframe(
        rows, hide_index=True, column_config=columns, alt="Runs whose files would be removed"
    )
    more = f" The oldest {N_SHOWN} are shown." if len(found) > N_SHOWN else ""
    st.caption(
        f"{plural(len(found), 'run')}, {formatting.size(sum(one.n_bytes for one in found))} would be removed.{more}"
    )


def _apply(rule: Rule, found: tuple[Candidate, ...]) -> None:
    try:
        done = retention.apply(store(), rule, found)
    except MnistDashError as error:
        st.toast(error_sentence(error), icon=":material/error:")
        return
    st.session_state[_DONE_KEY] = (
        f"The files of {plural(len(done), 'run')} were removed, {formatting.size(sum(one.n_bytes for one in done))}."
    )
