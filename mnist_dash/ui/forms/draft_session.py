"""What a page that composes something keeps in the visitor's session: its draft, what is typed into it, and why it was refused.

A visitor has one draft of a run and one of a study. The draft follows the address when a person opens a link, and the address follows the
draft when a person changes it, so that a copied address brings the same view back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import streamlit as st

from mnist_dash.errors import InvalidInput
from mnist_dash.ui.forms.composition import Draft
from mnist_dash.ui.forms.places import AnyDraft, Place
from mnist_dash.ui.forms.study_draft import StudyDraft

D = TypeVar("D", bound=AnyDraft)
Parse = Callable[[Any], Any]
_UNKNOWN = object()
"""Stands for what a field showed, where that is not known."""


@dataclass(frozen=True)
class DraftSession(Generic[D]):
    """One draft of the visitor's, and all that belongs to it."""

    name: str
    """Begins the names of everything that the session keeps for it, and of its widgets."""

    def _key(self, purpose: str) -> str:
        return f"{self.name}_{purpose}"

    # the draft

    @property
    def draft(self) -> D:
        """The draft as it is now."""
        draft: D = st.session_state[self._key("draft")]
        return draft

    def put(self, draft: D) -> None:
        """Replace the draft."""
        st.session_state[self._key("draft")] = draft

    def start(self, draft: D) -> None:
        """Begin with another draft; what was refused is forgotten."""
        self.put(draft)
        self.allow()

    def change(self, build: Callable[[D], D]) -> None:
        """Replace the draft by one made from it; for callbacks."""
        self.put(build(self.catch_up()))

    # its fields

    def forget_fields(self) -> None:
        """Begin to draw the fields anew."""
        st.session_state[self._key("fields")] = {}

    def remember_field(self, key: str, place: Place, parse: Parse) -> None:
        """Note what a field shows, just before it is drawn."""
        st.session_state[self._key("fields")][key] = (place, parse, st.session_state[key])

    def catch_up(self) -> D:
        """Take in what was typed since the fields were drawn, and give the draft; for callbacks.

        A click right after typing may be answered before the field's own callback.
        """
        fields = st.session_state.get(self._key("fields"), {})
        for key, (place, parse, drawn) in fields.items():
            typed = st.session_state.get(key, drawn)
            if typed != drawn:
                self.put(self.draft.changed(place, parse(typed)))
                # Once: the place may be another field's after the next change.
                fields[key] = (
                    place,
                    parse,
                    typed,
                )
        return self.draft

    def commit(self, key: str, place: Place, parse: Parse) -> None:
        """Take in what was typed into a field; its own callback."""
        # The page may have been interrupted before it drew the field again.
        st.session_state.setdefault(self._key("fields"), {}).setdefault(
            key, (place, parse, _UNKNOWN)
        )
        self.catch_up()

    # the address

    def load(self, asked: Callable[[], D | None], first: Callable[[], D]) -> str:
        """Bring the draft up to what the address asks for.

        Args:
            asked: gives the draft that the address asks for; None where it asks for none, or for the one that is there.
            first: gives the draft to begin with where there is none, and where the address asks for what cannot be.

        Returns:
            A sentence where the address asks for what cannot be; else nothing.
        """
        try:
            draft = asked()
        except InvalidInput as error:
            self.put(first())
            return str(error)
        if draft is not None:
            self.put(draft)
        elif self._key("draft") not in st.session_state:
            self.put(first())
        return ""

    def is_in_address(self) -> bool:
        """Say whether the address is the one that was written last: it asks for nothing new then."""
        return _address() == st.session_state.get(self._key("link"))

    def write_address(self, link: Mapping[str, str | list[str]]) -> None:
        """Put the draft into the address."""
        st.session_state[self._key("link")] = {
            name: [value] if isinstance(value, str) else value for name, value in link.items()
        }
        if not self.is_in_address():
            st.query_params.from_dict(link)

    # refusals and visits

    @property
    def refusal(self) -> str:
        """Why the last submission was refused, in a sentence; nothing where it was not."""
        return str(st.session_state.get(self._key("refusal"), ""))

    def refuse(self, sentence: str) -> None:
        """Say why something was refused, until it is tried again."""
        st.session_state[self._key("refusal")] = sentence

    def allow(self) -> None:
        """Forget what was refused."""
        st.session_state.pop(self._key("refusal"), None)

    @property
    def visit(self) -> int:
        """How often the visitor has come to the page."""
        return int(st.session_state.get(self._key("visit"), 0))

    def begin_visit(self) -> None:
        """Count a visit: submitting the same again after coming back is meant."""
        st.session_state[self._key("visit")] = self.visit + 1
        self.allow()


def _address() -> dict[str, list[str]]:
    return {name: st.query_params.get_all(name) for name in st.query_params}


TRAIN: DraftSession[Draft] = DraftSession("train")
"""The draft on the Train page."""
STUDY: DraftSession[StudyDraft] = DraftSession("study")
"""The draft on the page that composes a study."""
