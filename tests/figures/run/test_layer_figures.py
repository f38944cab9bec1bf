"""Pictures of layers: tiles, blocks, matrices, distributions and parameters hold what they were given."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_dash.core.analysis.layer_statistics import histograms
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.figures.run.activations import draw_activation, draw_probabilities, picture_ratio
from mnist_dash.figures.run.parameters import (
    RunPoint,
    draw_accuracy_by_parameters,
    draw_layer_parameters,
)
from mnist_dash.figures.run.weights import (
    MAX_SIDE,
    columns_for,
    draw_distributions,
    draw_matrix,
    draw_pictures,
    strongest,
    tile,
)


@pytest.mark.parametrize("n", [1, 2, 7, 9, 10, 30, 64, 300, 512, 8192])
@pytest.mark.parametrize("wide", [1.6, 2.2, 4.0])
def test_columns_give_about_the_wanted_shape(n: int, wide: float) -> None:
    """All pictures have a place, and the whole is no strip."""
    columns = columns_for(n, wide=wide)
    assert 1 <= columns <= n
    if n >= 9:
        assert wide / 2.2 <= columns / -(-n // columns) <= wide * 2.2


def test_tiles_are_the_pictures_with_nothing_between() -> None:
    """Three pictures in two columns: each at its place, NaN elsewhere."""
    pictures = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    whole, numbers = tile(pictures, 2)
    assert whole.shape == (5, 5)
    np.testing.assert_array_equal(whole[3:, :2], pictures[2])
    np.testing.assert_array_equal(whole[:2, 3:], pictures[1])
    assert np.isnan(whole).sum() == 25 - 12
    np.testing.assert_array_equal(numbers == -1, np.isnan(whole))


def test_pictures_carry_their_numbers_and_a_scale_around_zero() -> None:
    """Filters in another order are named by their own number."""
    heat = draw_pictures(
        np.array([[[1.0]], [[-4.0]]], np.float32), [7, 3], noun="filter", signed=True
    ).data[0]
    assert (heat.zmin, heat.zmax, heat.meta["scale"]) == (-4, 4, "diverging")
    assert {7, 3} <= set(np.asarray(heat.customdata).ravel().tolist())


def test_large_matrices_are_drawn_by_their_strongest_weights() -> None:
    """No block loses its outlier, and the axes count in weights."""
    matrix = np.zeros((5, 3 * MAX_SIDE), np.float32)
    matrix[2, 301] = -9
    heat = draw_matrix(matrix, inputs="input", outputs="unit").data[0]
    assert np.asarray(heat.z).shape == (5, MAX_SIDE)
    assert (heat.dx, heat.dy, np.asarray(heat.z)[2, 100]) == (3, 1, -9)
    np.testing.assert_array_equal(strongest(np.array([[1, -2, 3]], np.float32), 1, 2), [[-2, 3]])


def test_activations_of_images_and_vectors() -> None:
    """Maps have a tile each, units a square each; negative values need both halves of the scale."""
    maps = draw_activation(np.ones((4, 4, 9), np.float32)).data[0]
    assert (maps.meta["scale"], int(np.isfinite(np.asarray(maps.z)).sum())) == (
        "sequential",
        4 * 4 * 9,
    )
    units = draw_activation(np.linspace(-1, 1, 30, dtype=np.float32)).data[0]
    assert (units.meta["scale"], int(np.isfinite(np.asarray(units.z)).sum())) == ("diverging", 30)
    assert picture_ratio((28, 28, 1)) == 1
    assert 0.1 < picture_ratio((512,)) < 0.6


def test_probabilities_mark_the_true_class() -> None:
    """The true class is a bar of its own colour."""
    figure = draw_probabilities([0.1] * 10, [str(digit) for digit in range(10)], true=3)
    assert [trace.name for trace in figure.data] == ["true class", "other classes"]
    assert list(figure.data[0].x) == ["3"]


def test_distributions_leave_out_empty_bins() -> None:
    """A logarithmic axis has no zero."""
    (line,) = draw_distributions(histograms({"dense_1": np.array([0.5, 0.5, -1], np.float32)})).data
    shares = np.asarray(line.y)
    assert np.nansum(shares) == pytest.approx(1)
    assert np.isnan(shares).any()


def test_parameters_by_layer_are_those_of_the_plan() -> None:
    """One bar a layer that has any."""
    (bars,) = draw_layer_parameters(RunConfig().plan).data
    assert list(bars.x) == [401_920, 131_328, 2_570]
    assert bars.text[0] == "401,920 · 75.01 %"


def test_points_of_runs_can_be_clicked() -> None:
    """A point gives its run; a run without an error still has a place on the logarithmic axis."""
    points = [
        RunPoint("aaaa", "dense 512", "dense", 2, 500_000, 0.98),
        RunPoint("bbbb", "conv 9", "convolutional", 3, 50_000, 1.0),
        RunPoint("cccc", "dense 64", "dense", 2, 50_890, 0.97),
    ]
    figure = draw_accuracy_by_parameters(points)
    assert {trace.name: list(trace.customdata) for trace in figure.data} == {
        "dense": ["aaaa", "cccc"],
        "convolutional": ["bbbb"],
    }
    assert all(value > 0 for trace in figure.data for value in trace.y)
    assert "98 %" in figure.layout.yaxis.ticktext
    assert len(draw_accuracy_by_parameters([]).data) == 0
