"""What is selected among the test images of a run: one selection for all views, kept in the page's address."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from mnist_dash.core.config import N_CLASSES
from mnist_dash.errors import InvalidInput

TRUE, PREDICTED, IMAGE = "true", "pred", "image"


@dataclass(frozen=True)
class Selection:
    """A cell of the confusion matrix, or a part of one, and one image; None is any."""

    true: int | None = None
    """True class, 0 to 9."""
    predicted: int | None = None
    """Predicted class, 0 to 9."""
    image: int | None = None
    """Index of a test image."""


def current(n_images: int) -> Selection:
    """Read the selection from the page's address.

    Args:
        n_images: test images of the run's data set.

    Raises:
        InvalidInput: a class is not 0 to 9, or an image is not below `n_images`.
    """
    return Selection(
        true=_number(TRUE, N_CLASSES, "A class"),
        predicted=_number(PREDICTED, N_CLASSES, "A class"),
        image=_number(IMAGE, n_images, "A test image's index"),
    )


def select(selection: Selection) -> None:
    """Write a selection into the page's address; what is None is taken out of it."""
    for name, value in ((TRUE, selection.true), (PREDICTED, selection.predicted), (IMAGE, selection.image)):
        if value is None:
            st.query_params.pop(name, None)
        else:
            st.query_params[name] = str(value)


def _number(name: str, n: int, what: str) -> int | None:
    text = st.query_params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text) < n):
        raise InvalidInput(f"{what} is 0 to {n - 1:,}; got {name}={text!r} in the address. Correct it, or remove {name}.")
    return int(text)
