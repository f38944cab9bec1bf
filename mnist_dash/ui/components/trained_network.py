"""What a run has learned, ready to compute with: once for all sessions."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from mnist_dash.core.analysis.layer_statistics import Kernel, dead_units, kernels
from mnist_dash.core.analysis.predictor import Predictor, Values
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.data.idx import read_images
from mnist_dash.runs.query.trained import read_trained
from mnist_dash.runs.store.records import Run
from mnist_dash.ui.app.resources import store

N_ASKED = 1000
"""Test images that every unit is asked before it is called dead."""


@dataclass(frozen=True)
class TrainedNetwork:
    """What a run has learned, ready to use."""

    config: RunConfig
    predictor: Predictor
    kernels: tuple[Kernel, ...]


def trained_network(run: Run) -> TrainedNetwork:
    """Read a run's weights.

    Raises:
        ArtifactError: they were not kept, or are damaged.
        DataError: the data set that its scaling is fitted to is missing or damaged.
    """
    return _load(store().settings.database_url, run.id, run.revision, _run=run)


@st.cache_resource(show_spinner=False, max_entries=4)
def _load(_database_url: str, run_id: str, revision: int, _run: Run) -> TrainedNetwork:  # noqa: ARG001 - the revision is part of the cache's key
    weights, predictor = read_trained(store(), _run)
    return TrainedNetwork(_run.config, predictor, kernels(_run.config, weights))


def activations_of(run: Run, image: int) -> list[Values]:
    """Compute what every layer of a run's network makes of one test image: one array a layer, without the batch axis.

    Raises:
        ArtifactError: as for `trained_network`.
        DataError: the test images are missing or damaged.
    """
    return _activations(store().settings.database_url, run.id, run.revision, image, _run=run)


@st.cache_resource(show_spinner=False, max_entries=32)
def _activations(
    _database_url: str,
    run_id: str,  # noqa: ARG001 - parts of the cache's key
    revision: int,  # noqa: ARG001 - parts of the cache's key
    image: int,
    _run: Run,
) -> list[Values]:
    network = trained_network(_run)
    images = read_images(_run.config.dataset, "test", store().settings.data_dir)
    return [values[0] for values in network.predictor.activations(images[image : image + 1])]


def dead_counts(run: Run) -> dict[str, tuple[int, int]]:
    """Count the units of each ReLU layer that are zero for the first `N_ASKED` test images.

    Returns:
        The layer's name -> dead units, units.

    Raises:
        ArtifactError: as for `trained_network`.
        DataError: the test images are missing or damaged.
    """
    return _dead_counts(store().settings.database_url, run.id, run.revision, _run=run)


@st.cache_resource(show_spinner=False, max_entries=256)
def _dead_counts(
    _database_url: str,
    run_id: str,  # noqa: ARG001 - parts of the cache's key
    revision: int,  # noqa: ARG001 - parts of the cache's key
    _run: Run,
) -> dict[str, tuple[int, int]]:
    network = trained_network(_run)
    images = read_images(_run.config.dataset, "test", store().settings.data_dir)[:N_ASKED]
    plans = _run.config.plan
    dead = dead_units(network.config, network.predictor, images)
    return {plans[index].name: (int(units.sum()), len(units)) for index, units in dead.items()}
