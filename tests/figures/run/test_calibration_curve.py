"""Calibration and accuracy by class: points where the numbers are."""

from __future__ import annotations

import numpy as np

from mnist_dash.core.analysis.calibration_curve import calibration_curve
from mnist_dash.figures.run.calibration_curve import draw_calibration
from mnist_dash.figures.run.class_accuracy import draw_class_accuracies


def test_empty_bins_are_left_out() -> None:
    """A bar for each bin that holds images, as high as its accuracy."""
    probabilities = np.full((4, 10), 0.02, dtype=np.float32)
    probabilities[:, 3] = 0.82
    bars, points, diagonal = draw_calibration(
        calibration_curve(np.array([3, 3, 3, 5]), probabilities)
    ).data
    assert list(bars.y) == [0.75]
    assert np.allclose(points.x, [0.82])
    assert list(diagonal.x) == list(diagonal.y)


def test_each_class_has_its_line() -> None:
    """Ten lines that can be told apart without colour alone."""
    figure = draw_class_accuracies(
        [1, 2], [[0.9] * 10, [0.95] * 10], [str(digit) for digit in range(10)], selected=4
    )
    assert len(figure.data) == 10
    assert len({(line.meta["color"], line.line.dash) for line in figure.data}) == 10
    assert [line.opacity for line in figure.data].count(1.0) == 1
