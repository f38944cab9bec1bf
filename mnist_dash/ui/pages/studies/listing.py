"""The list of studies: how far each is, the best so far, and the ready ones to begin with."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ButtonColumnResult, ColumnConfig

from mnist_dash import formatting
from mnist_dash.errors import InvalidInput
from mnist_dash.search.definition.study_definition import StudyDefinition
from mnist_dash.search.definition.study_files import READY_FOLDER, read_study
from mnist_dash.search.studies import study_store
from mnist_dash.search.studies.progress import Progress, mean_trials_per_hour, progress
from mnist_dash.search.studies.records import Study
from mnist_dash.text import plural
from mnist_dash.ui.app.navigation import follow, open_study
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.components.study_look import STATE_LOOK

PAGE_SIZE = 50
OPEN_KEY = "studies_open"
FILES_FOLDER = READY_FOLDER
FIRST_FILES = ("ten_minutes", "learning_rate_by_optimizer", "accuracy_parameters")
"""The study files that an empty list offers."""


@dataclass(frozen=True)
class ReadyStudy:
    """A study file of the repository."""

    name: str
    """The file's, without its ending."""
    definition: StudyDefinition | None
    problem: str
    """Why it cannot be read; empty where it can."""


def ready_studies() -> tuple[ReadyStudy, ...]:
    """Read the study files of the repository, each once for as long as it does not change."""
    return tuple(
        _ready(path, path.stat().st_mtime_ns) for path in sorted(FILES_FOLDER.glob("*.yaml"))
    )


def first_ready_studies() -> tuple[ReadyStudy, ...]:
    """Choose three to begin with: the best first ones that are there, then any others."""
    whole = [ready for ready in ready_studies() if ready.definition is not None]
    return tuple(
        sorted(
            whole,
            key=lambda ready: (
                FIRST_FILES.index(ready.name) if ready.name in FIRST_FILES else len(FIRST_FILES)
            ),
        )[:3]
    )


@lru_cache(maxsize=64)
def _ready(path: Path, _changed_at: int) -> ReadyStudy:
    try:
        return ReadyStudy(path.stem, read_study(path), "")
    except InvalidInput as error:
        return ReadyStudy(path.stem, None, str(error))


@dataclass
class _Best:
    """The best complete trial of one study, as of a revision."""

    revision: int = 0
    number: int | None = None
    figure: float = math.nan
    lock: threading.Lock = field(default_factory=threading.Lock)


@st.cache_resource(show_spinner=False, max_entries=2000)
def _memory_of(database_url: str, study_id: str) -> _Best:  # noqa: ARG001 - the arguments are the cache's key
    return _Best()


def best_of(study: Study) -> tuple[int, float] | None:
    """Find number and first figure of the best complete trial; reads only trials that have ended since the last time."""
    opened = store()
    known = _memory_of(opened.settings.database_url, study.id)
    with known.lock:
        if known.revision < study.revision:
            sign = -1 if study.definition.goals[0].maximize else 1
            for number, figures in study_store.figures_of_complete(
                opened, study.id, after_revision=known.revision
            ):
                if known.number is None or sign * figures[0] < sign * known.figure:
                    known.number, known.figure = number, figures[0]
            known.revision = study.revision
        return None if known.number is None else (known.number, known.figure)


def is_any_live() -> bool:
    """Say whether a study may change by itself."""
    return bool(study_store.all_studies(store(), live=True))


def studies_section(*, drawn_live: bool) -> None:
    """Draw the list; a click on a name opens its study."""
    follow()
    if is_any_live() != drawn_live:
        st.rerun()  # the ticks begin or end
    found = _listed(store().settings.database_url, store().revision())
    pages = math.ceil(len(found) / PAGE_SIZE)
    page = 1
    if pages > 1:
        with st.container(horizontal=True, vertical_alignment="center"):
            page = min(st.pagination(pages, key="page", bind="query-params"), pages)
            st.caption(f"{plural(len(found), 'study')}, {PAGE_SIZE} per page")
    shown = found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    st.dataframe(
        _rows(shown),
        key=f"studies_table_{page}",
        hide_index=True,
        height="content" if len(shown) <= 15 else 600,
        row_height=40,
        placeholder=formatting.NOTHING,
        column_config=_columns(),
        alt="Studies, newest first, with state, progress and best value",
    )


@st.cache_resource(show_spinner=False, max_entries=4)
def _listed(_database_url: str, revision: int) -> tuple[Study, ...]:  # noqa: ARG001 - the revision is part of the cache's key
    return study_store.all_studies(store())


def _open() -> None:
    """Open the study whose name was on the button, wherever its row stands by now."""
    click = st.session_state.get(OPEN_KEY)
    if click:
        open_study(study_store.find(store(), click["label"]).id)


def _rows(found: Sequence[Study]) -> pd.DataFrame:
    tallies = study_store.tallies(store(), [study.id for study in found])
    counts = [
        sum(count for state, count in tallies[study.id].items() if not state.is_open)
        for study in found
    ]
    paces = [
        mean_trials_per_hour(study, n_ended) for study, n_ended in zip(found, counts, strict=True)
    ]
    reached = [
        progress(study, n_ended, trials_per_hour=pace)
        for study, n_ended, pace in zip(found, counts, paces, strict=True)
    ]
    return pd.DataFrame(
        {
            "Study": [study.name for study in found],
            "State": [[str(study.state)] for study in found],
            "Progress": [None if each.share is None else 100 * each.share for each in reached],
            "Trials": [_trials(each) for each in reached],
            "Best value": [_best(study) for study in found],
            "Trials per hour": paces,
            "Time left": [
                None if each.seconds_left is None else formatting.duration(each.seconds_left)
                for each in reached
            ],
            "Created": [datetime.fromtimestamp(study.created_at, UTC) for study in found],
            "Question": [study.definition.question or None for study in found],
        }
    )


def _trials(reached: Progress) -> str:
    return f"{reached.n_ended:,}" + (
        f" of {reached.n_planned:,}" if reached.n_planned is not None else ""
    )


def _best(study: Study) -> str | None:
    best = best_of(study)
    if best is None:
        return None
    number, figure = best
    name = study.definition.objectives[0]
    written = (
        formatting.percent(figure)
        if name == "val_accuracy"
        else f"{figure:,.0f}"
        if name == "parameters"
        else formatting.number(figure)
    )
    return f"{written} (trial {number})"


def _columns() -> dict[str, ColumnConfig | ButtonColumnResult | str | None]:
    column = st.column_config
    return {
        "Study": column.ButtonColumn(
            pinned=True,
            alignment="left",
            type="tertiary",
            on_click=_open,
            key=OPEN_KEY,
            help="Opens this study.",
        ),
        "State": column.MultiselectColumn(
            options=[str(state) for state in STATE_LOOK],
            color=[color for _, color in STATE_LOOK.values()],
        ),
        "Progress": column.ProgressColumn(
            format="%.0f %%",
            min_value=0,
            max_value=100,
            width="small",
            help="The fraction of the budget that is used.",
        ),
        "Best value": column.TextColumn(help="The best value of the first objective."),
        "Trials per hour": column.NumberColumn(
            format="%.0f", help="The mean over the running time, without pauses."
        ),
        "Created": column.DatetimeColumn(format="distance"),
        "Question": column.TextColumn(width="large"),
    }
