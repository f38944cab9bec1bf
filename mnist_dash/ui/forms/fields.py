"""Input fields that write into a draft and show what is wrong beside themselves.

Numbers are text fields that report while a person types: they take ``1e-3`` as well as ``0.001``, and what cannot be is answered with the
field's own sentence instead of being refused in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import streamlit as st

from mnist_dash.errors import Problem
from mnist_dash.text import parse_number
from mnist_dash.ui.forms.composition import Checked, Draft
from mnist_dash.ui.forms.draft_session import DraftSession, Parse
from mnist_dash.ui.forms.places import AnyDraft, CheckedDraft, Place, parts_of
from mnist_dash.ui.forms.study_draft import CheckedStudy, StudyDraft

D = TypeVar("D", bound=AnyDraft)
C = TypeVar("C", bound=CheckedDraft)
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
    value = parse_number(cleaned)
    if value is None:
        return cleaned
    return (
        int(value)
        if isinstance(value, float)
        and value.is_integer()
        and "." not in cleaned
        and abs(value) < 1e15
        else value
    )


def typed_text(value: object) -> str:
    """Write a value as it could have been typed, fractions with six significant digits: ``0.001``, ``1e-7``, ``0.166667``."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}".replace("e-0", "e-") if isinstance(value, float) else str(value)


def parse_list(text: str | None) -> list[Any]:
    """Read values between commas; true and false are themselves."""
    found = [part.strip() for part in (text or "").split(",")]
    return [
        {"true": True, "false": False}.get(part.lower(), parse_typed(part))
        for part in found
        if part
    ]


def listed_text(values: object) -> str:
    """Write values as they could have been typed, between commas."""
    return (
        ", ".join(map(typed_text, values))
        if isinstance(values, list | tuple)
        else typed_text(values)
    )


@dataclass
class Form(Generic[D, C]):
    """The fields of one draft in one run of the page.

    Attributes:
        session: where the draft is kept.
        draft: what the fields show.
        checked: what is wrong with it.
        shown: the problems that have been printed beside a field so far.
    """

    session: DraftSession[D]
    draft: D
    checked: C
    shown: set[Problem] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.session.forget_fields()

    def value(self, place: Place) -> Any:  # noqa: ANN401 - JSON
        """Read a field of the draft; None where there is none."""
        return self.draft.value(place)

    def change(self, build: Callable[[D], D]) -> None:
        """Replace the draft by one made from it; for callbacks."""
        self.session.change(build)

    def key(self, *place: str) -> str:
        """Name a widget; a draft made anew gets new widgets."""
        return f"{self.session.name}_{self.draft.generation}_{'_'.join(place)}"

    def text(
        self,
        place: Place,
        label: str,
        *,
        parse: Parse = parse_typed,
        write: Callable[[Any], str] = typed_text,
        key: str | None = None,
        width: Width = "stretch",
        hint: str | None = None,
        placeholder: str | None = None,
        beside: bool = True,
    ) -> None:
        """Offer a text to type; problems stand below it unless `beside` is false.

        Args:
            place: where it belongs in the draft.
            label: above the field.
            parse: reads what was typed.
            write: writes a value as it could have been typed.
            key: names the widget where another has the same place.
            width: of the field, in pixels or as Streamlit names it.
            hint: helps to fill it in.
            placeholder: stands in the empty field.
            beside: whether problems are shown.
        """
        value = self.value(place)
        self._widget(
            st.text_input,
            place,
            label,
            value=value,
            shown=write(value),
            parse=parse,
            key=key,
            width=width,
            help=hint,
            placeholder=placeholder,
            live="350ms",
            autocomplete="off",
        )
        if beside:
            self.problems(place)

    def number(
        self,
        place: Place,
        label: str,
        *,
        key: str | None = None,
        width: Width = "stretch",
        hint: str | None = None,
        placeholder: str | None = None,
        beside: bool = True,
    ) -> None:
        """Offer a number to type; problems stand below it unless `beside` is false."""
        self.text(
            place, label, key=key, width=width, hint=hint, placeholder=placeholder, beside=beside
        )

    def choice(
        self,
        place: Place,
        label: str,
        options: Mapping[str, str],
        *,
        key: str | None = None,
        width: Width = "stretch",
        hint: str | None = None,
    ) -> None:
        """Offer a choice among named options, ``{value: label}``."""
        value = self.value(place)
        names = options if value in options else {value: str(value), **options}
        self._widget(
            st.selectbox,
            place,
            label,
            value=value,
            shown=value,
            parse=_as_it_is,
            key=key,
            width=width,
            help=hint,
            options=list(names),
            format_func=names.get,
        )
        self.problems(place)

    def flag(
        self, place: Place, label: str, *, key: str | None = None, hint: str | None = None
    ) -> None:
        """Offer a yes or no."""
        value = bool(self.value(place))
        self._widget(
            st.checkbox,
            place,
            label,
            value=value,
            shown=value,
            parse=bool,
            key=key,
            width="stretch",
            help=hint,
        )
        self.problems(place)

    def problems(self, place: Place) -> None:
        """Print what is wrong with a place and all within it, once."""
        self._print(self.checked.under(place))

    def own_problems(self, place: Place) -> None:
        """Print what is wrong with a place itself, once."""
        self._print(self.checked.at(place))

    def _print(self, problems: Sequence[Problem]) -> None:
        fresh = [problem for problem in problems if problem not in self.shown]
        self.shown.update(fresh)
        show_problems(fresh)

    def _widget(
        self,
        widget: Callable[..., Any],
        place: Place,
        label: str,
        *,
        value: Any,  # noqa: ANN401 - JSON
        shown: Any,  # noqa: ANN401 - a widget's value
        parse: Parse,
        key: str | None,
        **options: Any,  # noqa: ANN401 - a widget's options
    ) -> None:
        """Draw a widget that shows what the draft has, and as it was typed where it was typed."""
        name = self.key(key or "_".join(parts_of(place)))
        if name not in st.session_state or parse(st.session_state[name]) != value:
            st.session_state[name] = shown
        self.session.remember_field(name, place, parse)
        widget(label, key=name, on_change=self.session.commit, args=(name, place, parse), **options)


def _as_it_is(value: Any) -> Any:  # noqa: ANN401 - JSON
    return value


TrainForm = Form[Draft, Checked]
"""The fields of a run's draft."""
StudyForm = Form[StudyDraft, CheckedStudy]
"""The fields of a study's draft."""
