"""Where a drawing lies in the embedding of a run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.analysis.embedding import Embedding, EmbeddingParameters
from mnist_dash.core.data.idx import CLASS_NAMES, read_images, read_labels
from mnist_dash.core.data.similarity import nearest_rows
from mnist_dash.errors import ArtifactError, DataError
from mnist_dash.figures.run.placement import draw_placement
from mnist_dash.runs.execution import analyses
from mnist_dash.runs.execution.analyses import AnalysisKind
from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.records import Run
from mnist_dash.text import plural
from mnist_dash.ui.app.navigation import RUN
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.components.trained_network import trained_network
from mnist_dash.ui.elements.live_plot import live_plot

Values = npt.NDArray[np.float32]
N_NEIGHBOURS = 10
MAX_VALUES = 2**24
"""Activations that are held to compare with, 64 MiB; layers with more are compared with the first of the images."""


@dataclass(frozen=True, eq=False)
class _Map:
    """An embedding with what the layer makes of its images."""

    points: Values
    labels: npt.NDArray[np.int64]
    values: Values


def place(image: npt.NDArray[np.uint8], run: Run) -> None:
    """Draw the newest embedding of a run with the drawing in it, or say how to get one."""
    done = analyses.newest_done(store(), run.id, AnalysisKind.EMBEDDING)
    if done is None:
        st.caption(
            f"{formatting.plain(run.title)} has no embedding yet. Compute one to see the position of your drawing in it."
        )
        st.page_link(
            RUN,
            label="Compute embedding",
            icon=":material/scatter_plot:",
            query_params={"run": run.id, "view": "embedding"},
        )
        return
    parameters = EmbeddingParameters.model_validate_json(done.parameters)
    try:
        known = _map(
            store().settings.database_url, run.id, done.part, _run=run, _parameters=parameters
        )
        row = _values(run, parameters.layer, image[None])[0]
    except (ArtifactError, DataError) as error:
        st.error(str(error), icon=":material/error:")
        return
    neighbours = nearest_rows(known.values, row, n=N_NEIGHBOURS)
    names = CLASS_NAMES[run.config.dataset]
    layer = (
        "the pixels"
        if parameters.layer is None
        else f"the output of {run.config.plan[parameters.layer].name}"
    )
    method = "t-SNE" if parameters.method == "tsne" else "PCA"
    st.caption(
        f"{method} of {layer} for {plural(len(known.points), f'{parameters.part} image')}. "
        "An embedding has no exact position for a new image: the "
        f"star is the mean of the {N_NEIGHBOURS} nearest images by {layer} (ringed). If these are far apart, it means little."
    )
    near = ", ".join(names[label] for label in known.labels[neighbours])
    live_plot(
        str(
            draw_placement(
                known.points, known.labels, neighbours.tolist(), class_names=names, name=done.part
            ).to_json()
        ),
        key="draw_place_chart",
        alt=f"Your drawing among {plural(len(known.points), 'image')}, nearest to images of {near}",
        height=480,
    )


@st.cache_resource(show_spinner="Computing the output of the layer …", max_entries=4)
def _map(
    _database_url: str, run_id: str, part: str, _run: Run, _parameters: EmbeddingParameters
) -> _Map:
    embedding = Embedding.unpack(artifacts.read(store(), run_id, ArtifactKind.EMBEDDING, part))
    dataset, data_dir = _run.config.dataset, store().settings.data_dir
    images = read_images(dataset, _parameters.part, data_dir)[: len(embedding.points)]
    width = _values(_run, _parameters.layer, images[:1]).shape[1]
    n = min(len(images), MAX_VALUES // width)
    labels = read_labels(dataset, _parameters.part, data_dir)[:n]
    return _Map(embedding.points[:n], labels, _values(_run, _parameters.layer, images[:n]))


def _values(run: Run, layer: int | None, images: npt.NDArray[np.uint8]) -> Values:
    """Give what an embedding is made of, ``(B, d)``."""
    if layer is None:
        return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
    return trained_network(run).predictor.layer_output(images, layer=layer).reshape(len(images), -1)
