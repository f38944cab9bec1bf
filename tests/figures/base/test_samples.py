"""Figures of a data set: nothing is lost between the numbers and what is drawn."""

from __future__ import annotations

import numpy as np

from mnist_dash.figures.base.samples import (
    draw_class_counts,
    draw_grey_values,
    draw_pixels,
    draw_scaled,
)
from mnist_dash.figures.run.placement import draw_placement

NAMES = [str(digit) for digit in range(10)]


def test_every_part_has_its_bars() -> None:
    """One bar a class and part, as high as the count."""
    figure = draw_class_counts({"training": range(10), "test": [5] * 10}, NAMES)
    assert [(bar.name, list(bar.y)) for bar in figure.data] == [
        ("training", list(range(10))),
        ("test", [5] * 10),
    ]


def test_every_grey_value_has_its_bar() -> None:
    """All 256, on the axis that was asked for."""
    counts = list(range(256))
    assert list(draw_grey_values(counts, log_scale=True).data[0].y) == counts
    assert draw_grey_values(counts, log_scale=True).layout.yaxis.type == "log"
    assert draw_grey_values(counts, log_scale=False).layout.yaxis.type is None


def test_pixels_stand_where_they_are() -> None:
    """Rows run downwards, and the number in a cell is its value; background prints none."""
    image = np.zeros((28, 28), np.uint8)
    image[3, 20] = 201
    figure = draw_pixels(image)
    heat = figure.data[0]
    assert heat.text[3][20] == "201"
    assert sum(bool(text) for row in heat.text for text in row) == 1
    assert figure.layout.yaxis.autorange == "reversed"
    assert (heat.zmin, heat.zmax) == (0, 255)


def test_scaled_values_are_drawn_as_they_are() -> None:
    """Negative ones included."""
    values = np.linspace(-0.4, 2.8, 784, dtype=np.float32).reshape(28, 28)
    assert np.allclose(draw_scaled(values).data[0].z, values, atol=1e-4)


def test_drawing_stands_in_the_midst_of_its_neighbours() -> None:
    """The star is at the mean of their points."""
    points = np.array([[0, 0], [1, 0], [2, 3], [9, 9]], np.float32)
    figure = draw_placement(points, np.array([0, 1, 2, 3]), [0, 1, 2], class_names=NAMES, name="a")
    star = figure.data[-1]
    assert (star.x[0], star.y[0]) == (1.0, 1.0)
    assert len(figure.layout.shapes) == 3
