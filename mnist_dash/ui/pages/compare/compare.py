"""Compare: several runs beside each other, and whether their differences are real."""

from collections.abc import Callable

import streamlit as st

from mnist_dash.errors import InvalidInput
from mnist_dash.ui.app.addresses import refuse_choice, rename_old
from mnist_dash.ui.app.moving import moving
from mnist_dash.ui.app.navigation import COMPARE, follow
from mnist_dash.ui.app.visitor import error_sentence, has_share_link
from mnist_dash.ui.components.export import comparison_downloads
from mnist_dash.ui.components.share import share_popover
from mnist_dash.ui.elements.live_plot import preload_plotly
from mnist_dash.ui.pages.compare import settings
from mnist_dash.ui.pages.compare.board import Board, board, wanted_ids
from mnist_dash.ui.pages.compare.curves import curves_view
from mnist_dash.ui.pages.compare.pair import confusion_view
from mnist_dash.ui.pages.compare.pick import absences, nothing_picked, picker, selection_notes
from mnist_dash.ui.pages.compare.significance import real_view

TICK_SECONDS = 1.0
VIEWS: dict[str, Callable[[Board], None]] = {
    "curves": curves_view,
    "settings": settings.settings_view,
    "metrics": settings.figures_view,
    "confusion": confusion_view,
    "significance": real_view,
}
FORMER_VIEWS = {"figures": "metrics", "is it real?": "significance"}
"""Names of views in addresses of older versions."""
FIRST_VIEW = next(iter(VIEWS))


def body(run_ids: tuple[str, ...], *, drawn_live: bool) -> None:
    """Draw everything below the field that picks the runs; it draws itself anew while one of them is live."""
    follow()
    if wanted_ids() != run_ids:
        st.rerun()
    shown = board(run_ids)
    if any(run.state.is_live for run in shown.runs) != drawn_live:
        st.rerun()  # the ticks begin or end
    with st.container():
        absences(shown)
    with st.container():
        selection_notes(shown)
    with st.container():
        rename_old(COMPARE, "view", FORMER_VIEWS)
        refuse_choice("view", VIEWS, what="The view")
        view = st.segmented_control(
            "View",
            VIEWS,
            default=FIRST_VIEW,
            required=True,
            key="view",
            bind="query-params",
            label_visibility="collapsed",
        )
    with st.container():
        VIEWS[str(view)](shown)


def show() -> None:
    """Draw the page for the runs in the address."""
    ids = wanted_ids()
    with st.container(
        horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
    ):
        st.title("Compare")
        if len(ids) > 1:
            with st.container(horizontal=True, width="content"):
                comparison_downloads(ids)
                share_popover("compare", ids)
    try:
        shown = board(ids) if ids else None
    except InvalidInput as error:
        st.error(error_sentence(error), icon=":material/error:")
        picker(None)
        return
    if not has_share_link():
        picker(shown)
    if shown is None:
        nothing_picked()
        return
    if not shown.runs:
        absences(shown)
        nothing_picked()
        return
    preload_plotly()
    live = any(run.state.is_live for run in shown.runs)
    moving(body, every=TICK_SECONDS if live else None)(ids, drawn_live=live)


show()
