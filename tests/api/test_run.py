"""A run in a notebook: what it gives, what it draws, what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_dash.api.store import OpenStore
from mnist_dash.core.data.archives import PACKAGED_ARCHIVES
from mnist_dash.core.data.idx import read_images, read_labels
from mnist_dash.errors import ArtifactError, InvalidInput, UnknownRun
from mnist_dash.figures.base.paint import CATEGORICAL
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from tests.trained import TINY

Trained = tuple[OpenStore, Run, Run]


def test_metrics_and_history_are_those_of_the_store(trained: Trained) -> None:
    """What a notebook reads is what was recorded."""
    opened, recorded, _ = trained
    run = opened.run(recorded.id)
    assert run.metrics["test_accuracy"] == recorded.test_accuracy
    assert run.history["epoch"].tolist() == [1]
    assert run.history["test_accuracy"].iloc[-1] == pytest.approx(recorded.test_accuracy)
    assert (run.state, run.config) == ("finished", TINY)


def test_predictions_are_those_that_were_tested(trained: Trained) -> None:
    """Grey values and floats give the same probabilities; their errors are those of the confusion matrix."""
    opened, recorded, _ = trained
    run = opened.run(recorded.id)
    images, labels = (
        read_images("mnist", "test", PACKAGED_ARCHIVES)[:500],
        read_labels("mnist", "test", PACKAGED_ARCHIVES),
    )
    probabilities = run.predict(images)
    assert probabilities.shape == (500, 10)
    assert np.array_equal(probabilities, run.predict(images[:, None].astype(np.float32) / 255))
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    matrix = run.confusion_matrix()
    assert matrix.to_numpy().sum() == len(labels)
    assert np.trace(matrix.to_numpy()) / len(labels) == pytest.approx(recorded.test_accuracy)
    assert run.predict(images[0]).argmax() == probabilities[0].argmax()


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (np.full((2, 28, 28), 255.0), "values from 255 to 255"),
        (np.zeros((2, 27, 28)), "the shape (2, 27, 28)"),
        (np.full((1, 28, 28), np.nan), "values from nan to nan"),
        (np.full((1, 28, 28), -1), "values from -1"),
        (["a"], "of type"),
    ],
)
def test_images_that_are_none_are_refused(trained: Trained, images: object, said: str) -> None:
    """The sentence says what is wrong with the values, and nothing is predicted."""
    with pytest.raises(InvalidInput) as refused:
        trained[0].run(trained[1].id).predict(images)
    assert said in str(refused.value)


def test_figures_have_their_own_colours(trained: Trained) -> None:
    """Outside of a page nothing paints a figure, so that it brings its colours; lines of one kind share one."""
    run = trained[0].run(trained[1].id)
    lines = {trace.name: trace.line.color for trace in run.plot("accuracy", axis="step").data}
    assert lines["training"] == CATEGORICAL[0]
    assert lines["validation"] == CATEGORICAL[1]
    (heat,) = run.plot("confusion").data
    assert len(heat.customdata) == 10


def test_card_escapes_what_a_person_typed(trained: Trained) -> None:
    """A name with markup stays text in a notebook."""
    run = trained[0].run(trained[2].id)
    run.rename("<img src=x>")
    run.tag("shown")
    assert "<img" not in run._repr_html_()
    assert "&lt;img src=x&gt;" in run._repr_html_()
    assert "<img src=x>: " not in repr(run)
    assert trained[0].runs("tag == 'shown'").index.tolist() == [run.id]


def test_run_without_results_says_so(store: Store) -> None:
    """A run that waits has no history and no matrix, and its card says what it waits for."""
    run = OpenStore(store).run(run_actions.submit(store, TINY))
    assert run.history.empty
    assert "queued" in repr(run)
    with pytest.raises(ArtifactError, match="test_probabilities"):
        run.confusion_matrix()
    with pytest.raises(ArtifactError, match="weights"):
        run.predict(np.zeros((1, 28, 28), np.uint8))
    run.stop()
    assert run.state == "stopped"
    with pytest.raises(UnknownRun):
        OpenStore(store).run("nosuchid")
