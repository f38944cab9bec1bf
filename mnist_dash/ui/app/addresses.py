"""Values in a page's address that no widget would accept: they get a sentence instead of being dropped in silence."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st


def refuse_number(name: str, *, low: int, high: int, what: str) -> None:
    """Say so when the address has something else than a whole number from `low` to `high`; call it before the widget is drawn.

    Args:
        name: the parameter.
        low: the least value.
        high: the greatest value.
        what: begins the sentence, such as "The index of a test image".
    """
    text = st.query_params.get(name)
    if text is not None and not (text.isascii() and text.isdigit() and low <= int(text) <= high):
        st.error(f"{what} is {low:,} to {high:,}; got {name}={text[:40]!r} in the address. Choose another below.", icon=":material/error:")


def refuse_choice(name: str, choices: Iterable[str], *, what: str) -> None:
    """Say so when the address has something else than one of `choices`; call it before the widget is drawn."""
    text, allowed = st.query_params.get(name), tuple(choices)
    if text is not None and text not in allowed:
        st.error(f"{what} is {', '.join(allowed)}; got {name}={text[:40]!r} in the address. Choose another below.", icon=":material/error:")
