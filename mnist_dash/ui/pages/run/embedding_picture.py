"""The picture of an embedding, the image and the neighbours of a clicked point, and what the picture does not say."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import numpy.typing as npt
import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.analysis.embedding import Embedding, EmbeddingParameters
from mnist_dash.core.analysis.evaluation import ranked_images
from mnist_dash.core.config.run_config import DATASET_SIZES, RunConfig
from mnist_dash.core.data.idx import CLASS_NAMES, read_images, read_labels
from mnist_dash.core.export.png import data_uri
from mnist_dash.errors import ArtifactError, DataError, InvalidInput, MnistDashError
from mnist_dash.figures.run.embedding import ColorBy, Marks, draw_embedding
from mnist_dash.runs.execution import analyses
from mnist_dash.runs.execution.analyses import Analysis, AnalysisKind
from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.records import Run
from mnist_dash.text import plural
from mnist_dash.ui.app.addresses import refuse_number
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.app.visitor import error_sentence, may_edit
from mnist_dash.ui.components import selection
from mnist_dash.ui.components.run_evaluation import evaluated
from mnist_dash.ui.components.selected_images import choose_cell, sentence
from mnist_dash.ui.components.selection import Selection
from mnist_dash.ui.elements.digit_grid import SPRITE_COLUMNS, Tile, digit_grid, sprite
from mnist_dash.ui.elements.live_plot import live_plot
from mnist_dash.ui.elements.thumbnail import thumbnails

CHART = "emb_chart"
TRAIN_IMAGE = "train_image"
"""The selected training image, in the page's address; a test image is the selection of all views."""
_COLORS: tuple[ColorBy, ...] = get_args(ColorBy)
_FINE = 2000
"""Images up to which all their grey values travel to the browser; of more, sixteen."""

NOT_MEANT = """
**How to read t-SNE.** It keeps neighbours together and nothing else:
- the distance between two groups means little;
- the size or density of a group means nothing, because t-SNE evens densities out;
- small groups can be chance: try another seed or perplexity;
- the axes have no meaning.
"""
NOT_MEANT_PCA = """
**How to read PCA.** Distances are real, but only along these two directions. Points on top of each other may be far apart along all
others.
"""


@dataclass(frozen=True)
class Shown:
    """What is drawn of an embedding."""

    embedding: Embedding
    parameters: EmbeddingParameters
    labels: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64] | None
    class_names: tuple[str, ...]
    images: npt.NDArray[np.uint8]
    space: str
    """In which neighbours were looked for, in words."""
    name: str
    """Differs wherever the points do."""

    def sentence(self, image: int) -> str:
        """Say what an image is and what was predicted."""
        part = "test" if self.parameters.part == "test" else "training"
        true = self.class_names[self.labels[image]]
        if self.predicted is None:
            return f"{part} image {image:,}: true {true}"
        predicted = self.class_names[self.predicted[image]]
        return f"{part} image {image:,}: " + (
            f"{true}, predicted correctly"
            if predicted == true
            else f"true {true}, predicted as {predicted}"
        )


def draw_picture(run: Run, parameters: EmbeddingParameters, done: Analysis) -> None:
    """Draw a stored embedding and what is selected in it."""
    try:
        shown = _read(run, parameters, done)
    except (ArtifactError, DataError) as error:
        st.error(error_sentence(error), icon=":material/error:")
        if may_edit():
            st.button(
                "Compute again",
                key="emb_again",
                icon=":material/replay:",
                on_click=ask,
                args=(run, parameters),
                kwargs={"again": True},
            )
        return
    chosen = _selected(run, parameters)
    cell = _cell(run, chosen) if parameters.part == "test" else None
    image = (
        chosen.image if chosen.image is not None and chosen.image < parameters.n_points else None
    )
    left, right = st.columns([5, 3], gap="large")
    with left:
        _chart(run, shown, chosen, cell, image)
    with right:
        _panel(run, shown, chosen, cell, image)
        st.markdown(NOT_MEANT if parameters.method == "tsne" else NOT_MEANT_PCA)
        st.caption(_facts(shown))


def ask(run: Run, parameters: EmbeddingParameters, *, again: bool = False) -> None:
    """Ask for an embedding, as a button does."""
    try:
        analyses.request(
            store(), run.id, AnalysisKind.EMBEDDING, parameters.model_dump(), again=again
        )
    except MnistDashError as error:
        st.toast(str(error), icon=":material/error:")


def _chart(
    run: Run, shown: Shown, chosen: Selection, cell: npt.NDArray[np.int64] | None, image: int | None
) -> None:
    options = _COLORS if shown.predicted is not None else _COLORS[:1]
    color_by = st.segmented_control(
        "Colour by", options, default="label", required=True, key="emb_color", bind="query-params"
    )
    n = shown.parameters.n_points
    marks = Marks(
        None if cell is None else cell[cell < n],
        image,
        () if image is None else shown.embedding.neighbours[image].tolist(),
    )
    clicked = live_plot(
        _figure(shown, color_by, marks),
        key=CHART,
        alt=f"{plural(n, 'image')} on a plane, coloured by {color_by}",
        height=560,
        clickable=True,
    )
    pictures = _sprite(
        store().settings.database_url, run.config.dataset, shown.parameters.part, n, shown.images
    )
    thumbnails(pictures, n=n, columns=SPRITE_COLUMNS, chart=CHART, key="emb_hover")
    if isinstance(clicked, int) and 0 <= clicked < n:
        _choose(shown.parameters, chosen, clicked)


def _figure(shown: Shown, color_by: ColorBy, marks: Marks) -> str:
    shares = shown.embedding.shares
    axes = None
    if shown.parameters.method == "pca":
        axes = tuple(
            f"component {k + 1}: {formatting.percent(float(share), 1)} of the variance"
            for k, share in enumerate(shares[:2])
        )
    figure = draw_embedding(
        shown.embedding.points,
        shown.labels,
        shown.predicted,
        color_by=color_by,
        class_names=shown.class_names,
        marks=marks,
        name=shown.name,
        axes=axes if axes is not None and len(axes) == 2 else None,
    )
    return str(figure.to_json())


def _panel(
    run: Run, shown: Shown, chosen: Selection, cell: npt.NDArray[np.int64] | None, image: int | None
) -> None:
    """Draw the selected image and its neighbours, or say how to select one."""
    n = shown.parameters.n_points
    if cell is not None:
        n_shown = int((cell < n).sum())
        st.markdown(
            f"**{sentence(evaluated(run), chosen, len(cell))}**. {n_shown:,} of them among these {n:,}."
        )
        st.button(
            "Clear",
            key="clear_selection",
            icon=":material/close:",
            on_click=choose_cell,
            args=(Selection(image=chosen.image),),
        )
    if chosen.image is not None and image is None:
        st.info(
            f"Image {chosen.image:,} is not among the first {n:,}. Take more points to see it here.",
            icon=":material/info:",
        )
    if image is None:
        st.caption(
            "Click a point to see its image and its nearest neighbours. Crosses are misclassified images."
        )
        return
    spoken = shown.sentence(image)
    st.markdown(f"**{spoken[0].upper()}{spoken[1:]}**")
    st.image(np.kron(shown.images[image], np.ones((5, 5), dtype=np.uint8)), width=140, alt=spoken)
    nearest = shown.embedding.neighbours[image]
    st.caption(f"Its {len(nearest)} nearest neighbours by {shown.space}, nearest first:")
    tiles = [_tile(shown, int(neighbour)) for neighbour in nearest]
    clicked = digit_grid(
        shown.images[nearest], tiles, key="emb_neighbours", class_names=shown.class_names, size=56
    )
    if clicked is not None:
        _choose(shown.parameters, chosen, clicked)


def _tile(shown: Shown, image: int) -> Tile:
    true = shown.class_names[shown.labels[image]]
    called = true if shown.predicted is None else shown.class_names[shown.predicted[image]]
    return Tile(image, shown.sentence(image), true if called == true else f"{true}, not {called}")


def _facts(shown: Shown) -> str:
    shares = shown.embedding.shares
    kept = f"{len(shares)} principal components hold {formatting.percent(float(shares.sum()), 1)} of the variance"
    if shown.parameters.method == "pca":
        return f"The first {kept}, the two drawn {formatting.percent(float(shares[:2].sum()), 1)}."
    again = f"Perplexity {shown.parameters.perplexity:g} and seed {shown.parameters.seed} give the same embedding again."
    return f"The {kept}; t-SNE is computed from them. {again}"


def _selected(run: Run, parameters: EmbeddingParameters) -> Selection:
    """Read what is selected; a training image is one of its own, and no test image is meant by it."""
    try:
        if parameters.part == "test":
            return selection.current(DATASET_SIZES[run.config.dataset][1])
        refuse_number(
            TRAIN_IMAGE,
            low=0,
            high=parameters.n_points - 1,
            what="The index of a training image among these points",
        )
        text = st.query_params.get(TRAIN_IMAGE, "")
        return Selection(
            image=int(text)
            if text.isascii() and text.isdigit() and int(text) < parameters.n_points
            else None
        )
    except InvalidInput as error:
        st.error(error_sentence(error), icon=":material/error:")
        return Selection()


def _choose(parameters: EmbeddingParameters, chosen: Selection, image: int) -> None:
    """Select an image; the cell that is selected stays so."""
    if parameters.part == "train":
        st.query_params[TRAIN_IMAGE] = str(image)
    else:
        selection.select(replace(chosen, image=image))
    st.rerun()


def _cell(run: Run, chosen: Selection) -> npt.NDArray[np.int64] | None:
    """Find the images of the selected cell of the confusion matrix; None where none is selected, or the run was not evaluated."""
    if (chosen.true is None and chosen.predicted is None) or not artifacts.has(
        store(), run.id, ArtifactKind.TEST_PROBABILITIES
    ):
        return None
    of = evaluated(run)
    return ranked_images(of.labels, of.probabilities, true=chosen.true, predicted=chosen.predicted)


def _read(run: Run, parameters: EmbeddingParameters, done: Analysis) -> Shown:
    """Read a stored embedding with the labels and predictions of its images, once for all sessions.

    Raises:
        ArtifactError: it is missing or damaged.
        DataError: the data set is.
    """
    return _load(
        f"{store().settings.database_url} {run.id} {done.part} {done.attempt}",
        run.revision,
        _run=run,
        _parameters=parameters,
        _done=done,
    )


@st.cache_resource(show_spinner=False, max_entries=16)
def _load(
    name: str,
    revision: int,  # noqa: ARG001 - the revision is part of the cache's key
    _run: Run,
    _parameters: EmbeddingParameters,
    _done: Analysis,
) -> Shown:
    embedding = Embedding.unpack(
        artifacts.read(store(), _run.id, ArtifactKind.EMBEDDING, _done.part)
    )
    n, part, data_dir, dataset = (
        _parameters.n_points,
        _parameters.part,
        store().settings.data_dir,
        _run.config.dataset,
    )
    predicted = embedding.predicted.astype(np.int64) if len(embedding.predicted) else None
    if part == "test" and artifacts.has(store(), _run.id, ArtifactKind.TEST_PROBABILITIES):
        predicted = evaluated(_run).probabilities[:n].argmax(1)
    labels, images = (
        read_labels(dataset, part, data_dir)[:n],
        read_images(dataset, part, data_dir)[:n],
    )
    return Shown(
        embedding,
        _parameters,
        labels,
        predicted,
        CLASS_NAMES[dataset],
        images,
        _space(_run.config, _parameters, embedding),
        name,
    )


def _space(config: RunConfig, parameters: EmbeddingParameters, embedding: Embedding) -> str:
    if parameters.layer is None:
        return "their pixels"
    planned = config.plan[parameters.layer]
    whole = embedding.n_dimensions == math.prod(planned.output_shape)
    return (
        f"the output of {planned.name}"
        if whole
        else f"the first {embedding.n_dimensions} principal components of {planned.name}"
    )


@st.cache_data(show_spinner=False, max_entries=16)
def _sprite(
    _database_url: str,
    dataset: str,  # noqa: ARG001 - the cache's key
    part: str,  # noqa: ARG001 - the cache's key
    n: int,
    _images: npt.NDArray[np.uint8],
) -> str:
    """Lay the images side by side, of many with sixteen grey values only: half the bytes."""
    return data_uri(sprite(_images if n <= _FINE else _images // 17 * 17))
