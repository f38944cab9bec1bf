"""The chart of an embedding: one trace a class, crosses for errors, what is selected stands out."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from mnist_dash.figures.run.embedding import FADED, WRONG_SYMBOL, ColorBy, Marks, draw_embedding

POINTS = np.random.default_rng(0).standard_normal((40, 2)).astype(np.float32)
LABELS = np.arange(40) % 10
PREDICTED = np.where(np.arange(40) < 4, (LABELS + 1) % 10, LABELS)
NAMES = tuple("0123456789")
PLAIN = Marks()


def drawn(color_by: ColorBy = "label", marks: Marks = PLAIN) -> go.Figure:
    """Draw forty points of which the first four were called wrongly."""
    return draw_embedding(
        POINTS, LABELS, PREDICTED, color_by=color_by, class_names=NAMES, marks=marks, name="points"
    )


def images_with(figure: go.Figure, name: str, value: object) -> list[int]:
    """List the images whose marker has a property of this value."""
    pairs = [
        pair
        for trace in figure.data
        for pair in zip(trace.customdata, trace.marker[name], strict=True)
    ]
    return sorted(image for image, found in pairs if found == value)


def test_every_point_is_drawn_once() -> None:
    """One trace a class, all images in them, each class in a colour of its own."""
    figure = drawn()
    assert sorted(image for trace in figure.data for image in trace.customdata) == list(range(40))
    assert [trace.meta["color"] for trace in figure.data] == list(range(10))
    assert {note["text"] for note in figure.layout.annotations} == {
        f"<b>{name}</b>" for name in NAMES
    }


def test_wrong_ones_are_crosses() -> None:
    """Four crosses by label and by prediction; by error they are one of two groups."""
    assert images_with(drawn(), "symbol", WRONG_SYMBOL) == [0, 1, 2, 3]
    assert drawn(color_by="prediction").data[1].customdata == (11, 21, 31, 0)
    assert [trace.name for trace in drawn(color_by="error").data] == [
        "correct (36)",
        "misclassified (4)",
    ]


def test_selection_stands_out() -> None:
    """Other points fade; the selected one and its neighbours have rings of fixed size."""
    figure = drawn(marks=Marks(np.array([5, 15]), 5, (15, 25)))
    assert images_with(figure, "opacity", FADED) == [
        image for image in range(40) if image not in (5, 15)
    ]
    assert len(figure.layout.shapes) == 3
    assert all(shape.xsizemode == "pixel" for shape in figure.layout.shapes)


def test_unknown_predictions_leave_the_labels() -> None:
    """Without predictions nothing is called wrong."""
    figure = draw_embedding(
        POINTS,
        LABELS,
        None,
        color_by="label",
        class_names=NAMES,
        marks=Marks(),
        name="points",
        axes=("a", "b"),
    )
    assert images_with(figure, "symbol", WRONG_SYMBOL) == []
    assert figure.layout.xaxis.title.text == "a"
