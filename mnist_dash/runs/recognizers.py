"""Trained networks as pages use them: to say what is on an image. Numpy alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import safetensors.numpy
import sqlalchemy as sa

from mnist_dash.core import forward
from mnist_dash.errors import ArtifactError, InvalidInput
from mnist_dash.runs import artifacts, schema
from mnist_dash.runs.artifacts import ArtifactKind
from mnist_dash.runs.records import Run
from mnist_dash.runs.states import RunState
from mnist_dash.runs.store import Store, run_from_row

DIGIT_SETS = ("mnist", "qmnist", "emnist_digits")
"""Data sets whose classes are the digits 0 to 9."""
_SCANNED = 200
"""Runs that are looked through at most for those that can recognise digits."""


@dataclass(frozen=True, eq=False)
class Recognizer:
    """A run's trained network."""

    run: Run
    weights: Mapping[str, npt.NDArray[np.float32]]
    scale: forward.Scale

    def probabilities(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Give the probabilities of the classes, ``(B, 10)``, for images ``(B, 28, 28)``."""
        return forward.probabilities(self.run.config, self.weights, images, self.scale)


def load(store: Store, run: Run) -> Recognizer:
    """Read a run's network.

    Raises:
        InvalidInput: the run was trained on something else than pixels.
        ArtifactError: it has left no weights, or they are damaged.
        DataError: the data that its scaling is fitted to are missing or damaged.
    """
    if run.config.features != "pixels":
        raise InvalidInput(
            f"A drawing is recognised by runs that read pixels; got run {run.id}, which reads {run.config.features.upper()} features. "
            "Choose another run."
        )
    weights = safetensors.numpy.load(artifacts.read(store, run.id, ArtifactKind.WEIGHTS))
    recognizer = Recognizer(run, weights, forward.fitted_scaling(run.config, store.settings.data_dir))
    try:
        recognizer.probabilities(np.zeros((1, 28, 28), np.uint8))
    except (ValueError, IndexError) as error:
        raise ArtifactError(f"The weights of run {run.id} fit its layers; got: {error} Train it again.") from error
    return recognizer


def newest(store: Store, *, limit: int) -> tuple[Run, ...]:
    """List finished runs that read the pixels of digits and have left weights, newest first."""
    return _listed(store, schema.runs.c.created_at.desc(), limit)


def best(store: Store, *, limit: int) -> tuple[Run, ...]:
    """List the same runs by test accuracy, best first, one of each configuration."""
    chosen: dict[str, Run] = {}
    for run in _listed(store, schema.runs.c.test_accuracy.desc(), _SCANNED):
        chosen.setdefault(run.config_hash, run)
    return tuple(chosen.values())[:limit]


def _listed(store: Store, order: sa.UnaryExpression[object], limit: int) -> tuple[Run, ...]:
    runs, files = schema.runs, schema.artifacts
    have_weights = sa.exists().where(files.c.run_id == runs.c.id, files.c.kind == ArtifactKind.WEIGHTS)
    query = sa.select(runs).where(
        runs.c.state == RunState.FINISHED, runs.c.deleted_at.is_(None), runs.c.test_accuracy.is_not(None), have_weights
    )
    with store.reading() as connection:
        rows = connection.execute(query.order_by(order, runs.c.id).limit(_SCANNED)).mappings().all()
    found = (run for run in map(run_from_row, rows) if run.config.features == "pixels" and run.config.dataset in DIGIT_SETS)
    return tuple(found)[:limit]
