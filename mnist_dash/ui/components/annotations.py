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

_RENAMING_KEY = "run_renaming"
"""In the session: the run whose name is being typed."""


def heading(run: Run) -> str:
    """Write the title of a run's page: its name, then its id in small print."""
    return f"{formatting.plain(run.title)} :small[:gray[{run.id}]]"


def run_title(run: Run, badges: str) -> None:
    """Draw the name of a run and its state as the page's title, or the field in which its name is typed."""
    if not may_edit() or st.session_state.get(_RENAMING_KEY) != run.id:
        st.title(f"{heading(run)} :small[{badges}]", width="stretch", anchor=False)
        return
    key = f"mark_name_{run.id}"
    st.text_input(
        "Name",
        run.name or "",
        run_annotations.MAX_NAME,
        key,
        on_change=_rename,
        args=(run.id, key),
        placeholder=run.title,
        label_visibility="collapsed",
    )


def rename_button(run: Run) -> None:
    """Draw the pencil that turns the title of a run's page into a field; Enter turns it back."""
    is_typed = st.session_state.get(_RENAMING_KEY) == run.id
    st.button(
        "",
        key="run_rename",
        icon=":material/close:" if is_typed else ":material/edit:",
        type="tertiary",
        help="Keeps the name." if is_typed else "Renames the run.",
        on_click=_stop_renaming if is_typed else _start_renaming,
        args=() if is_typed else (run.id,),
    )


def star_button(run: Run) -> None:
    """Draw the star of one run."""
    st.button(
        "",
        key="run_star",
        icon=":material/star:" if run.starred else ":material/star_border:",
        type="tertiary",
        help="Takes the star away." if run.starred else "Stars the run.",
        on_click=act,
        args=(lambda: run_annotations.star(store(), [run.id], starred=not run.starred),),
    )


def tags_and_notes(run: Run) -> None:
    """Draw the tags and notes of one run; for its page."""
    (entry,) = by_ids(store(), [run.id])
    badges = " ".join(f":blue-badge[{formatting.plain(tag)}]" for tag in entry.tags)
    archived = " :gray-badge[archived]" if run.archived_at else ""
    if badges or archived:
        st.markdown(badges + archived)
    if run.notes:
        st.text(run.notes)


def marks_popover(chosen: Sequence[Listed]) -> None:
    """Offer a name and notes for one run, and tags for one or several."""
    label = "Name, notes, tags" if len(chosen) == 1 else "Tags"
    with st.popover(label, icon=":material/edit_note:"):
        marks_form(chosen)


def marks_form(chosen: Sequence[Listed], *, with_name: bool = True) -> None:
    """Draw the fields of `marks_popover`; the name only if asked for."""
    ids = tuple(each.run.id for each in chosen)
    # The keys name the runs: what was typed for one is never written on another.
    suffix = "_".join(ids) if len(ids) <= 3 else str(hash(ids))
    if len(ids) == 1:
        run = chosen[0].run
        name_key, notes_key = f"mark_name_{suffix}", f"mark_notes_{suffix}"
        if with_name:
            st.text_input(
                "Name",
                run.name or "",
                key=name_key,
                max_chars=run_annotations.MAX_NAME,
                on_change=_rename,
                args=(run.id, name_key),
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


def _start_renaming(run_id: str) -> None:
    st.session_state[_RENAMING_KEY] = run_id


def _stop_renaming() -> None:
    st.session_state.pop(_RENAMING_KEY, None)


def _rename(run_id: str, key: str) -> None:
    act(lambda: run_annotations.rename(store(), run_id, st.session_state[key] or ""))
    _stop_renaming()


def _write_notes(run_id: str, key: str) -> None:
    act(lambda: run_annotations.write_notes(store(), run_id, st.session_state[key] or ""))


def _tag(run_ids: tuple[str, ...], before: Sequence[str], key: str) -> None:
    wanted = [str(tag) for tag in st.session_state[key]]
    new, gone = (
        [tag for tag in wanted if tag not in before],
        [tag for tag in before if tag not in wanted],
    )
    if new:
        act(lambda: run_annotations.add_tags(store(), run_ids, new))
    if gone:
        act(lambda: run_annotations.remove_tags(store(), run_ids, gone))
