"""A branch and its marks on the curves."""

from __future__ import annotations

import pandas as pd
import pytest

from mnist_dash.figures.base.curves import Axis, CurveOptions, draw_curves, prepare_curves
from mnist_dash.figures.run.branches import Mark, add_marks, parent_curves

EPOCHS = pd.DataFrame(
    {
        "epoch": [1, 2, 3],
        "step": [10, 20, 60],
        "seconds_training": [1.0] * 3,
        "seconds_evaluation": [0.5] * 3,
    }
    | {
        f"{part}_{metric}": [0.3, 0.2, 0.1]
        for part in ("running", "train", "val", "test")
        for metric in ("loss", "accuracy")
    }
)
STEPS = pd.DataFrame(
    {
        "step": [5, 20, 40],
        "seconds": [0.5, 2.0, 4.0],
        "loss": [0.4, 0.3, 0.2],
        "accuracy": [0.8, 0.9, 0.95],
    }
)


@pytest.mark.parametrize(("axis", "x"), [("epoch", 2), ("step", 20), ("seconds", 3.0)])
def test_marks_stand_where_their_epoch_ended(axis: Axis, x: float) -> None:
    """One line an epoch, with all its sentences; beyond the history there is a place on the axis of epochs alone."""
    figure = draw_curves(
        parent_curves(EPOCHS, name="run a", metric="loss", axis=axis),
        metric="loss",
        options=CurveOptions(axis),
    )
    add_marks(
        figure,
        (Mark(2, "Forked."), Mark(5, "Planned."), Mark(2, "Paused.")),
        epochs=EPOCHS,
        axis=axis,
    )
    assert [shape.x0 for shape in figure.layout.shapes] == ([x, 5] if axis == "epoch" else [x])
    assert figure.layout.annotations[0].hovertext == "Forked.<br>Paused."
    assert [trace.name for trace in figure.data] == ["run a, training", "run a, validation"]


def test_batches_lie_in_their_epochs_when_the_batch_size_changes() -> None:
    """Half of the forty updates of epoch 3 are half an epoch."""
    curves = prepare_curves(
        EPOCHS, STEPS, metric="loss", axis="epoch", steps_per_epoch=10, steps_until=[0, 10, 20, 60]
    )
    assert curves[0].x == (0.5, 2.0, 2.5)
