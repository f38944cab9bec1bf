"""What is selected among the test images of a run: one selection for all views, kept in the page's address."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from mnist_dash.core.config.run_config import N_CLASSES
from mnist_dash.errors import InvalidInput

TRUE, PREDICTED, IMAGE, VALIDATION_IMAGE = "true", "pred", "image", "val_image"
"""Their names in the address; a validation image has one of its own, for the same index is another image of another part."""


@dataclass(frozen=True)
class Selection:
    """A cell of the confusion matrix, or a part of one, and one image; None is any."""

    true: int | None = None
    """True class, 0 to 9."""
    predicted: int | None = None
    """Predicted class, 0 to 9."""
    image: int | None = None
    """Index of a test image, or of a validation image where these are looked at."""


def current(n_images: int, *, validation: bool = False) -> Selection:
    """Read the selection from the page's address.

    Args:
        n_images: how many images there are to select from.
        validation: whether these are validation images and not test images.

    Raises:
        InvalidInput: a class is not 0 to 9, or an image is not below `n_images`.
    """
    return Selection(
        true=_number(TRUE, N_CLASSES, "The class"),
        predicted=_number(PREDICTED, N_CLASSES, "The class"),
        image=_number(
            VALIDATION_IMAGE if validation else IMAGE,
            n_images,
            f"The {'validation' if validation else 'test'} image",
        ),
    )


def select(selection: Selection, *, validation: bool = False) -> None:
    """Write a selection into the page's address; what is None is taken out of it, and an image of the other part always."""
    image, other = (VALIDATION_IMAGE, IMAGE) if validation else (IMAGE, VALIDATION_IMAGE)
    for name, value in (
        (TRUE, selection.true),
        (PREDICTED, selection.predicted),
        (image, selection.image),
        (other, None),
    ):
        if value is None:
            st.query_params.pop(name, None)
        else:
            st.query_params[name] = str(value)


def _number(name: str, n: int, what: str) -> int | None:
    text = st.query_params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text) < n):
        raise InvalidInput(
            f"{what} in the address does not exist: {name}={text[:40]!r} (0 to {n - 1:,}). Correct it, or remove {name}."
        )
    return int(text)
