"""What a run has learned, ready to compute with."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from mnist_dash.core.analysis.predictor import Predictor
from mnist_dash.core.data.scaling import scaling_values
from mnist_dash.errors import ArtifactError
from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store

Weights = Mapping[str, npt.NDArray[np.float32]]


def read_trained(store: Store, run: Run) -> tuple[Weights, Predictor]:
    """Read a run's weights, and make the network of them.

    Raises:
        ArtifactError: they were not kept, or are damaged.
        DataError: the data set that its scaling is fitted to is missing or damaged.
    """
    content = artifacts.read(store, run.id, ArtifactKind.WEIGHTS)
    try:
        weights = safetensors.numpy.load(content)
        return weights, Predictor(
            run.config, weights, scaling_values(run.config, store.settings.data_dir)
        )
    except (safetensors.SafetensorError, ValueError) as error:
        raise ArtifactError(
            f"The stored weights of run {run.id} do not fit its network: {error} Rerun it."
        ) from error
