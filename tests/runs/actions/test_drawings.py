"""Kept drawings, and the runs that recognise them."""

from __future__ import annotations

import os

import numpy as np
import pytest
import safetensors.numpy

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.data.drawing import Strokes, decode_strokes, image_of
from mnist_dash.core.layers import Dense, Flatten
from mnist_dash.errors import InvalidInput
from mnist_dash.runs.actions import drawings, run_actions
from mnist_dash.runs.execution.worker_records import Outcome
from mnist_dash.runs.query import recognizers
from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.engine import Job
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from tests.runs.conftest import new_worker

ONE: Strokes = (((0.5, 0.1), (0.5, 0.9)),)
SEVEN: Strokes = (((0.2, 0.2), (0.8, 0.2), (0.4, 0.9)),)
LINEAR = RunConfig(layers=(Flatten(), Dense(units=10, activation="softmax")))


def finish(
    store: Store, config: RunConfig, *, accuracy: float, weights: dict[str, np.ndarray] | None
) -> str:
    """Play a run to its end with these weights."""
    records = new_worker(store, f"played-{accuracy}", pid=os.getpid())
    run = records.claim(Job(run_actions.submit(store, config), 1))
    assert run is not None
    content = None if weights is None else safetensors.numpy.save(weights)
    files = (
        {}
        if content is None
        else {
            ArtifactKind.WEIGHTS: artifacts.write(
                store.settings, run.id, ArtifactKind.WEIGHTS, content
            )
        }
    )
    records.finish(run, Outcome(RunState.FINISHED, test_accuracy=accuracy), files=files)
    return run.id


def linear_weights(favourite: int) -> dict[str, np.ndarray]:
    """Weights that always say the same digit."""
    bias = np.zeros(10, np.float32)
    bias[favourite] = 5
    return {"1.weight": np.zeros((10, 784), np.float32), "1.bias": bias}


def test_drawings_are_kept_deleted_and_brought_back(store: Store) -> None:
    """Pixels, strokes and label come back as they were."""
    first, second = drawings.keep(store, ONE, 1), drawings.keep(store, SEVEN, 7)
    listed = drawings.kept(store)
    assert [(drawing.id, drawing.label) for drawing in listed] == [(first, 1), (second, 7)]
    np.testing.assert_array_equal(listed[1].image, image_of(SEVEN))
    assert np.allclose(decode_strokes(listed[1].strokes)[0], SEVEN[0], atol=0.001)
    revision = store.revision()
    drawings.delete(store, [first])
    assert store.revision() > revision
    assert [drawing.id for drawing in drawings.kept(store)] == [second]
    drawings.undelete(store, [first])
    assert len(drawings.kept(store)) == 2


@pytest.mark.parametrize(
    ("strokes", "label", "sentence"),
    [
        ((), 3, "The canvas is empty"),
        (ONE, 10, "10 is no label of a drawing"),
        (ONE, -1, "-1 is no label of a drawing"),
    ],
)
def test_what_cannot_be_kept_is_a_sentence(
    store: Store, strokes: Strokes, label: int, sentence: str
) -> None:
    """Nothing is kept then."""
    with pytest.raises(InvalidInput, match=sentence):
        drawings.keep(store, strokes, label)
    assert drawings.kept(store) == ()


def test_runs_are_listed_by_what_they_can_do(store: Store) -> None:
    """Best first, one of each configuration; without weights, or of clothes, not at all."""
    good = finish(store, LINEAR, accuracy=0.92, weights=linear_weights(3))
    finish(store, LINEAR, accuracy=0.9, weights=linear_weights(4))
    better = finish(
        store, LINEAR.model_copy(update={"seed": 1}), accuracy=0.93, weights=linear_weights(5)
    )
    finish(store, LINEAR.model_copy(update={"seed": 2}), accuracy=0.99, weights=None)
    assert [run.id for run in recognizers.best(store, limit=3)] == [better, good]
    assert [run.id for run in recognizers.newest(store, limit=1)] == [better]
