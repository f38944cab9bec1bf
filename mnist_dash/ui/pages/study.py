"""Study: one search, live and steerable while it runs."""

from collections.abc import Callable

import streamlit as st

from mnist_dash.errors import UnknownStudy
from mnist_dash.search import studies
from mnist_dash.ui import study_page_charts, study_page_table, words
from mnist_dash.ui.live_plot import preload_plotly
from mnist_dash.ui.navigation import STUDIES, follow
from mnist_dash.ui.resources import store
from mnist_dash.ui.share import share_popover
from mnist_dash.ui.study_board import Snapshot, snapshot
from mnist_dash.ui.study_page_head import head
from mnist_dash.ui.study_page_steer import steer_view
from mnist_dash.ui.visitor import may_edit

TICK_SECONDS = 1.0
VIEWS: dict[str, Callable[[Snapshot], None]] = {
    "progress": study_page_charts.progress_view,
    "settings": study_page_charts.settings_view,
    "front": study_page_charts.front_view,
    "trials": study_page_table.trials_view,
    "time": study_page_charts.time_view,
    "steer": steer_view,
}
FIRST_VIEW = next(iter(VIEWS))


def no_study(sentence: str) -> None:
    """Say why there is nothing to show, and offer a way on."""
    st.title("Study")
    st.error(sentence, icon=":material/search_off:")
    st.page_link(STUDIES, label="See all studies", icon=":material/science:")


def show_study(study_id: str) -> None:
    """Draw the page of one study."""
    try:
        study = studies.find(store(), study_id)
    except UnknownStudy as error:
        no_study(str(error))
        return
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.title(words.plain(study.name))
        share_popover("study", (study.id,))
    if study.definition.question:
        st.caption(words.plain(study.definition.question))
    st.fragment(run_every=TICK_SECONDS if study.state.is_live else None)(body)(study.id, drawn_live=study.state.is_live)


def body(study_id: str, *, drawn_live: bool) -> None:
    """Draw everything below the title; it draws itself anew while the study is live."""
    follow()
    board = snapshot(study_id)
    if board.study.state.is_live != drawn_live:
        st.rerun()  # the ticks begin or end
    with st.container():
        head(board)
    with st.container():
        left_out = {"front"} if len(board.objectives) == 1 else set()
        left_out |= set() if may_edit() else {"steer"}
        views = [name for name in VIEWS if name not in left_out]
        view = st.segmented_control(
            "View", views, default=FIRST_VIEW, required=True, key="view", bind="query-params", label_visibility="collapsed"
        )
    with st.container():
        VIEWS[str(view)](board)


wanted = st.query_params.get("study")
if wanted:
    preload_plotly()
    show_study(wanted)
else:
    no_study("A study's page needs a study: the address ends in ?study= and the study's id. Pick one from the list.")
