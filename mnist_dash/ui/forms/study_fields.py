"""Input fields that write into the draft of a study, as `mnist_dash.ui.forms.fields` does for the draft of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from mnist_dash import formatting
from mnist_dash.errors import Problem
from mnist_dash.ui.forms.fields import parse_typed, show_problems
from mnist_dash.ui.forms.study_draft import CheckedStudy, Place, StudyDraft

DRAFT_KEY = "study_draft"
REFUSAL_KEY = "study_refusal"
"""Why the last press of Launch began nothing."""
_FIELDS_KEY = "study_fields"
Width = int | str


def typed_text(value: object) -> str:
    """Write a value as it could have been typed."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return formatting.number(value) if isinstance(value, float) else str(value)


def listed_text(values: object) -> str:
    """Write values as they could have been typed, between commas."""
    return ", ".join(map(typed_text, values)) if isinstance(values, list | tuple) else typed_text(values)


def parse_list(text: str | None) -> list[Any]:
    """Read values between commas; true and false are themselves."""
    found = [part.strip() for part in (text or "").split(",")]
    return [{"true": True, "false": False}.get(part.lower(), parse_typed(part)) for part in found if part]


@dataclass
class StudyForm:
    """The fields of one draft in one run of the page.

    Attributes:
        draft: what the fields show.
        checked: what is wrong with it.
        name: what the study is called where nobody typed a name.
        shown: the problems that have been printed beside a field so far.
    """

    draft: StudyDraft
    checked: CheckedStudy
    name: str
    shown: set[Problem] = field(default_factory=set)

    def key(self, *place: str) -> str:
        """Name a widget; a draft made anew gets new widgets."""
        return f"study_{self.draft.generation}_{'_'.join(place)}"

    def text(
        self,
        place: Place,
        label: str,
        *,
        parse: Callable[[str | None], Any] = parse_typed,
        write: Callable[[Any], str] = typed_text,
        hint: str | None = None,
        placeholder: str | None = None,
        width: Width = "stretch",
        beside: bool = True,
    ) -> None:
        """Offer a text or a number to type; problems stand below it unless `beside` is false."""
        key = self.key(*place)
        value = self.draft.value(*place)
        if key not in st.session_state or parse(st.session_state[key]) != value:
            st.session_state[key] = write(value)
        st.session_state[_FIELDS_KEY][key] = (place, parse, st.session_state[key])
        st.text_input(
            label,
            key=key,
            help=hint,
            placeholder=placeholder,
            width=width,  # type: ignore[arg-type]
            live="350ms",
            autocomplete="off",
            on_change=_commit,
            args=(place, key, parse),
        )
        if beside:
            self.problems(*place)

    def flag(self, place: Place, label: str, *, hint: str | None = None) -> None:
        """Offer a yes or no."""
        key = self.key(*place)
        st.session_state[key] = bool(self.draft.value(*place))
        st.checkbox(label, key=key, help=hint, on_change=_commit, args=(place, key, bool))

    def problems(self, *place: str) -> None:
        """Print what is wrong with a place and all within it, once."""
        problems = [problem for problem in self.checked.under(*place) if problem not in self.shown]
        self.shown.update(problems)
        show_problems(problems)


def new_form(draft: StudyDraft, name: str, extra: Sequence[Problem] = ()) -> StudyForm:
    """Begin the fields of one run of the page; `extra` problems are those that only the store knows of."""
    st.session_state[_FIELDS_KEY] = {}
    checked = draft.check(name=name)
    if extra:
        checked = CheckedStudy(None, (*extra, *checked.problems))
    return StudyForm(draft, checked, name)


def catch_up() -> StudyDraft:
    """Take in what was typed since the fields were drawn, and give the draft; for callbacks."""
    for key, (place, parse, drawn) in st.session_state.get(_FIELDS_KEY, {}).items():
        typed = st.session_state.get(key, drawn)
        if typed != drawn:
            st.session_state[DRAFT_KEY] = st.session_state[DRAFT_KEY].changed(place, parse(typed))
    draft: StudyDraft = st.session_state[DRAFT_KEY]
    return draft


def change(build: Callable[[StudyDraft], StudyDraft]) -> None:
    """Replace the session's draft by one made from it; for callbacks."""
    st.session_state[DRAFT_KEY] = build(catch_up())


def _commit(place: Place, key: str, parse: Callable[[Any], Any]) -> None:
    st.session_state[DRAFT_KEY] = st.session_state[DRAFT_KEY].changed(place, parse(st.session_state[key]))
