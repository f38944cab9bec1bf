"""The Draw page; the canvas itself is drawn on in tests/browser."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import safetensors.numpy
from streamlit.testing.v1 import AppTest

from mnist_dash.core.analysis.embedding import Embedding, EmbeddingParameters
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.data.drawing import Strokes, decode_strokes, encode_strokes
from mnist_dash.core.data.idx import read_images, read_labels
from mnist_dash.core.data.statistics import class_images
from mnist_dash.core.layers import Dense, Flatten
from mnist_dash.runs.actions import drawings
from mnist_dash.runs.execution import analyses
from mnist_dash.runs.store import artifacts, schema
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from tests.ui.conftest import texts
from tests.ui.gestures import touch

LINEAR = RunConfig(
    layers=(Flatten(), Dense(units=10, activation="softmax")), epochs=3, batch_size=500
)
ONE: Strokes = (((0.5, 0.2), (0.5, 0.8)),)
ZERO: Strokes = (
    tuple((0.5 + 0.2 * np.sin(t), 0.5 - 0.3 * np.cos(t)) for t in np.linspace(0, 2 * np.pi, 40)),
)


@pytest.fixture
def reader(train: Callable[..., Run], store: Store) -> Run:
    """A finished run whose weights choose the class with the nearest mean image."""
    run = train(LINEAR)
    data_dir = store.settings.data_dir
    means = (
        class_images(
            read_images("mnist", "test", data_dir), read_labels("mnist", "test", data_dir)
        ).means.reshape(10, 784)
        / 255
    )
    weights = {
        "1.weight": means.astype(np.float32),
        "1.bias": (-0.5 * (means**2).sum(1)).astype(np.float32),
    }
    file = artifacts.write(
        store.settings, run.id, ArtifactKind.WEIGHTS, safetensors.numpy.save(weights)
    )
    with store.writing() as connection:
        artifacts.record(connection, run.id, ArtifactKind.WEIGHTS, file, epoch=3)
    return run


def test_without_a_run_it_says_what_is_missing(open_page: Callable[..., AppTest]) -> None:
    """The canvas is there, the way to a run too, and what is drawn is prepared and compared already."""
    app = open_page("draw", drawing=encode_strokes(ONE))
    assert "No trained network yet" in texts(app)
    assert "Train a network" in [link.label for link in app.get("page_link")]  # type: ignore[union-attr]
    assert "10 of the 10 nearest training images are labelled 1" in texts(app)
    assert not app.error


def test_drawing_in_the_address_is_recognised(
    open_page: Callable[..., AppTest], reader: Run
) -> None:
    """By the newest run, without being asked; and by the best."""
    app = open_page("draw", drawing=encode_strokes(ZERO))
    assert [metric.value for metric in app.metric] == ["0"]
    assert app.selectbox(key="draw_run").value == reader.id
    assert decode_strokes(str(app.query_params["drawing"]))[0][0] == pytest.approx(
        ZERO[0][0], abs=0.001
    )
    app.segmented_control(key="by").set_value("best three").run()
    assert [metric.value for metric in app.metric] == ["0"]


def test_run_of_the_address_reads_it(
    open_page: Callable[..., AppTest], reader: Run, train: Callable[..., Run]
) -> None:
    """The link names the run; damaged weights and unknown runs are sentences."""
    broken = train(LINEAR.model_copy(update={"seed": 1}))
    app = open_page("draw", drawing=encode_strokes(ONE))
    assert [error.value for error in app.error] == [
        error.value for error in app.error if broken.id in error.value
    ]
    assert len(app.error) == 1
    app.selectbox(key="draw_run").select(reader.id).run()
    assert [metric.value for metric in app.metric] == ["1"]
    assert app.query_params["run"] == reader.id
    app = open_page("draw", run="deadbeef")
    assert "No run 'deadbeef'" in texts(app)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"drawing": "!"}, "'!', is cut off or altered. Copy the whole address"),
        (
            {"drawing": encode_strokes(ONE), "distance": "far"},
            "The distance in the address does not exist: distance='far'",
        ),
    ],
)
def test_address_that_cannot_be_shown_is_a_sentence(
    open_page: Callable[..., AppTest], query: dict[str, str], sentence: str
) -> None:
    """The page is whole below it."""
    app = open_page("draw", **query)
    assert [sentence in error.value for error in app.error] == [True]
    assert "Your test set" in texts(app)


def test_kept_drawings_score_the_runs(
    open_page: Callable[..., AppTest], reader: Run, store: Store
) -> None:
    """One click keeps what is drawn; the table says how many each run has right and what it takes for another."""
    drawings.keep(store, ONE, 7)
    app = open_page("draw", drawing=encode_strokes(ZERO))
    app.pills(key="draw_label").set_value("0").run()
    assert [drawing.label for drawing in drawings.kept(store)] == [7, 0]
    assert "drawing" not in app.query_params
    (row,) = app.dataframe[0].value.to_dict("records")
    assert row["Run"] == reader.id
    assert (row["Correct"], row["On your drawings"], row["Misclassified"]) == (
        "1 of 2",
        50.0,
        "7 as 1",
    )


def test_kept_drawing_is_deleted_and_brought_back(
    open_page: Callable[..., AppTest], store: Store
) -> None:
    """The button names it, and Undo stands where it was."""
    number = drawings.keep(store, ONE, 1)
    app = open_page("draw")
    touch(app, "draw_kept", "clicked", number)
    assert app.button(key="draw_delete").label == f"Delete drawing {number}, labelled 1"
    app.button(key="draw_show").click().run()
    assert "drawing" in app.query_params
    app.button(key="draw_delete").click().run()
    assert drawings.kept(store) == ()
    app.button(key="draw_undelete").click().run()
    assert len(drawings.kept(store)) == 1


def test_place_in_the_embedding_is_that_of_its_neighbours(
    open_page: Callable[..., AppTest], reader: Run, store: Store
) -> None:
    """Without an embedding the page says where to get one; with one it names what the drawing was compared with."""
    app = open_page("draw", drawing=encode_strokes(ONE))
    assert "has no embedding yet" in texts(app)
    parameters = EmbeddingParameters(layer=None, n_points=100).model_dump()
    text, part = analyses.canonical(parameters)
    n = 100
    made = Embedding(
        np.zeros((n, 2), np.float32),
        np.zeros((n, 10), np.int32),
        np.zeros(0, np.uint8),
        np.ones(2),
        784,
    )
    file = artifacts.write(store.settings, reader.id, ArtifactKind.EMBEDDING, made.pack())
    row = {
        "run_id": reader.id,
        "kind": "embedding",
        "part": part,
        "parameters": text,
        "state": "done",
        "created_at": 1.0,
        "ended_at": 2.0,
    }
    with store.writing() as connection:
        artifacts.record(connection, reader.id, ArtifactKind.EMBEDDING, file, epoch=3, part=part)
        connection.execute(schema.analyses.insert().values(row))
    app.run()
    assert not app.exception
    assert "t-SNE of the pixels for 100 test images" in texts(app)
