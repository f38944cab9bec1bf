"""The pages of the dashboard, and the ways between them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

_PAGES = Path(__file__).parent / "pages"
_NAMES = ("train", "runs", "run", "studies", "study", "published", "data", "draw", "system", "compare")
TRAIN, RUNS, RUN, STUDIES, STUDY, PUBLISHED, DATA, DRAW, SYSTEM, COMPARE = (_PAGES / f"{name}.py" for name in _NAMES)
ICON = Path(__file__).parent / "icon.svg"
_DESTINATION_KEY = "navigation_destination"


def pages() -> list[st.Page]:
    """List all pages, those that only links lead to included.

    They have no icons: the browser would fetch them from the internet for its tab. The menu has its own.
    """
    about = (
        (TRAIN, "Train", "Choose or compose a network, see what it will cost, and train it."),
        (RUNS, "Runs", "All runs, newest first: their state, settings and figures. Open, stop or delete them."),
        (STUDIES, "Studies", "Searches for the hyperparameters that matter: compose one, launch it, watch and steer it."),
        (PUBLISHED, "Published", "Seventeen published experiments: their numbers beside ours, and one click to run each."),
        (DATA, "Data", "The images that networks learn from: one by one, by class and as a whole."),
        (DRAW, "Draw", "Draw a digit and have it recognised by your runs; keep drawings as a test set of your own."),
        (SYSTEM, "System", "Workers and what each does, the queue, storage and versions."),
        (RUN, "Run", "One run: live curves while it trains, results when it has ended."),
        (STUDY, "Study", "One study: its trials as they come, what matters, and what to do next."),
    )
    return [st.Page(path, title=title, icon="", default=path == TRAIN, help=text) for path, title, text in about]


def draw_menu() -> None:
    """Draw the way to every page that is always there; in sight on a phone too."""
    with st.container(horizontal=True, gap="small"):
        for path, label, icon in (
            (TRAIN, "Train", ":material/model_training:"),
            (RUNS, "Runs", ":material/table_rows:"),
            (STUDIES, "Studies", ":material/science:"),
            (PUBLISHED, "Published", ":material/menu_book:"),
            (DATA, "Data", ":material/grid_view:"),
            (DRAW, "Draw", ":material/draw:"),
            (SYSTEM, "System", ":material/memory:"),
        ):
            st.page_link(path, label=label, icon=icon)


def open_run(run_id: str) -> None:
    """Ask to go to a run's page; for callbacks, which run before the pages are known."""
    st.session_state[_DESTINATION_KEY] = (RUN, {"run": run_id})


def open_study(study_id: str) -> None:
    """Ask to go to a study's page; for callbacks."""
    st.session_state[_DESTINATION_KEY] = (STUDY, {"study": study_id})


def open_comparison(run_ids: Sequence[str]) -> None:
    """Ask to go to the comparison of some runs; for callbacks."""
    st.session_state[_DESTINATION_KEY] = (COMPARE, {"runs": ",".join(run_ids)})


def follow() -> None:
    """Go where a callback asked to go."""
    destination = st.session_state.pop(_DESTINATION_KEY, None)
    if destination is not None:
        page, query = destination
        st.switch_page(page, query_params=query)


def run_link(run_id: str, label: str, *, icon: str = ":material/show_chart:") -> None:
    """Offer the way to a run's page."""
    st.page_link(RUN, label=label, icon=icon, query_params={"run": run_id})


def study_link(study_id: str, label: str, *, icon: str = ":material/science:") -> None:
    """Offer the way to a study's page."""
    st.page_link(STUDY, label=label, icon=icon, query_params={"study": study_id})
