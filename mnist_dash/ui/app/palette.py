"""Jump anywhere by typing a few letters, and the list of keyboard shortcuts; on every page.

Pages and ready networks are matched in the browser at once; runs and studies are searched here, a few at a time, and only this part of the
page is drawn anew for it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.config.naming import network_name, optimizer_name, run_name
from mnist_dash.core.config.presets import PRESETS
from mnist_dash.errors import MnistDashError
from mnist_dash.runs.query.lookup import FoundRun, lookup_runs
from mnist_dash.search.studies.lookup import lookup_studies
from mnist_dash.ui.app.navigation import TRAIN, follow, open_page, open_run, open_study, pages
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.app.shortcuts import sheet

_HERE = Path(__file__).parent
_KEY = "palette"
_LINKED_ONLY = ("Run", "Study")
"""Pages that need to be told what to show."""
N_LATEST = 5
"""Runs, and as many studies, that are offered before anything is typed."""
_PALETTE = st.components.v2.component(
    "mnist_dash_palette",
    html=(_HERE / "palette.html").read_text(encoding="utf-8"),
    css=(_HERE / "palette.css").read_text(encoding="utf-8"),
    js=(_HERE / "palette.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


@dataclass(frozen=True)
class Place:
    """Somewhere to go: one line of the palette."""

    kind: str
    """``page``, ``run``, ``study`` or ``network``."""
    name: str
    """What the server finds it by: a title, an id, a preset's name."""
    title: str
    note: str = ""
    words: str = ""
    """What it can be found by besides its title and note."""


@st.fragment
def palette() -> None:
    """Draw the button that opens the palette, and go where a person chooses to."""
    follow()
    asked = st.session_state.get(_KEY) or {}
    data = {
        "places": _fixed_places(),
        "sheet": _sheet(list(_titled())),
        "found": _found(asked.get("asked")),
    }
    _PALETTE(
        key=_KEY,
        data=data,
        width="content",
        height="content",
        on_asked_change=_ignore,
        on_chosen_change=_take_choice,
    )


def search(text: str) -> list[Place]:
    """List the runs and studies that fit what was typed; the latest where nothing was."""
    limits = {} if text.strip() else {"limit": N_LATEST}
    runs = [_run_place(run) for run in lookup_runs(store(), text, **limits)]
    found = [
        Place("study", study.study_id, study.name, f"study, {study.state}")
        for study in lookup_studies(store(), text, **limits)
    ]
    return [*found, *runs] if text.strip() else [*runs, *found]


def _take_choice() -> None:
    """Ask to go where a person chose to."""
    chosen = st.session_state[_KEY].get("chosen") or {}
    kind, name = str(chosen.get("kind")), str(chosen.get("name"))
    if kind == "run":
        open_run(name)
    elif kind == "study":
        open_study(name)
    elif kind == "network" and name in PRESETS:
        open_page(TRAIN, preset=name)
    elif kind == "page" and name in _titled():
        open_page(_titled()[name])


def _titled() -> dict[str, st.Page]:
    """List the pages that need not be told what to show, by their titles."""
    return {page.title: page for page in pages() if page.title not in _LINKED_ONLY}


def _found(asked: object) -> dict[str, object] | None:
    if not isinstance(asked, str):
        return None
    try:
        return {"asked": asked, "places": [asdict(place) for place in search(asked)], "problem": ""}
    except MnistDashError as error:
        return {"asked": asked, "places": [], "problem": str(error)}


def _run_place(run: FoundRun) -> Place:
    accuracy = run.test_accuracy if run.test_accuracy is not None else run.last_val_accuracy
    part = "test" if run.test_accuracy is not None else "validation"
    figure = "" if accuracy is None else f", {formatting.percent(accuracy)} {part}"
    note = f"{network_name(run.config)}, {optimizer_name(run.config)}, {run.state}{figure}, {formatting.ago(run.created_at)}"
    return Place(
        "run", run.run_id, f"{run.name or run_name(run.config, run.run_id)} ({run.run_id})", note
    )


def _fixed_places() -> list[dict[str, str]]:
    places = [Place("page", page.title, page.title, page.help) for page in _titled().values()]
    networks = [
        Place("network", name, ready.title, "preset", name) for name, ready in PRESETS.items()
    ]
    return [asdict(place) for place in (*places, *networks)]


def _sheet(titles: list[str]) -> list[dict[str, object]]:
    return [
        {"where": where, "rows": [asdict(one) | {"typing": one.works_while_typing} for one in rows]}
        for where, rows in sheet(titles)
        if rows
    ]


def _ignore() -> None:
    """Let what was asked or chosen arrive as a returned value."""
