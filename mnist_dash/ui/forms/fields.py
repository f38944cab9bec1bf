"""Input fields that write into the draft and show what is wrong beside themselves.

Numbers are text fields that report while a person types: they take ``1e-3`` as well as ``0.001``, and what cannot be is answered with the
field's own sentence instead of being refused in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from mnist_dash import formatting
from mnist_dash.errors import Problem
from mnist_dash.ui.forms.composition import Checked, Draft

DRAFT_KEY = "train_draft"
REFUSAL_KEY = "train_refusal"
"""Why the last press of Train queued nothing, in a sentence that begins with the field."""
_FIELDS_KEY = "train_fields"
Width = int | str


def sentence(problem: Problem) -> str:
    """Write a problem for a place where its field is in sight already."""
    text = problem.sentence
    return text[:1].upper() + text[1:].replace("_", " ")


def show_problems(problems: Sequence[Problem]) -> None:
    """Print problems in small red sentences."""
    for problem in problems:
        st.markdown(f":small[:red[:material/error: {sentence(problem)}]]")


def parse_typed(text: str | None) -> Any:  # noqa: ANN401 - JSON
    """Read what was typed as a number where it is one; an empty field is None, anything else stays text for the rules to refuse."""
    cleaned = (text or "").strip()
    if not cleaned:
        return None
    try:
        return int(cleaned)
    except ValueError:
        pass
    try:
        value = float(cleaned)
    except ValueError:
        return cleaned
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


@dataclass
class Form:
    """The fields of one draft in one run of the page.

    Attributes:
        draft: what the fields show.
        checked: what is wrong with it.
        shown: the problems that have been printed beside a field so far.
    """

    draft: Draft
    checked: Checked
    shown: set[Problem] = field(default_factory=set)

    def value(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Read a field of the draft by its dotted path; None where the path leads nowhere."""
        node: Any = self.draft.tree
        for part in path.split("."):
            node = node[int(part)] if isinstance(node, list) else node.get(part) if isinstance(node, dict) else None
        return node

    def key(self, name: str) -> str:
        """Name a widget; a draft made anew gets new widgets."""
        return f"train_{self.draft.generation}_{name}"

    def number(
        self, path: str, label: str, *, key: str | None = None, width: Width = "stretch", hint: str | None = None, beside: bool = True
    ) -> None:
        """Offer a number to type; problems stand below it unless `beside` is false."""
        value = self.value(path)
        text = "" if value is None else formatting.number(value) if isinstance(value, float) else str(value)
        self._widget(
            st.text_input, path, label, key=key, seed=text, parse=parse_typed, width=width, help=hint, live="350ms", autocomplete="off"
        )
        if beside:
            self.problems(path)

    def choice(
        self,
        path: str,
        label: str,
        options: Mapping[str, str],
        *,
        key: str | None = None,
        width: Width = "stretch",
        hint: str | None = None,
    ) -> None:
        """Offer a choice among named options, ``{value: label}``."""
        current = self.value(path)
        names = options if current in options else {current: str(current), **options}
        self._widget(
            st.selectbox,
            path,
            label,
            key=key,
            seed=current,
            parse=lambda value: value,
            width=width,
            help=hint,
            options=list(names),
            format_func=names.get,
        )
        self.problems(path)

    def flag(self, path: str, label: str, *, key: str | None = None, hint: str | None = None) -> None:
        """Offer a yes or no."""
        self._widget(st.checkbox, path, label, key=key, seed=bool(self.value(path)), parse=bool, width="stretch", help=hint)
        self.problems(path)

    def problems(self, path: str) -> None:
        """Print what is wrong with one field, once."""
        problems = [problem for problem in self.checked.at(path) if problem not in self.shown]
        self.shown.update(problems)
        show_problems(problems)

    def _widget(
        self,
        widget: Callable[..., Any],
        path: str,
        label: str,
        *,
        key: str | None,
        seed: Any,  # noqa: ANN401 - a widget's value
        parse: Callable[[Any], Any],
        **options: Any,  # noqa: ANN401 - a widget's options
    ) -> None:
        name = self.key(key or path)
        if name not in st.session_state:
            st.session_state[name] = seed
        st.session_state[_FIELDS_KEY][name] = (path, parse, st.session_state[name])
        widget(label, key=name, on_change=_commit, args=(path, name, parse), **options)


def new_form(draft: Draft, checked: Checked) -> Form:
    """Begin the fields of one run of the page."""
    st.session_state[_FIELDS_KEY] = {}
    return Form(draft, checked)


def catch_up() -> Draft:
    """Take in what was typed since the fields were drawn, and give the draft; for callbacks.

    A click right after typing may be answered before the field's own callback.
    """
    for key, (path, parse, drawn) in st.session_state.get(_FIELDS_KEY, {}).items():
        typed = st.session_state.get(key, drawn)
        if typed != drawn:
            st.session_state[DRAFT_KEY] = st.session_state[DRAFT_KEY].changed(path, parse(typed))
    draft: Draft = st.session_state[DRAFT_KEY]
    return draft


def change(build: Callable[[Draft], Draft]) -> None:
    """Replace the session's draft by one made from it; for callbacks."""
    st.session_state[DRAFT_KEY] = build(st.session_state[DRAFT_KEY])


def _commit(path: str, key: str, parse: Callable[[Any], Any]) -> None:
    change(lambda draft: draft.changed(path, parse(st.session_state[key])))
