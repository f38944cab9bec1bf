"""The pages of the dashboard, and the ways between them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from mnist_dash.formatting import plain
from mnist_dash.text import did_you_mean

_PAGES = Path(__file__).parents[1] / "pages"
_NAMES = (
    "train",
    "runs",
    "run",
    "studies",
    "study",
    "published",
    "data",
    "draw",
    "system",
    "compare",
)
TRAIN, RUNS, RUN, STUDIES, STUDY, PUBLISHED, DATA, DRAW, SYSTEM, COMPARE = (
    _PAGES / name / f"{name}.py" for name in _NAMES
)
ICON = Path(__file__).parent / "icon.svg"
_DESTINATION_KEY = "navigation_destination"
_FIRST = "first"
"""What Streamlit reserves for the first page, which is at the root: ``/train`` is left for a page of its own that leads there."""


def all_pages() -> list[st.Page]:
    """List every page that an address may open: the pages, ``/train`` for the first one, and one that says that an address is unknown."""
    found = [*pages(), st.Page(_go_to_train, title="Train", url_path="train", visibility="hidden")]
    asked = _asked_path()
    if asked and asked not in {page.url_path for page in found}:
        found.append(
            st.Page(_unknown_page, title="Page not found", url_path=asked, visibility="hidden")
        )
    return found


def _asked_path() -> str:
    """Read the last part of the address; empty where it is not one that a page could have."""
    path = urlsplit(st.context.url or "").path.strip("/")
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    path = path.removeprefix(base).strip("/")
    return path if re.fullmatch(r"[A-Za-z0-9_.~-]{1,60}", path) else ""


def _go_to_train() -> None:
    go_to(TRAIN, st.query_params.to_dict())


def _unknown_page() -> None:
    """Say that the address names no page, and offer those that there are."""
    asked = _asked_path()
    st.title("Page not found")
    known = {"train", *(page.url_path for page in pages() if page.url_path)}
    st.error(
        f"There is no page “{plain(asked)}”. {did_you_mean(asked, known)}",
        icon=":material/search_off:",
    )
    st.caption("Choose a page from the menu above.")


def pages() -> list[st.Page]:
    """List all pages, those that only links lead to included.

    They have no icons: the browser would fetch them from the internet for its tab. The menu has its own.
    """
    about = (
        (TRAIN, "Train", "Choose or build a network, see what training will cost, and train it."),
        (
            RUNS,
            "Runs",
            "All runs, newest first, with state, settings and metrics. Open, stop or delete them.",
        ),
        (
            COMPARE,
            "Compare",
            "Several runs side by side: curves, settings, errors and the significance of differences.",
        ),
        (
            STUDIES,
            "Studies",
            "Hyperparameter searches: define one, launch it, watch it and change its course.",
        ),
        (
            PUBLISHED,
            "Published results",
            "Seventeen published experiments: their numbers beside ours, and one click to run each.",
        ),
        (DATA, "Data", "The images of the data sets: single images, classes and statistics."),
        (
            DRAW,
            "Draw",
            "Draw a digit, let your networks classify it, and save drawings as a test set of your own.",
        ),
        (SYSTEM, "System", "Workers, queue, storage and versions."),
        (RUN, "Run", "One run: live curves during training, results afterwards."),
        (STUDY, "Study", "One study: its trials, hyperparameter importance and what to try next."),
    )
    return [
        st.Page(
            path,
            title=title,
            icon="",
            default=path == TRAIN,
            help=text,
            url_path=_FIRST if path == TRAIN else None,
        )
        for path, title, text in about
    ]


def draw_menu(also: Callable[[], None] | None = None) -> None:
    """Draw the way to every page that is always there; in sight on a phone too.

    Args:
        also: draws what stands at the end of the menu.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for path, label, icon in (
            (TRAIN, "Train", ":material/model_training:"),
            (RUNS, "Runs", ":material/table_rows:"),
            (COMPARE, "Compare", ":material/compare_arrows:"),
            (STUDIES, "Studies", ":material/science:"),
            (PUBLISHED, "Published results", ":material/menu_book:"),
            (DATA, "Data", ":material/grid_view:"),
            (DRAW, "Draw", ":material/draw:"),
            (SYSTEM, "System", ":material/memory:"),
        ):
            st.page_link(path, label=label, icon=icon)
        if also is not None:
            with st.container(width="content"):
                also()


def open_page(page: Path | st.Page, **query: str) -> None:
    """Ask to go to a page; for callbacks, which run before the pages are known."""
    st.session_state[_DESTINATION_KEY] = (page, query)


def open_run(run_id: str) -> None:
    """Ask to go to a run's page; for callbacks."""
    open_page(RUN, run=run_id)


def open_study(study_id: str) -> None:
    """Ask to go to a study's page; for callbacks."""
    open_page(STUDY, study=study_id)


def open_comparison(run_ids: Sequence[str]) -> None:
    """Ask to go to the comparison of some runs; for callbacks."""
    open_page(COMPARE, runs=",".join(run_ids))


def follow() -> None:
    """Go where a callback asked to go."""
    destination = st.session_state.pop(_DESTINATION_KEY, None)
    if destination is not None:
        go_to(*destination)


def go_to(page: Path | st.Page, query: Mapping[str, str] | None = None) -> NoReturn:
    """Go to a page at once.

    The parts of this page that draw themselves anew are forgotten first. The browser goes on asking for them until it hears of the new
    page; Streamlit 1.67 would answer after that page, and the browser would take the answer for the old page's and show neither.
    """
    context = get_script_run_ctx(suppress_warning=True)
    if context is not None:
        context.fragment_storage.clear()
    st.switch_page(page, query_params=query)


def run_link(run_id: str, label: str, *, icon: str = ":material/show_chart:") -> None:
    """Offer the way to a run's page."""
    st.page_link(RUN, label=label, icon=icon, query_params={"run": run_id})


def study_link(study_id: str, label: str, *, icon: str = ":material/science:") -> None:
    """Offer the way to a study's page."""
    st.page_link(STUDY, label=label, icon=icon, query_params={"study": study_id})
