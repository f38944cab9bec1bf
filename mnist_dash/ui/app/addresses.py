"""Values in a page's address that no widget would accept: they get a sentence instead of being dropped in silence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import streamlit as st


def rename_old(name: str, former: Mapping[str, str]) -> None:
    """Rewrite a value that the address of an older version has; call it before the widget is drawn.

    Args:
        name: the parameter.
        former: old value -> the one that replaced it.
    """
    text = st.query_params.get(name)
    if text is not None and text in former:
        st.query_params[name] = former[text]


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
