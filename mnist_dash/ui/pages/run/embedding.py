"""Embedding: images on a plane, near each other where a layer finds them alike."""

from __future__ import annotations

import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.analysis.embedding import (
    MAX_POINTS,
    N_COMPONENTS,
    EmbeddingParameters,
    Method,
    check_embedding,
    embeddable_layers,
    estimate_seconds,
)
from mnist_dash.core.config.run_config import DATASET_SIZES, RunConfig
from mnist_dash.core.data.idx import PartName
from mnist_dash.errors import InvalidInput
from mnist_dash.glossary import help_for
from mnist_dash.runs.execution import analyses
from mnist_dash.runs.execution.analyses import Analysis, AnalysisKind, AnalysisState
from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.records import Run
from mnist_dash.text import plural
from mnist_dash.ui.app.addresses import refuse_choice, refuse_number
from mnist_dash.ui.app.moving import moving
from mnist_dash.ui.app.navigation import TRAIN
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.app.visitor import error_sentence, has_share_link, may_edit
from mnist_dash.ui.pages.run.embedding_picture import ask, draw_picture

TICK_SECONDS = 0.5
PIXELS = "pixels"
METHODS: dict[str, Method] = {"t-SNE": "tsne", "PCA": "pca"}
IMAGES: dict[str, PartName] = {"test": "test", "training": "train"}
"""What the address says -> what an embedding is computed from."""
_KIND = AnalysisKind.EMBEDDING


def draw(run: Run) -> None:
    """Draw the view of an ended run."""
    parameters = _controls(run.config)
    try:
        check_embedding(parameters, run.config)
    except InvalidInput as error:
        st.error(error_sentence(error), icon=":material/error:")
        return
    found = analyses.find(store(), run.id, _KIND, parameters.model_dump())
    if found is None or found.state is AnalysisState.FAILED:
        _offer(run, parameters, found)
    elif found.state.is_live:
        with st.container():
            moving(_progress, every=TICK_SECONDS)(run, parameters)
    else:
        draw_picture(run, parameters, found)


def _controls(config: RunConfig) -> EmbeddingParameters:
    """Offer what decides an embedding; the address keeps it."""
    layers = {planned.name: planned.index for planned in embeddable_layers(config)}
    sources = [*layers, PIXELS]
    hidden = list(layers)[:-1]
    _refuse(sources)

    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        method = METHODS[
            st.segmented_control(
                "Method",
                METHODS,
                default="t-SNE",
                required=True,
                key="emb_method",
                bind="query-params",
            )
        ]
        start = sources.index(hidden[-1]) if hidden else 0
        source = st.selectbox(
            "Output of layer",
            sources,
            start,
            key="emb_layer",
            bind="query-params",
            width=170,
            help=_HELP_LAYER,
        )
        part = IMAGES[
            st.segmented_control(
                "Images",
                IMAGES,
                default="test",
                required=True,
                key="emb_images",
                bind="query-params",
            )
        ]
        n_points = st.number_input(
            "Points",
            value=1000,
            step=500,
            key="emb_n",
            bind="query-params",
            width=130,
            help=_help_points(config),
        )
        is_pca = method == "pca"
        perplexity = st.number_input(
            "Perplexity",
            value=30.0,
            step=5.0,
            format="%g",
            key="emb_perplexity",
            bind="query-params",
            width=130,
            disabled=is_pca,
            help=_HELP_PERPLEXITY,
        )
        seed = st.number_input(
            "Seed",
            value=0,
            step=1,
            key="emb_seed",
            bind="query-params",
            width=110,
            disabled=is_pca,
            help=_HELP_SEED,
        )
    layer = None if source == PIXELS else layers[source]
    chosen = EmbeddingParameters(
        method=method,
        layer=layer,
        part=part,
        n_points=int(n_points),
        perplexity=float(perplexity),
        seed=int(seed),
    )
    return chosen.canonical


_HELP_LAYER = help_for("embedding", "The pixels are the input of the network.")
_HELP_PERPLEXITY = help_for("perplexity", "Few show small groups, many the overall shape.")
_HELP_SEED = help_for("seed", "What changes with another seed is chance.")


def _help_points(config: RunConfig) -> str:
    n_train, n_test = (min(n, MAX_POINTS) for n in DATASET_SIZES[config.dataset])
    return f"How many images are drawn, from the first on: up to {n_test:,} test images or {n_train:,} training images."


def _refuse(sources: list[str]) -> None:
    """Say what in the address no control would accept."""
    refuse_choice("emb_method", METHODS, what="A method")
    refuse_choice("emb_layer", sources, what="What is embedded")
    refuse_choice("emb_images", IMAGES, what="The part of the images")
    refuse_number("emb_n", low=0, high=10**9, what="The number of points")
    refuse_number("emb_seed", low=0, high=2**32 - 1, what="A seed")


def _offer(run: Run, parameters: EmbeddingParameters, failed: Analysis | None) -> None:
    """Offer to compute what is not there, or say what it lacks."""
    if failed is not None:
        st.error(failed.reason, icon=":material/error:")
    if parameters.layer is not None and not artifacts.has(store(), run.id, ArtifactKind.WEIGHTS):
        st.warning(
            "This run has no weights: it left none when it ended, or they were not kept. The output of a layer needs them. "
            "Rerun it, or embed the pixels, which need no network.",
            icon=":material/warning:",
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                "Embed the pixels",
                key="emb_pixels",
                icon=":material/grid_on:",
                on_click=_take_pixels,
            )
            if not has_share_link():
                st.page_link(
                    TRAIN,
                    label="Clone and edit",
                    icon=":material/replay:",
                    query_params={"from": run.id},
                )
        return
    st.caption(_sentence(parameters, run.config))
    seconds = formatting.duration(max(1.0, estimate_seconds(parameters, run.config)))
    if not may_edit():
        st.caption("This embedding is not computed yet. An editor can compute it.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Compute" if failed is None else "Try again",
            key="emb_compute",
            type="primary",
            icon=":material/scatter_plot:",
            on_click=ask,
            args=(run, parameters),
        )
        st.caption(
            f"Takes about {seconds} on one core at low priority. You can leave the page meanwhile; the result is kept with the run.",
            width="stretch",
        )
    if store().settings.n_workers:
        # Ready when the button is pressed: it takes two seconds to start.
        analyses.ensure_analyst(store().settings)


def _sentence(parameters: EmbeddingParameters, config: RunConfig) -> str:
    """Say what will be computed."""
    what = (
        "their pixel values"
        if parameters.layer is None
        else f"the output of {config.plan[parameters.layer].name}"
    )
    images = f"the first {plural(parameters.n_points, 'test image' if parameters.part == 'test' else 'training image')}"
    how = (
        f"{N_COMPONENTS} principal components, then t-SNE"
        if parameters.method == "tsne"
        else "the first two principal components"
    )
    return f"One point for each of {images}, near each other placed by similarity of {what}: {how}."


def _progress(run: Run, parameters: EmbeddingParameters) -> None:
    """Draw how far a computation is; the page is drawn anew when it has ended."""
    now = analyses.find(store(), run.id, _KIND, parameters.model_dump())
    if now is None or not now.state.is_live:
        st.rerun()
    analyses.ensure_analyst(store().settings)
    left = (
        now.seconds_left
        if now.seconds_left is not None
        else estimate_seconds(parameters, run.config) * (1 - now.fraction)
    )
    doing = now.phrase if now.state is AnalysisState.RUNNING else "Waiting for the analyst"
    again = f" (attempt {now.attempt})" if now.attempt > 1 else ""
    st.progress(
        now.fraction, text=f"{doing}{again}, about {formatting.duration(max(left, 0.1))} left"
    )


def _take_pixels() -> None:
    st.session_state["emb_layer"] = PIXELS
