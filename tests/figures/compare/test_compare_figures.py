"""Figures of a comparison: looks that stay, means and bands over seeds, differences of matrices, points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_dash.figures.compare.confusion import draw_confusion_difference
from mnist_dash.figures.compare.curves import (
    GroupLines,
    OverlayOptions,
    RunLine,
    draw_bands,
    draw_overlay,
    summarise,
)
from mnist_dash.figures.compare.look import Look, looks
from mnist_dash.figures.compare.scatter import Place, draw_scatter
from mnist_dash.figures.study.trials import Axis

LOOK = Look(3, "dash")


def line(key: str, x: list[float], y: list[float]) -> RunLine:
    """Build a run's line."""
    return RunLine(key, key, LOOK, np.array(x), np.array(y))


@given(st.lists(st.text(max_size=8), min_size=1, max_size=60, unique=True), st.integers(0, 60))
def test_a_look_stays_when_others_are_added(names: list[str], n: int) -> None:
    """The first ten differ in colour, the first sixty in colour or dash, and later ones change nothing."""
    found = looks(names)
    assert {name: found[name] for name in names[:n]} == looks(names[:n])
    assert len({look.color for look in list(found.values())[:10]}) == len(names[:10])
    assert len({(look.color, look.dash) for look in found.values()}) == len(names)


def test_means_and_deviations_are_over_the_runs_that_are_there() -> None:
    """At shared places of all, at others of those that reach them; one alone has no deviation."""
    places, mean, deviation, counts = summarise(
        [
            (np.array([1.0, 2.0, 3.0]), np.array([0.8, 0.9, 0.94])),
            (np.array([1.0, 2.0]), np.array([0.9, 0.9])),
            (np.array([]), np.array([])),
        ]
    )
    assert places.tolist() == [1, 2, 3]
    assert mean == pytest.approx([0.85, 0.9, 0.94])
    assert deviation == pytest.approx([np.std([0.8, 0.9], ddof=1), 0, 0])
    assert counts.tolist() == [2, 2, 1]


def test_runs_with_other_places_are_interpolated_within_their_own_range() -> None:
    """By time no two runs share a place."""
    places, mean, _, counts = summarise(
        [(np.array([0.0, 2.0]), np.array([0.0, 1.0])), (np.array([1.0, 3.0]), np.array([0.0, 1.0]))]
    )
    assert places.tolist() == [0, 1, 2, 3]
    assert counts.tolist() == [1, 2, 2, 1]
    assert mean == pytest.approx([0, 0.25, 0.75, 1])


def test_a_group_is_a_line_and_a_band() -> None:
    """The band lies one deviation either way around the mean, in the colour of the group."""
    group = GroupLines(
        "g", "A: batch <8>", LOOK, (line("a", [1, 2], [0.8, 0.9]), line("b", [1, 2], [0.9, 0.96]))
    )
    below, above, mean = draw_bands([group], "validation accuracy", OverlayOptions()).data
    deviation = np.std([[0.8, 0.9], [0.9, 0.96]], axis=0, ddof=1)
    assert mean.y == pytest.approx([0.85, 0.93])
    assert np.array(above.y) - np.array(mean.y) == pytest.approx(deviation)
    assert np.array(mean.y) - np.array(below.y) == pytest.approx(deviation)
    assert (below.fill, above.fill, above.meta["color"], mean.name) == (
        None,
        "tonexty",
        3,
        "A: batch &lt;8&gt;",
    )
    assert mean.customdata[0][0] == 2


def test_one_place_has_a_bar_and_one_run_no_band() -> None:
    """What a band could not show is a bar; a single run varies by nothing that is known."""
    group = GroupLines("g", "A", LOOK, (line("a", [1], [0.8]), line("b", [1], [0.9])))
    assert draw_bands([group], "x", OverlayOptions()).data[-1].error_y.value == pytest.approx(
        np.std([0.8, 0.9], ddof=1)
    )
    (alone,) = draw_bands(
        [GroupLines("g", "A", LOOK, (line("a", [1, 2], [0.8, 0.9]),))], "x", OverlayOptions()
    ).data
    assert list(alone.y) == [0.8, 0.9]


def test_an_accuracy_on_a_logarithmic_axis_is_its_error() -> None:
    """1 - accuracy, with the axis saying so; the band stays above 0."""
    options = OverlayOptions(log_y=True, log_x=True, axis="images")
    figure = draw_overlay([line("a", [1, 2], [0.9, 0.98])], "test accuracy", options)
    assert figure.data[0].y == pytest.approx([0.1, 0.02])
    assert (figure.layout.yaxis.type, figure.layout.xaxis.type) == ("log", "log")
    assert figure.layout.yaxis.title.text == "error rate (1 − test accuracy)"
    wide = GroupLines(
        "g", "A", LOOK, (line("a", [1, 2], [0.5, 0.999]), line("b", [1, 2], [0.98, 0.99]))
    )
    assert min(draw_bands([wide], "x", OverlayOptions(log_y=True)).data[0].y) > 0


def test_a_short_run_is_seen_beside_a_long_one() -> None:
    """However many epochs a run has, it decides the range as much as any other; one far below them all is at the edge, with a mark."""
    long = line(
        "a",
        [*range(1, 13)],
        [0.966, 0.973, 0.974, 0.976, 0.977, 0.979, 0.977, 0.978, 0.979, 0.975, 0.973, 0.981],
    )
    figure = draw_overlay(
        [long, line("b", [1, 2], [0.938, 0.945]), line("c", [1, 2], [0.11, 0.11])],
        "validation accuracy",
        OverlayOptions(),
    )
    low = figure.layout.yaxis.autorangeoptions.minallowed
    assert 0.9 < low < 0.938
    assert [mark.text[0] for mark in figure.data if (mark.meta or {}).get("edge")] == ["11.00 %"]


def test_smoothed_lines_have_the_recorded_ones_behind() -> None:
    """The legend names each run once; zoom is kept while the axes are the same."""
    figure = draw_overlay(
        [line("a", [1, 2, 3], [0.5, 0.9, 0.7])], "x", OverlayOptions(smoothing=0.5)
    )
    raw, smoothed = figure.data
    assert list(raw.y) == [0.5, 0.9, 0.7]
    assert not raw.showlegend
    assert smoothed.y[1] < 0.9
    assert figure.layout.uirevision == draw_overlay([], "x", OverlayOptions()).layout.uirevision


def test_the_difference_of_two_matrices_has_a_sign_and_a_middle() -> None:
    """B less A, coloured alike both ways; off the diagonal more is worse."""
    a, b = [[5, 2], [0, 7]], [[7, 0], [3, 4]]
    heat = draw_confusion_difference(a, b, ["0", "1"], names=("old", "<new>")).data[0]
    assert [list(row) for row in heat.text] == [["+2", "-2"], ["+3", "-3"]]
    assert (heat.zmin, heat.zmax, heat.meta["scale"]) == (-heat.zmax, heat.zmax, "diverging")
    assert heat.hovertext[1][0] == "true 1, predicted 0: +3, worse<br>old: 0<br>&lt;new&gt;: 3"
    assert heat.hovertext[0][0].startswith("true 0, predicted 0: +2, better")


def test_points_report_their_run_and_missing_values_are_left_out() -> None:
    """Choices by name, numbers as they are; None and what a logarithm cannot take are no points."""
    places = [
        Place("a", "a", LOOK, "adam", 0.9),
        Place("b", "b", LOOK, "sgd", None),
        Place("c", "c", LOOK, "sgd", 0.8),
        Place("d", "d", LOOK, "sgd", 0),
    ]
    axes = (
        Axis("optimizer.kind", "choice", choices=("adam", "sgd")),
        Axis("accuracy", "float", log=True),
    )
    figure = draw_scatter(places, *axes, titles=("optimizer", "accuracy"), shares=(False, True))
    assert [(trace.customdata[0], trace.x[0], trace.y[0]) for trace in figure.data] == [
        ("a", "adam", 0.9),
        ("c", "sgd", 0.8),
    ]
    assert figure.layout.xaxis.type == "category"
