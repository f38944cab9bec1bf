"""The images of the selection, as a grid: what the summary shows of a cell, and what the view of errors ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.analysis.evaluation import ranked_images
from mnist_dash.figures.base.probabilities import draw_probabilities
from mnist_dash.text import plural
from mnist_dash.ui.components import selection
from mnist_dash.ui.components.run_evaluation import Evaluated
from mnist_dash.ui.components.selection import Selection
from mnist_dash.ui.elements.digit_grid import Tile, digit_grid
from mnist_dash.ui.elements.live_plot import live_plot

SHOW = "show"
"""How many images are shown, in the page's address."""
MOST_SHOWN = 1200
CELL_SHOWN = 120
"""Images of a cell that the summary shows at first."""


def draw_selected(of: Evaluated, chosen: Selection) -> None:
    """Draw the images of a cell, or of a row or column of the confusion matrix, below it."""
    ranked = ranked_images(
        of.labels, of.probabilities, true=chosen.true, predicted=chosen.predicted
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{sentence(of, chosen, len(ranked))}**", width="content")
        st.button(
            "Rank by margin",
            key="to_errors",
            icon=":material/sort:",
            on_click=_open_view,
            args=("errors",),
            type="tertiary",
        )
        st.button(
            "Clear",
            key="clear_selection",
            icon=":material/close:",
            on_click=choose_cell,
            args=(Selection(),),
            type="tertiary",
        )
    n = shown(CELL_SHOWN)
    draw_grid(of, ranked[:n], key="cell_images", chosen=chosen)
    more_button(len(ranked), n, CELL_SHOWN)
    if chosen.image is not None:
        draw_image(of, chosen.image)


def draw_image(of: Evaluated, image: int) -> None:
    """Draw one image large, with its ten probabilities."""
    probabilities = of.probabilities[image]
    true, predicted = int(of.labels[image]), int(probabilities.argmax())
    names = of.class_names
    st.markdown(f"**{of.part.capitalize()} image {image:,}**: {_called(of, image)}")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.image(
            np.kron(of.images(np.array([image]))[0], np.ones((8, 8), dtype=np.uint8)),
            width=196,
            alt=_spoken(of, image),
        )
        with st.container(width=300):
            live_plot(
                str(
                    draw_probabilities(
                        probabilities.tolist(), names, true=true, predicted=predicted
                    ).to_json()
                ),
                key="image_probabilities",
                alt=f"Probabilities of {_spoken(of, image)}",
                height=270,
            )


def choose_cell(chosen: Selection) -> None:
    """Select a part of the confusion matrix, and show its first images."""
    st.query_params.pop(SHOW, None)
    selection.select(chosen)


def sentence(of: Evaluated, chosen: Selection, n: int) -> str:
    """Name what is selected and count it: ``4 predicted as 9: 23 images``."""
    true, predicted = (
        None if label is None else of.class_names[label]
        for label in (chosen.true, chosen.predicted)
    )
    counted = plural(n, "image")
    if true is not None and true == predicted:
        return f"{true} predicted correctly: {counted}, the least confident first"
    if true is not None and predicted is not None:
        return f"{true} predicted as {predicted}: {counted}"
    if true is not None:
        return f"{true} misclassified: {counted}"
    return (
        f"Wrongly predicted as {predicted}: {counted}"
        if predicted is not None
        else f"Misclassified: {counted}"
    )


def bare_tile(of: Evaluated, image: int) -> Tile:
    """Describe an image without words or bars around it."""
    return Tile(image, _spoken(of, image))


def full_tile(of: Evaluated, image: int) -> Tile:
    """Describe an image with both labels and ten bars."""
    probabilities = of.probabilities[image]
    true, predicted = int(of.labels[image]), int(probabilities.argmax())
    names = of.class_names
    title = (
        f"{names[true]} predicted as {names[predicted]}"
        if true != predicted
        else f"{names[true]}, correct"
    )
    behind = probabilities[true] if true != predicted else np.partition(probabilities, -2)[-2]
    note = f"margin {formatting.number(float(probabilities[predicted] - behind))}"
    return Tile(
        image, _spoken(of, image), title, note, tuple(probabilities.tolist()), true, predicted
    )


def draw_grid(
    of: Evaluated,
    images: npt.NDArray[np.int64],
    *,
    key: str,
    chosen: Selection,
    bars: bool = False,
    size: int = 56,
) -> None:
    """Draw some images; a click selects one."""
    tiles = [(full_tile if bars else bare_tile)(of, image) for image in images.tolist()]
    clicked = digit_grid(
        of.images(images),
        tiles,
        key=key,
        class_names=of.class_names,
        size=size,
        selected=chosen.image,
    )
    if clicked is not None:
        selection.select(replace(chosen, image=clicked), validation=of.part == "validation")
        st.rerun()


def shown(first: int) -> int:
    """Read from the page's address how many images are shown, `first` where it does not say."""
    text = st.query_params.get(SHOW, "")
    return max(first, min(int(text), MOST_SHOWN)) if text.isascii() and text.isdigit() else first


def more_button(n: int, n_shown: int, step: int) -> None:
    """Offer more images, when there are more."""
    if n_shown < min(n, MOST_SHOWN):
        more = min(step, n - n_shown)
        label = f"Show {more:,} more of {n:,}"
        st.button(
            label,
            key="show_more",
            icon=":material/expand_more:",
            on_click=_show,
            args=(n_shown + step,),
        )


def _spoken(of: Evaluated, image: int) -> str:
    probabilities: Sequence[float] = of.probabilities[image].tolist()
    return f"{of.part} image {image:,}: {_called(of, image)}, {formatting.percent(max(probabilities))} confidence"


def _called(of: Evaluated, image: int) -> str:
    true, predicted = int(of.labels[image]), int(of.probabilities[image].argmax())
    names = of.class_names
    return (
        f"{names[true]}, predicted correctly"
        if true == predicted
        else f"true {names[true]}, predicted as {names[predicted]}"
    )


def _show(n: int) -> None:
    st.query_params[SHOW] = str(n)


def _open_view(name: str) -> None:
    st.session_state["view"] = name
