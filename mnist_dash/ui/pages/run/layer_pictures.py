"""Pictures of a trained network: its weights, its first filters, and one digit on its way through the layers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.analysis.layer_statistics import Kernel, order_by_norm
from mnist_dash.core.config.run_config import DATASET_SIZES
from mnist_dash.core.data.hog import N_CELLS, N_ORIENTATIONS
from mnist_dash.core.data.idx import CLASS_NAMES, read_images, read_labels
from mnist_dash.core.layers import format_shape
from mnist_dash.figures.run.activations import (
    MAX_MAPS,
    draw_activation,
    draw_probabilities,
    picture_ratio,
)
from mnist_dash.figures.run.weights import columns_for, draw_matrix, draw_pictures
from mnist_dash.runs.store.records import Run
from mnist_dash.text import plural
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.components import selection
from mnist_dash.ui.components.trained_network import TrainedNetwork, activations_of, trained_network
from mnist_dash.ui.elements.live_plot import live_plot

MAX_FILTERS = 64
_IMAGE_KEY = "layers_image"
_WIDTH = 350
"""Width in pixels, about, of a picture in a grid of three and on a phone; its height is chosen for it."""
FILTERS_WIDE = 1.3
_FILTER_PIXELS, _FILTERS_WIDTH = 80, 430
ORDERS = ("greatest norm", "most active", "in order")


def weights_between(run: Run, network: TrainedNetwork) -> None:
    """Draw the kernel of a chosen layer as one picture."""
    named = {kernel.name: kernel for kernel in network.kernels}
    largest = max(named, key=lambda name: named[name].weights.size)
    chosen = st.selectbox(
        "Layer", list(named), index=list(named).index(largest), key="layer", bind="query-params"
    )
    kernel = named[chosen or largest]
    matrix = kernel.weights.reshape(len(kernel.weights), -1)
    live_plot(
        _matrix(store().settings.database_url, run.id, run.revision, kernel.name, _kernel=kernel),
        key=f"layers_matrix_{kernel.name}",
        alt=f"Weights of {kernel.name}: {plural(len(matrix), 'row')} of {plural(matrix.shape[1], 'weight')}",
        height=300,
    )
    st.caption(
        f"{format_shape(matrix.shape)} weights. The bar beside them shows which colour is positive."
    )


@st.cache_data(show_spinner=False, max_entries=64)
def _matrix(_database_url: str, run_id: str, revision: int, name: str, _kernel: Kernel) -> str:  # noqa: ARG001 - parts of the cache's key
    matrix = _kernel.weights.reshape(len(_kernel.weights), -1)
    is_conv = _kernel.weights.ndim == 4
    inputs = "channel and position in the window" if is_conv else "input"
    return str(
        draw_matrix(matrix, inputs=inputs, outputs="filter" if is_conv else "unit").to_json()
    )


def choose_image(run: Run) -> int:
    """Let a person choose a test image; the one selected on all views of the run.

    Raises:
        InvalidInput: the address names an image that does not exist.
    """
    n_images = DATASET_SIZES[run.config.dataset][1]
    st.session_state[_IMAGE_KEY] = selection.current(n_images).image or 0
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.number_input(
            f"Test image, 0 to {n_images - 1:,}",
            0,
            n_images - 1,
            key=_IMAGE_KEY,
            on_change=_select,
            args=(n_images,),
            width=220,
        )
        for label, icon, step in (
            ("Previous", ":material/chevron_left:", -1),
            ("Next", ":material/chevron_right:", 1),
        ):
            st.button(
                label, icon=icon, key=f"layers_{label}", on_click=_step, args=(n_images, step)
            )
    return int(chosen)


def _select(n_images: int) -> None:
    selection.select(replace(selection.current(n_images), image=int(st.session_state[_IMAGE_KEY])))


def _step(n_images: int, step: int) -> None:
    st.session_state[_IMAGE_KEY] = (int(st.session_state[_IMAGE_KEY]) + step) % n_images
    _select(n_images)


def first_filters(run: Run, image: int) -> None:
    """Draw the weights of the first layer with weights as small images, one a filter or unit."""
    kernel = trained_network(run).kernels[0]
    n = len(kernel.weights)
    is_conv = kernel.weights.ndim == 4
    noun = "filter" if is_conv else "unit"
    order = st.segmented_control(
        "Order", ORDERS, default=ORDERS[0], required=True, key="order", bind="query-params"
    )
    live_plot(
        _filters(
            store().settings.database_url,
            run.id,
            run.revision,
            order,
            image if order == "most active" else 0,
            _run=run,
        ),
        key="layers_filters",
        alt=f"Weights of the first {plural(min(n, MAX_FILTERS), noun)} of {kernel.name} as images, {order}",
        height=_filters_height(kernel, run),
    )
    shown = plural(n, noun) if n <= MAX_FILTERS else f"{MAX_FILTERS} of {plural(n, noun)}"
    of_pixels = "its incoming weights, laid out as the pixels are"
    of_features = (
        f"its incoming weights, one line per row of cells with {N_ORIENTATIONS} orientations each"
    )
    what = (
        "its window of weights"
        if is_conv
        else of_pixels
        if run.config.features == "pixels"
        else of_features
    )
    st.caption(f"{shown} of {kernel.name}, {order}: each is {what}.")


@st.cache_data(show_spinner=False, max_entries=64)
def _filters(
    _database_url: str,
    run_id: str,  # noqa: ARG001 - parts of the cache's key
    revision: int,  # noqa: ARG001 - parts of the cache's key
    order: str,
    image: int,
    _run: Run,
) -> str:
    kernel = trained_network(_run).kernels[0]
    pictures = _as_pictures(kernel, _run)
    if order == "most active":
        answers = activations_of(_run, image)[kernel.index]
        numbers = np.argsort(-answers.reshape(-1, len(pictures)).mean(0), kind="stable")
    else:
        numbers = order_by_norm(pictures) if order == "greatest norm" else np.arange(len(pictures))
    numbers = numbers[:MAX_FILTERS]
    noun = "filter" if kernel.weights.ndim == 4 else "unit"
    return str(
        draw_pictures(
            pictures[numbers], numbers.tolist(), noun=noun, signed=True, wide=FILTERS_WIDE
        ).to_json()
    )


def _as_pictures(kernel: Kernel, run: Run) -> np.ndarray:
    """Lay out each filter, or each unit's incoming weights, as an image; of HOG features a line is a row of cells."""
    if kernel.weights.ndim == 4:
        return kernel.weights[:, 0]
    flattened = next(
        (
            planned.input_shape
            for planned in run.config.plan[: kernel.index]
            if len(planned.input_shape) == 3
        ),
        None,
    )
    if flattened is None:
        return kernel.weights.reshape(len(kernel.weights), N_CELLS, -1)
    pooled = [
        planned.output_shape
        for planned in run.config.plan[: kernel.index]
        if len(planned.output_shape) == 3
    ]
    height, width = pooled[-1][:2] if pooled else flattened[:2]
    return kernel.weights.reshape(len(kernel.weights), height, width)


def _filters_height(kernel: Kernel, run: Run) -> int:
    _, height, width = _as_pictures(kernel, run).shape
    n = min(len(kernel.weights), MAX_FILTERS)
    columns = columns_for(n, wide=FILTERS_WIDE)
    rows = -(-n // columns)
    return min(
        rows * _FILTER_PIXELS,
        _height(rows * (height + 1) / (columns * (width + 1)), width=_FILTERS_WIDTH),
    )


def on_its_way(run: Run, image: int) -> None:
    """Draw a test image and what every layer makes of it, the probabilities last."""
    config, data_dir = run.config, store().settings.data_dir
    true = int(read_labels(config.dataset, "test", data_dir)[image])
    names = CLASS_NAMES[config.dataset]
    outputs = activations_of(run, image)
    probabilities = outputs[-1]
    predicted = int(probabilities.argmax())
    verdict = "correct" if predicted == true else f"the true class is {names[true]}"
    st.markdown(
        f"Test image {image:,} is predicted **{names[predicted]}** with {formatting.percent(float(probabilities[predicted]))}: {verdict}."
    )
    with st.grid(3, min_column_width=300):
        with st.container():
            st.markdown("**Image**, 28 x 28 grey values")
            picture = read_images(config.dataset, "test", data_dir)[image : image + 1].astype(
                np.float32
            )
            _picture(
                str(draw_pictures(picture, [image], noun="test image", signed=False).to_json()),
                "input",
                f"Test image {image}",
                0.7,
            )
        for planned, layer in zip(config.plan[:-1], config.layers[:-1], strict=True):
            if not layer.passes_values_on:
                with st.container():
                    shown = (
                        f", the first {MAX_MAPS} channels"
                        if len(planned.output_shape) == 3 and planned.output_shape[-1] > MAX_MAPS
                        else ""
                    )
                    st.markdown(
                        f"**{planned.name}**, {planned.summary}: {format_shape(planned.output_shape)}{shown}"
                    )
                    source = _activation(
                        store().settings.database_url,
                        run.id,
                        run.revision,
                        image,
                        planned.index,
                        _run=run,
                    )
                    alt = f"Output of {planned.name} for test image {image}"
                    _picture(source, planned.name, alt, picture_ratio(planned.output_shape))
        with st.container():
            st.markdown(f"**{config.plan[-1].name}**, the probabilities")
            figure = draw_probabilities([float(value) for value in probabilities], names, true=true)
            live_plot(
                str(figure.to_json()),
                key="layers_probabilities",
                alt=f"Probabilities of test image {image}",
                height=260,
            )
    left_out = [
        planned.name
        for planned, layer in zip(config.plan, config.layers, strict=True)
        if layer.passes_values_on
    ]
    if left_out:
        st.caption(
            f"Not drawn because they change no value in a trained network: {', '.join(left_out)}."
        )


@st.cache_data(show_spinner=False, max_entries=256)
def _activation(
    _database_url: str,
    run_id: str,  # noqa: ARG001 - parts of the cache's key
    revision: int,  # noqa: ARG001 - parts of the cache's key
    image: int,
    index: int,
    _run: Run,
) -> str:
    return str(draw_activation(activations_of(_run, image)[index]).to_json())


def _picture(figure_json: str, name: str, alt: str, ratio: float) -> None:
    live_plot(figure_json, key=f"layers_picture_{name}", alt=alt, height=_height(ratio))


def _height(ratio: float, *, width: int = _WIDTH) -> int:
    return int(np.clip(width * ratio, 36, 520))
