"""The learning curves of several runs at once, as a chart that is drawn again twice a second reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from mnist_dash.runs.store import schema
from mnist_dash.runs.store.run_store import STEP_COLUMNS, Store

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LearningCurves:
    """What a run has recorded so far.

    Attributes:
        steps: ``(n, 3)``, one row a recorded step: step from 1, loss and accuracy of its batch.
        epochs: ``(m, 2)``, one row a finished epoch: validation loss and accuracy.
    """

    steps: Array
    epochs: Array


def learning_curves(store: Store, run_ids: Sequence[str]) -> dict[str, LearningCurves]:
    """Read the curves of runs by id; a run that has not begun has empty ones.

    Raises:
        NotAllowed: whoever asks may read other runs only.
    """
    store.check_readable(run_ids)
    chunks, epochs = schema.step_chunks, schema.epochs
    with store.reading() as connection:
        blobs = connection.execute(
            sa.select(chunks.c.run_id, chunks.c.points)
            .where(chunks.c.run_id.in_(run_ids))
            .order_by(chunks.c.first_step)
        ).all()
        rows = connection.execute(
            sa.select(epochs.c.run_id, epochs.c.val_loss, epochs.c.val_accuracy)
            .where(epochs.c.run_id.in_(run_ids))
            .order_by(epochs.c.epoch)
        ).all()
    return {
        run_id: LearningCurves(_steps(run_id, blobs), _epochs(run_id, rows)) for run_id in run_ids
    }


def _steps(run_id: str, blobs: Iterable[sa.Row[Any, Any]]) -> Array:
    own = b"".join(row.points for row in blobs if row.run_id == run_id)
    points = np.frombuffer(own, dtype="<f8").reshape(-1, len(STEP_COLUMNS))
    return points[:, [STEP_COLUMNS.index(name) for name in ("step", "loss", "accuracy")]]


def _epochs(run_id: str, rows: Iterable[sa.Row[Any, Any, Any]]) -> Array:
    return np.array(
        [(row.val_loss, row.val_accuracy) for row in rows if row.run_id == run_id], dtype=np.float64
    ).reshape(-1, 2)
