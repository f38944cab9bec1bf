"""Which trials of a study are selected: one selection for all charts and the table, kept in the page's address."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

SELECTED = "trials"
MAX_SELECTED = 50


def selected(n_trials: int) -> tuple[int, ...]:
    """Read the selected trials from the address; what is no number of a trial is left out."""
    text = st.query_params.get(SELECTED, "")
    numbers = [int(part) for part in text.split(",") if part.isascii() and part.isdigit()]
    return tuple(dict.fromkeys(number for number in numbers if number < n_trials))[:MAX_SELECTED]


def select(numbers: Iterable[int]) -> None:
    """Write the selection into the address."""
    wanted = [str(number) for number in dict.fromkeys(numbers)][:MAX_SELECTED]
    if wanted:
        st.query_params[SELECTED] = ",".join(wanted)
    else:
        st.query_params.pop(SELECTED, None)


def toggle(number: int, n_trials: int) -> None:
    """Select a trial, or take it out of the selection."""
    now = selected(n_trials)
    select([other for other in now if other != number] if number in now else (*now, number))
