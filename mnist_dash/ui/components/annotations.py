"""Names, notes, stars and tags of runs: shown, and changed by those who may."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from mnist_dash import formatting
from mnist_dash.errors import MnistDashError
from mnist_dash.runs.actions import run_annotations
from mnist_dash.runs.query.catalog import Listed, by_ids
from mnist_dash.runs.store.records import Run
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.app.visitor import may_edit


def heading(run: Run) -> str:
    """Write the title of a run's page: its name, then its id in grey."""
    return f"{formatting.plain(run.title)} :gray[{run.id}]"


def run_marks(run: Run) -> None:
    """Draw the tags and notes of one run, and the way to change them; for its page."""
    (entry,) = by_ids(store(), [run.id])
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if may_edit():
            st.button(
                "Unstar" if run.starred else "Star",
                key="run_star",
                icon=":material/star:" if run.starred else ":material/star_border:",
                type="tertiary",
                on_click=act,
                args=(lambda: run_annotations.star(store(), [run.id], starred=not run.starred),),
            )
            marks_popover([entry])
        badges = " ".join(f":blue-badge[{formatting.plain(tag)}]" for tag in entry.tags)
        archived = " :gray-badge[archived]" if run.archived_at else ""
        if badges or archived:
            st.markdown(badges + archived)
    if run.notes:
        st.text(run.notes)


def marks_popover(chosen: Sequence[Listed]) -> None:
    """Offer a name and notes for one run, and tags for one or several."""
    ids = tuple(each.run.id for each in chosen)
    # The keys name the runs: what was typed for one is never written on another.
    suffix = "_".join(ids) if len(ids) <= 3 else str(hash(ids))
    with st.popover("Name, notes, tags" if len(ids) == 1 else "Tags", icon=":material/edit_note:"):
        if len(ids) == 1:
            run = chosen[0].run
            name_key, notes_key = f"mark_name_{suffix}", f"mark_notes_{suffix}"
            st.text_input(
                "Name", run.name or "", key=name_key, max_chars=run_annotations.MAX_NAME, on_change=lambda: _rename(run.id, name_key)
            )
            st.text_area(
                "Notes",
                run.notes or "",
                key=notes_key,
                max_chars=run_annotations.MAX_NOTES,
                on_change=lambda: _write_notes(run.id, notes_key),
            )
        tags = sorted({tag for each in chosen for tag in each.tags})
        tags_key = f"mark_tags_{suffix}_{hash(tuple(tags))}"
        shared = [tag for tag in tags if all(tag in each.tags for each in chosen)]
        known = sorted({*tags, *_known_tags(store().settings.database_url, store().revision())})
        st.multiselect(
            "Tags" if len(ids) == 1 else "Tags that all selected runs have",
            known,
            default=shared,
            key=tags_key,
            accept_new_options=True,
            placeholder="Choose tags or type a new one",
            on_change=lambda: _tag(ids, shared, tags_key),
        )


def act(deed: Callable[[], object]) -> None:
    """Do what a person asked for; a refusal is shown."""
    try:
        deed()
    except MnistDashError as error:
        st.toast(formatting.plain(str(error)), icon=":material/error:")


@st.cache_data(show_spinner=False, max_entries=16)
def _known_tags(_database_url: str, revision: int) -> tuple[str, ...]:  # noqa: ARG001 - the revision is part of the cache's key
    return run_annotations.all_tags(store())


def _rename(run_id: str, key: str) -> None:
    act(lambda: run_annotations.rename(store(), run_id, st.session_state[key] or ""))


def _write_notes(run_id: str, key: str) -> None:
    act(lambda: run_annotations.write_notes(store(), run_id, st.session_state[key] or ""))


def _tag(run_ids: tuple[str, ...], before: Sequence[str], key: str) -> None:
    wanted = [str(tag) for tag in st.session_state[key]]
    new, gone = [tag for tag in wanted if tag not in before], [tag for tag in before if tag not in wanted]
    if new:
        act(lambda: run_annotations.add_tags(store(), run_ids, new))
    if gone:
        act(lambda: run_annotations.remove_tags(store(), run_ids, gone))
