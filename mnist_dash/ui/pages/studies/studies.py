"""Studies: all hyperparameter searches, newest first, and composing a new one."""

import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.config.presets import PRESETS
from mnist_dash.search.studies import study_store
from mnist_dash.ui.app.moving import moving
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.forms.composition import FIRST_PRESET, unknown_preset
from mnist_dash.ui.forms.draft_session import STUDY
from mnist_dash.ui.forms.fields import StudyForm
from mnist_dash.ui.forms.study_draft import StudyDraft
from mnist_dash.ui.pages.studies.compose import (
    draft_from_file,
    effort,
    free_name,
    launch_card,
    methods,
    start_from_file,
    taken_name,
)
from mnist_dash.ui.pages.studies.listing import first_ready_studies, is_any_live, studies_section
from mnist_dash.ui.pages.studies.space_editor import another_setting, ranges, settings_to_tick

TICK_SECONDS = 1.0
_VIEW_KEY = "studies_view"
_ABOUT = """**No studies yet.** A study searches for good hyperparameters. It trains a network with many different values, learns from
the results where to search next, and shows which hyperparameters are important and which values are best. Each trial is an ordinary run."""


def asked_draft() -> StudyDraft | None:
    """Give the draft that the address asks for; None where it asks for none, or for the one that is there.

    Raises:
        InvalidInput: it names what does not exist, or is damaged.
    """
    query = st.query_params
    if "from" in query:
        return StudyDraft.from_config(
            store().run(query["from"].strip()).config, origin=f"run:{query['from'].strip()}"
        )
    if "file" in query:
        return draft_from_file(query["file"])
    if "draft" in query:
        return None if STUDY.is_in_address() else StudyDraft.from_link(query["draft"])
    if "preset" in query:
        if query["preset"] not in PRESETS:
            raise unknown_preset(query["preset"])
        return StudyDraft.from_preset(query["preset"])
    return None


def first_draft() -> StudyDraft:
    """Give the draft to begin with."""
    return StudyDraft.from_preset(FIRST_PRESET)


def composer() -> None:
    """Draw the page that composes a study."""
    if st.session_state.get("page_arrived") or st.session_state.get(_VIEW_KEY) != "new":
        STUDY.begin_visit()
    refused = STUDY.load(asked_draft, first_draft)
    draft = STUDY.draft
    STUDY.write_address({"new": "1", "draft": draft.link()})
    name = free_name(draft)
    checked = draft.check(name=name, also=taken_name(draft))
    form = StudyForm(STUDY, draft, checked)
    with st.container(
        horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
    ):
        st.title("New study")
        st.button(
            "All studies",
            key="studies_all",
            icon=":material/arrow_back:",
            type="tertiary",
            on_click=_show,
            args=(False,),
        )
    if refused:
        st.warning(refused, icon=":material/link_off:")
    left, right = st.columns([4, 8], gap="large")
    with right:
        _questions(form)
    with left:
        launch_card(form, name)


def _questions(form: StudyForm) -> None:
    st.subheader("Search space")
    settings_to_tick(form)
    another_setting(form)
    ranges(form)
    st.subheader("Objective and method")
    methods(form)
    st.subheader("Budget")
    effort(form)


def overview() -> None:
    """Draw the list of studies, or what a study is where there is none."""
    with st.container(
        horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
    ):
        st.title("Studies")
        st.button(
            "New study",
            key="studies_new",
            type="primary",
            icon=":material/add:",
            on_click=_show,
            args=(True,),
        )
    if not study_store.all_studies(store()):
        nothing_yet()
        return
    is_live = is_any_live()
    moving(studies_section, every=TICK_SECONDS if is_live else None)(drawn_live=is_live)


def nothing_yet() -> None:
    """Say what a study is, and offer ready ones."""
    with st.container(border=True):
        st.markdown(_ABOUT)
        ready = first_ready_studies()
        if ready:
            st.markdown("Start from a file:")
        for each in ready:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.button(
                    each.name.replace("_", " ").capitalize(),
                    key=f"studies_ready_{each.name}",
                    icon=":material/description:",
                    on_click=_start,
                    args=(each.name,),
                )
                st.markdown(
                    formatting.plain(each.definition.question)
                    if each.definition is not None
                    else "",
                    width="stretch",
                )


def _show(composing: bool) -> None:  # noqa: FBT001 - a callback's argument
    st.query_params.from_dict({"new": "1"} if composing else {})


def _start(name: str) -> None:
    start_from_file(name)
    _show(composing=True)


is_composing = "new" in st.query_params or "from" in st.query_params
(composer if is_composing else overview)()
st.session_state[_VIEW_KEY] = "new" if is_composing else "list"
