"""Layers: what each layer computes and what it has learned."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.analysis.layer_statistics import histograms, summarise
from mnist_dash.core.layers import format_shape
from mnist_dash.errors import ArtifactError, DataError, InvalidInput
from mnist_dash.figures.run.parameters import draw_layer_parameters
from mnist_dash.figures.run.weights import draw_distributions
from mnist_dash.runs.store.records import Run
from mnist_dash.ui.app.navigation import RUNS, TRAIN
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.app.visitor import error_sentence
from mnist_dash.ui.components.trained_network import (
    N_ASKED,
    TrainedNetwork,
    dead_counts,
    trained_network,
)
from mnist_dash.ui.elements.live_plot import live_plot
from mnist_dash.ui.pages.run.layer_changes import by_epoch
from mnist_dash.ui.pages.run.layer_pictures import (
    choose_image,
    first_filters,
    on_its_way,
    weights_between,
)


def draw(run: Run) -> None:
    """Draw the view of an ended run."""
    st.subheader("Structure")
    layer_table(run)
    network = _network(run)
    _parameters(run, network)
    st.subheader("Over training")
    by_epoch(run)
    if network is None:
        return
    st.subheader("Activations for one image")
    try:
        image = choose_image(run)
        on_its_way(run, image)
        left, right = st.columns(2, gap="large")
        with left:
            st.subheader("First-layer filters")
            first_filters(run, image)
        with right:
            st.subheader("Distribution of the weights")
            _distribution(run, network)
        st.subheader("Weights and dead units")
        _figures(run, network)
    except (InvalidInput, DataError) as error:
        st.error(error_sentence(error), icon=":material/error:")


def layer_table(run: Run) -> None:
    """Draw the table of layers: output shape, parameters and operations, with the arithmetic of each written out."""
    rows = [
        (
            layer.name,
            layer.summary,
            format_shape(layer.output_shape),
            layer.n_parameters,
            layer.flops,
            layer.shape_arithmetic,
            layer.parameter_arithmetic,
        )
        for layer in run.config.plan
    ]
    columns = [
        "Layer",
        "Arguments",
        "Output",
        "Parameters",
        "Operations per image",
        "Shape calculation",
        "Parameter calculation",
    ]
    localized = st.column_config.NumberColumn(format="localized")
    st.dataframe(
        pd.DataFrame(rows, columns=columns),
        hide_index=True,
        height="content",
        column_config={
            "Layer": st.column_config.TextColumn(pinned=True),
            "Parameters": localized,
            "Operations per image": localized,
        },
        alt="Layers with output shape, parameters and their arithmetic",
    )
    st.caption(
        f"{run.n_parameters:,} trainable parameters. A multiplication with its addition counts as two operations."
    )


def _network(run: Run) -> TrainedNetwork | None:
    """Read the weights, or say why there are none and offer to train them."""
    try:
        return trained_network(run)
    except (ArtifactError, DataError) as error:
        st.warning(
            f"The weights of this run cannot be shown. {error_sentence(error)}",
            icon=":material/warning:",
        )
        st.page_link(
            TRAIN,
            label="Clone and edit",
            icon=":material/model_training:",
            query_params={"from": run.id},
        )
        return None


def _parameters(run: Run, network: TrainedNetwork | None) -> None:
    st.subheader("Weight matrices")
    plans = run.config.plan
    largest = max(plans, key=lambda planned: planned.n_parameters)
    n_trained = sum(planned.n_parameters > 0 for planned in plans)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Parameters by layer**")
        live_plot(
            _layer_parameters(run.id, _run=run),
            key="layers_parameters",
            alt="Parameters of each layer",
            height=max(140, 60 + 36 * n_trained),
        )
        st.caption(
            f"{largest.name} has {formatting.percent(largest.n_parameters / run.n_parameters)} of the {run.n_parameters:,} "
            "parameters. A deeper network does not always have more of them: a convolution uses its few weights at every place, "
            "and pooling leaves fewer inputs to the dense layer behind it."
        )
        st.page_link(
            RUNS,
            label="Parameters and accuracy of all runs",
            icon=":material/scatter_plot:",
            query_params={"as": "parameters"},
        )
    if network is not None:
        with right:
            weights_between(run, network)


@st.cache_data(show_spinner=False, max_entries=64)
def _layer_parameters(run_id: str, _run: Run) -> str:  # noqa: ARG001 - the id is the cache's key: a configuration never changes
    return str(draw_layer_parameters(_run.config.plan).to_json())


def _distribution(run: Run, network: TrainedNetwork) -> None:
    live_plot(
        _distributions(store().settings.database_url, run.id, run.revision, _network=network),
        key="layers_distributions",
        alt="Distribution of the weights of each layer",
        height=400,
    )
    st.caption("Fraction of each layer's weights by value, without biases, on a logarithmic axis.")


@st.cache_data(show_spinner=False, max_entries=64)
def _distributions(_database_url: str, run_id: str, revision: int, _network: TrainedNetwork) -> str:  # noqa: ARG001 - parts of the cache's key
    return str(
        draw_distributions(
            histograms({kernel.name: kernel.weights for kernel in _network.kernels})
        ).to_json()
    )


def _figures(run: Run, network: TrainedNetwork) -> None:
    with st.spinner(f"Evaluating {N_ASKED:,} test images"):
        dead = dead_counts(run)
    weights = {kernel.name: summarise(kernel.weights) for kernel in network.kernels}
    rows = []
    for planned in run.config.plan:
        if planned.name in weights or planned.name in dead:
            summary = weights.get(planned.name)
            figures = (
                (summary.mean, summary.std, summary.low, summary.high, summary.norm)
                if summary
                else (None,) * 5
            )
            rows.append((planned.name, _dead(dead.get(planned.name)), *figures))
    number = st.column_config.NumberColumn(format="%.3g")
    columns = ["Layer", "Dead units", "Mean", "Standard deviation", "Minimum", "Maximum", "Norm"]
    st.dataframe(
        pd.DataFrame(rows, columns=columns),
        hide_index=True,
        height="content",
        column_config={
            "Layer": st.column_config.TextColumn(pinned=True),
            **dict.fromkeys(columns[2:], number),
        },
        alt="Weights and dead units of each layer",
    )
    st.caption(
        f"A dead unit is a ReLU unit, or a filter at every place, that is zero for each of {N_ASKED:,} test images."
    )


def _dead(counts: tuple[int, int] | None) -> str:
    if counts is None:
        return "no ReLU"
    n_dead, n = counts
    return f"{n_dead:,} of {n:,} ({formatting.percent(n_dead / n)})"
