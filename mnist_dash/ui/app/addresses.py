"""Values in a page's address that no widget would accept: they get a sentence instead of being dropped in silence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import streamlit as st

from mnist_dash.ui.app.navigation import go_to


def rename_old(page: Path, name: str, former: Mapping[str, str]) -> None:
    """Go to today's address where an older version's asks for a value by its former name; call it before the control is drawn.

    Args:
        page: this page.
        name: the parameter.
        former: old value -> the one that replaced it.
    """
    text = st.query_params.get(name)
    if text is not None and text in former:
        go_to(page, {**st.query_params.to_dict(), name: former[text]})


def refuse_number(name: str, *, low: int, high: int, what: str) -> None:
    """Say so when the address has something else than a whole number from `low` to `high`; call it before the widget is drawn.

    Args:
        name: the parameter.
        low: the least value.
        high: the greatest value.
        what: begins the sentence, such as "The test image".
    """
    text = st.query_params.get(name)
    if text is not None and not (text.isascii() and text.isdigit() and low <= int(text) <= high):
        st.error(
            f"{what} in the address does not exist: {name}={text[:40]!r} ({low:,} to {high:,}). Choose another below.",
            icon=":material/error:",
        )


def refuse_choice(name: str, choices: Iterable[str], *, what: str) -> None:
    """Say so when the address has something else than one of `choices`; call it before the widget is drawn."""
    text, allowed = st.query_params.get(name), tuple(choices)
    if text is not None and text not in allowed:
        st.error(
            f"{what} in the address does not exist: {name}={text[:40]!r} (one of {', '.join(allowed)}). Choose another below.",
            icon=":material/error:",
        )
