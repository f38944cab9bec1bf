"""Study: one search, live and steerable while it runs."""

from collections.abc import Callable

import streamlit as st

from mnist_dash import formatting
from mnist_dash.errors import UnknownStudy
from mnist_dash.reports.study_snapshot import Snapshot
from mnist_dash.search.definition.race import is_race
from mnist_dash.search.studies import study_store
from mnist_dash.ui.app.addresses import rename_old
from mnist_dash.ui.app.moving import moving
from mnist_dash.ui.app.navigation import STUDIES, STUDY, follow
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.app.visitor import may_edit
from mnist_dash.ui.components.share import share_popover
from mnist_dash.ui.elements.live_plot import preload_plotly
from mnist_dash.ui.pages.study import charts, table
from mnist_dash.ui.pages.study.board import snapshot
from mnist_dash.ui.pages.study.head import head
from mnist_dash.ui.pages.study.race import race_view
from mnist_dash.ui.pages.study.steer import steer_view

TICK_SECONDS = 1.0
RACE_TICK_SECONDS = 0.4
VIEWS: dict[str, Callable[[Snapshot], None]] = {
    "race": race_view,
    "progress": charts.progress_view,
    "hyperparameters": charts.settings_view,
    "Pareto front": charts.front_view,
    "trials": table.trials_view,
    "time": charts.time_view,
    "steer": steer_view,
}
FORMER_VIEWS = {"settings": "hyperparameters", "front": "Pareto front"}
"""Names of views in addresses of older versions."""


def no_study(sentence: str) -> None:
    """Say why there is nothing to show, and offer a way on."""
    st.title("Study")
    st.error(sentence, icon=":material/search_off:")
    st.page_link(STUDIES, label="See all studies", icon=":material/science:")


def show_study(study_id: str) -> None:
    """Draw the page of one study."""
    try:
        study = study_store.find(store(), study_id)
    except UnknownStudy as error:
        no_study(str(error))
        return
    with st.container(
        horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
    ):
        st.title(formatting.plain(study.name))
        share_popover("study", (study.id,))
    if study.definition.question:
        st.caption(formatting.plain(study.definition.question))
    tick = RACE_TICK_SECONDS if study.definition.race else TICK_SECONDS
    moving(body, every=tick if study.state.is_live else None)(
        study.id, drawn_live=study.state.is_live
    )


def body(study_id: str, *, drawn_live: bool) -> None:
    """Draw everything below the title; it draws itself anew while the study is live."""
    follow()
    board = snapshot(study_id)
    if board.study.state.is_live != drawn_live:
        st.rerun()  # the ticks begin or end
    is_raced = board.study.definition.race
    with st.container():
        head(board, brief=is_raced and st.query_params.get("view", "race") == "race")
    with st.container():
        rename_old(STUDY, "view", FORMER_VIEWS)
        first = "race" if is_raced else "progress"
        view = st.segmented_control(
            "View",
            views_of(board),
            default=first,
            required=True,
            key="view",
            bind="query-params",
            label_visibility="collapsed",
        )
    with st.container():
        VIEWS[str(view)](board)


def views_of(board: Snapshot) -> list[str]:
    """List the views that a study has, for whoever looks at it."""
    left_out = {"Pareto front"} if len(board.objectives) == 1 else set()
    left_out |= set() if may_edit() else {"steer"}
    left_out |= set() if is_race(board.study.definition) else {"race"}
    return [name for name in VIEWS if name not in left_out]


wanted = st.query_params.get("study", "").strip()
if wanted:
    preload_plotly()
    show_study(wanted)
else:
    no_study("The address names no study. Choose one from the list of studies.")
