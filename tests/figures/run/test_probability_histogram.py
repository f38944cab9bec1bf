"""Histograms: every image is in a bar, and what is marked stands where it is."""

from __future__ import annotations

import numpy as np

from mnist_dash.core.analysis.thresholds import histogram
from mnist_dash.figures.run.probability_histogram import Bars, draw_histogram


def test_bars_hold_every_image() -> None:
    """What the bars show adds up to what was counted, on a logarithmic axis that shows a single image."""
    values = np.random.default_rng(1).random(500)
    figure = draw_histogram(
        [Bars("rest", 6, histogram(values)), Bars("zeros", 1, histogram(values[:40]))], title="p(0)"
    )
    assert [sum(trace.y) for trace in figure.data] == [500, 40]
    assert figure.layout.yaxis.type == "log"
    assert figure.layout.yaxis.range[0] < 0


def test_threshold_and_selected_image_are_lines() -> None:
    """Each at its own place, through the whole height."""
    figure = draw_histogram(
        [Bars("all", 0, histogram(np.array([0.5])))], title="p(0)", threshold=0.3, marked=0.8
    )
    assert [(line.x0, line.x1, line.line.dash) for line in figure.layout.shapes] == [
        (0.3, 0.3, "solid"),
        (0.8, 0.8, "dot"),
    ]
