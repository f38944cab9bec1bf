"""The images of a data set, a page of them at a time, and one of them in all detail."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import streamlit as st

from mnist_dash.core.data.scaling import scaling_values
from mnist_dash.core.scalings import SCALINGS
from mnist_dash.figures.base.samples import draw_pixels, draw_scaled
from mnist_dash.ui.app.addresses import refuse_number
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.elements.live_plot import live_plot
from mnist_dash.ui.elements.picture_grid import picture_grid
from mnist_dash.ui.pages.data.data_set import Archive, default_config

PAGE_SIZE, COLUMNS, PHONE_COLUMNS = 200, 20, 10
INDEX, PAGE = "index", "page"
_CELL = 26
"""Width of a pixel's number in the heat map, in pixels of the screen."""


def page_of_images(part: Archive) -> None:
    """Draw two hundred images as one picture; a click chooses one of them."""
    n_pages = math.ceil(len(part) / PAGE_SIZE)
    refuse_number(PAGE, low=1, high=n_pages, what=f"The page of the {part.name} images")
    with st.container(horizontal=True, vertical_alignment="center"):
        page = st.pagination(n_pages, key=PAGE, bind="query-params")
        first = (page - 1) * PAGE_SIZE
        last = min(first + PAGE_SIZE, len(part))
        st.caption(
            f"Images {first:,} to {last - 1:,} of {len(part):,}. Click one to see its pixels.",
            width="stretch",
        )
    index = _index_so_far()
    clicked = picture_grid(
        part.images[first:last],
        key="data_images",
        alt=f"Images {first:,} to {last - 1:,} of the {part.name} archive, in the order of the archive",
        columns=(COLUMNS, PHONE_COLUMNS),
        titles=[
            f"image {first + row:,}: {part.class_names[label]}"
            for row, label in enumerate(part.labels[first:last])
        ],
        selected=index - first if first <= index < last else None,
        clickable=True,
    )
    if clicked is not None and first + clicked != index:
        st.session_state[INDEX] = first + clicked
        st.rerun()  # the frame goes to the one that was clicked


def _index_so_far() -> int:
    """Say which image is chosen before the field that chooses it is drawn."""
    text = str(st.session_state.get(INDEX) or st.query_params.get(INDEX, "0"))
    return int(text) if text.isascii() and text.isdigit() else 0


def chosen_index(part: Archive) -> int:
    """Draw the field of the index and return what it holds."""
    refuse_number(INDEX, low=0, high=len(part) - 1, what=f"The index of the {part.name} image")
    if st.session_state.get(INDEX, 0) >= len(part):
        st.session_state[INDEX] = 0
    with st.container(horizontal=True, vertical_alignment="bottom"):
        index = st.number_input(
            "Index",
            min_value=0,
            max_value=len(part) - 1,
            value=0,
            step=1,
            key=INDEX,
            bind="query-params",
            width=160,
        )
        shown = part.class_names[int(part.labels[index])]
        st.markdown(
            f"Image {index:,} of the {part.name} archive, labelled **{shown}**.", width="stretch"
        )
    return int(index)


def one_image(part: Archive, index: int) -> None:
    """Draw one image and its numbers."""
    image = part.images[index]
    left, right = st.columns([2, 5], gap="medium")
    with left:
        st.image(
            np.kron(image, np.ones((10, 10), np.uint8)),
            width=280,
            alt=f"Image {index} of the {part.name} archive",
        )
        ink = image > 0
        rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
        box = f"{np.ptp(rows) + 1} x {np.ptp(columns) + 1} pixels" if len(rows) else "none"
        st.caption(
            f"{ink.sum()} of 784 pixels are not background, mean {image.mean():.1f}. Bounding box, rows x columns: {box}."
        )
    with right, st.grid(1, min_column_width=28 * _CELL + 32, wrap=False):
        live_plot(
            str(draw_pixels(image).to_json()),
            key="data_pixels_chart",
            alt=f"Pixel values of image {index}, 28 rows of 28 numbers from 0 to 255; background is left empty",
            height=28 * 24 + 32,
        )


def scalings(part: Archive, index: int) -> None:
    """Draw the image as each scaling hands it to a network."""
    st.caption(
        "The input of a network under each scaling. Scalings are fitted to the training images alone, here those of the default split."
    )
    rows = []
    with st.grid(3, min_column_width=260):
        for name in SCALINGS:
            config = default_config(part.dataset).model_copy(update={"scaling": name})
            subtracted, factor = scaling_values(config, store().settings.data_dir)
            values = (part.images[index].astype(np.float32) - subtracted) * factor
            rows.append(
                (
                    name,
                    SCALINGS[name].label,
                    values.min(),
                    values.max(),
                    values.mean(),
                    values.std(),
                )
            )
            with st.container():
                st.markdown(f"**{name}**: {SCALINGS[name].label}")
                live_plot(
                    str(draw_scaled(values).to_json()),
                    key=f"data_{name}_chart",
                    alt=f"Image {index} under the scaling {name}: {values.min():.3g} to {values.max():.3g}",
                    height=260,
                )
    numbers = ["minimum", "maximum", "mean", "standard deviation"]
    st.dataframe(
        pd.DataFrame(rows, columns=["scaling", "description", *numbers]),
        hide_index=True,
        height="content",
        column_config={name: st.column_config.NumberColumn(format="%.3g") for name in numbers},
        alt="Range, mean and deviation of this image under each scaling",
    )
