"""What stands around the one button that submits what was composed: why it was refused, what is wrong, and what it will cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import streamlit as st

from mnist_dash import formatting
from mnist_dash.text import plural
from mnist_dash.ui.app.shortcuts import SUBMIT
from mnist_dash.ui.app.visitor import may_edit
from mnist_dash.ui.forms.fields import Form, sentence

T = TypeVar("T")


@dataclass(frozen=True)
class SubmitButton:
    """The button that submits a draft."""

    label: str
    key: str
    icon: str
    on_click: Callable[[], None]
    noun: str
    """What is counted where something is wrong."""
    remedy: str
    """What has to be done with those before it can be pressed."""


def launch_panel(
    form: Form[Any, Any],
    ready: T | None,
    button: SubmitButton,
    preflight: Callable[[T], None],
    beside: Callable[[T | None], None] | None = None,
) -> None:
    """Draw the button, why the last press was refused, and the preflight or what is wrong.

    Args:
        form: its problems that stand beside no field are listed.
        ready: what would be submitted; None where something is wrong.
        button: submits it.
        preflight: draws what it will cost.
        beside: draws what else can be done with it, beside the button.
    """
    if may_edit():
        with st.container(horizontal=True, gap="small"):
            st.button(
                button.label,
                key=button.key,
                type="primary",
                icon=button.icon,
                width="stretch",
                shortcut=SUBMIT,
                disabled=ready is None,
                on_click=button.on_click,
            )
            if beside is not None:
                beside(ready)
    if form.session.refusal:
        st.error(form.session.refusal, icon=":material/error:")
    if ready is None:
        _show_what_is_wrong(form, button)
    else:
        preflight(ready)


def _show_what_is_wrong(form: Form[Any, Any], button: SubmitButton) -> None:
    problems = form.checked.problems
    counted = plural(len(problems), button.noun)
    st.markdown(f":red[:material/error: {counted} {button.remedy}.]")
    for problem in problems:
        if problem not in form.shown:
            st.markdown(f":small[:red[{_place_in_words(problem.path)}: {sentence(problem)}]]")


def _place_in_words(path: str) -> str:
    return path.removeprefix("space.").replace("layers.", "layer ").replace("_", " ")


def cost_table(rows: Mapping[str, str], *, alt: str, basis: str) -> None:
    """Draw what something will cost, and what that rests on."""
    st.table(dict(rows), border="horizontal", alt=alt)
    st.caption(f"{basis[:1].upper()}{basis[1:]}.")


def expected_time(seconds: float | None) -> str:
    """Write a time that was estimated."""
    return "not known yet" if seconds is None else f"about {formatting.duration(seconds)}"
