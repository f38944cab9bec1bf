"""The figures of a study: what is drawn, what a click reports, and that ten thousand trials are drawn at once."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

import numpy as np
import plotly.graph_objects as go
import pytest

from mnist_dash.figures.base.axes import SMALLEST_ERROR
from mnist_dash.figures.study.contour import CELLS, draw_contour, smooth_surface
from mnist_dash.figures.study.curves import draw_intermediate
from mnist_dash.figures.study.edf import distribution, draw_edf
from mnist_dash.figures.study.history import as_errors, draw_history
from mnist_dash.figures.study.importance import draw_importances
from mnist_dash.figures.study.parallel import draw_parallel_coordinates
from mnist_dash.figures.study.pareto import draw_hypervolume, draw_pareto
from mnist_dash.figures.study.rank import draw_rank
from mnist_dash.figures.study.slice import draw_slices
from mnist_dash.figures.study.timeline import draw_timeline, pack_lanes
from mnist_dash.figures.study.trials import Trials, select
from tests.figures.study.test_sample import AXES, OBJECTIVE, SIZE, nothing, sample, waiting

_Draw = dict[str, Callable[..., go.Figure]]
SELECTABLE: _Draw = {
    "history": lambda trials, **more: draw_history(trials, OBJECTIVE, **more),
    "history of errors": lambda trials, **more: draw_history(
        trials, OBJECTIVE, scale="log", **more
    ),
    "curves": lambda trials, **more: draw_intermediate(trials, OBJECTIVE, **more),
    "slices": lambda trials, **more: draw_slices(trials, OBJECTIVE, AXES, **more),
    "contour": lambda trials, **more: draw_contour(trials, OBJECTIVE, AXES[0], AXES[1], **more),
    "contour of choices": lambda trials, **more: draw_contour(
        trials, OBJECTIVE, AXES[0], AXES[3], **more
    ),
    "rank": lambda trials, **more: draw_rank(trials, OBJECTIVE, AXES[0], AXES[1], **more),
    "edf": lambda trials, **more: draw_edf(trials, OBJECTIVE, others={"other": trials}, **more),
    "timeline": lambda trials, **more: draw_timeline(
        trials, OBJECTIVE, events=[(1.79e9, "begun")], **more
    ),
    "pareto": lambda trials, **more: draw_pareto(trials, (SIZE, OBJECTIVE), columns=(1, 0), **more),
}
FIGURES: _Draw = SELECTABLE | {
    "parallel": lambda trials: draw_parallel_coordinates(trials, OBJECTIVE, AXES),
    "hypervolume": lambda trials: draw_hypervolume(trials, (OBJECTIVE, SIZE), (0.5, 1e6)),
}


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("trials", [nothing(), waiting()], ids=["none", "one waits"])
def test_empty_study_is_said_in_words(name: str, trials: Trials) -> None:
    """No points, one sentence, and it still travels."""
    figure = FIGURES[name](trials)
    assert len(figure.data) == 0
    assert next(note.text for note in figure.layout.annotations).split()[0] == "No"
    json.loads(figure.to_json())


@pytest.mark.parametrize("n", [1, 2, 3])
def test_ticks_of_few_trials_are_whole(n: int) -> None:
    """Each number once, and none that is no trial's."""
    trials = sample(20)
    few = select(trials, np.isin(trials.numbers, np.flatnonzero(trials.states == "complete")[:n]))
    axis = draw_history(few, OBJECTIVE).layout.xaxis
    options = axis.autorangeoptions
    assert (axis.tick0, axis.dtick) == (0, max(1, (few.numbers.max() - few.numbers.min()) // 10))
    assert few.numbers.min() - 1 < options.minallowed < few.numbers.min()
    assert few.numbers.max() < options.maxallowed < few.numbers.max() + 1


@pytest.mark.parametrize(
    "draw", [draw_history, lambda trials, objective: draw_slices(trials, objective, AXES[:2])]
)
def test_a_trial_at_ten_percent_is_marked_at_the_edge(draw: Callable[..., go.Figure]) -> None:
    """The others keep the height to themselves."""
    trials = sample(40)
    worst = int(np.flatnonzero(trials.states == "complete")[3])
    values = trials.values.copy()
    values[worst, 0] = 0.1
    figure = draw(dataclasses.replace(trials, values=values), OBJECTIVE)
    marks = [trace for trace in figure.data if (trace.meta or {}).get("edge")]
    low = figure.layout.yaxis.autorangeoptions.minallowed
    assert low > 0.2
    assert {float(y) for trace in marks for y in trace.y} == {low}
    assert "10.00 %" in marks[0].text


@pytest.mark.parametrize("name", FIGURES)
def test_smallest_study_is_drawn(name: str) -> None:
    """One complete trial is enough for every figure."""
    trials = sample(20)
    figure = FIGURES[name](select(trials, trials.numbers == 0))
    assert len(figure.data) >= 1
    json.loads(figure.to_json())


@pytest.mark.parametrize("name", SELECTABLE)
def test_clicks_report_whole_numbers_and_selected_trials_have_rings(name: str) -> None:
    """Points carry their trial's number; the selected one, complete, is drawn again and ringed, after the others."""
    trials = sample(40)
    figure = SELECTABLE[name](trials, selected=(0,))
    known = [np.asarray(trace.customdata) for trace in figure.data if trace.customdata is not None]
    assert known
    assert all(np.issubdtype(numbers.dtype, np.integer) for numbers in known)
    assert set(np.concatenate(known).tolist()) <= set(range(40))
    rings = [trace for trace in figure.data if (trace.meta or {}).get("ring") == "text"]
    assert rings
    assert all(set(np.asarray(ring.customdata).tolist()) == {0} for ring in rings)
    if name != "timeline":
        assert figure.data[-1] in rings


@pytest.mark.parametrize("name", FIGURES)
def test_colours_are_the_themes(name: str) -> None:
    """No colour is written into a figure, and every trace names one of the theme's."""
    figure = FIGURES[name](sample(40))
    assert all({"color", "scale"} & set(trace.meta) for trace in figure.data)
    text = figure.update_layout(template=None).to_json()
    assert "rgb" not in text
    assert '"#' not in text


@pytest.mark.parametrize("name", FIGURES)
def test_ten_thousand_trials_are_drawn_at_once(name: str) -> None:
    """What is sent to the browser stays below five megabytes."""
    assert len(FIGURES[name](sample(10_000)).to_json()) < 5_000_000


def test_history_shows_each_trial_once_and_its_best() -> None:
    """Trials with values stand at them, those without on the edge; the best line ends at the best complete one."""
    trials = sample(80)
    figure = draw_history(trials, OBJECTIVE)
    drawn = [
        number
        for trace in figure.data
        if trace.customdata is not None
        for number in np.asarray(trace.customdata).tolist()
    ]
    assert sorted(drawn) == np.flatnonzero(trials.states != "waiting").tolist()
    assert figure.data[0].y[-1] == trials.values[trials.states == "complete", 0].max()
    assert (
        len({(trace.meta["color"], trace.marker.symbol) for trace in figure.data[1:]})
        == len(figure.data) - 1
    )
    edge = next(trace for trace in figure.data if trace.name.startswith("diverged"))
    assert edge.yaxis == "y2"


def test_errors_are_what_accuracies_lack() -> None:
    """On a logarithmic scale an error of zero is still there, and the page is told to turn errors back."""
    assert np.allclose(as_errors(np.array([0.9, 1.0])), [0.1, SMALLEST_ERROR])
    figure = draw_history(sample(20), OBJECTIVE, scale="log")
    assert figure.layout.yaxis.type == "log"
    assert figure.layout.meta["complements"] == ["y"]


def test_best_curves_are_kept_and_the_rest_is_counted() -> None:
    """Pruned curves end where they were pruned; the figure says how many are not shown."""
    trials = sample(300)
    worst = int(np.nanargmin(np.where(trials.states == "pruned", trials.values[:, 0], np.nan)))
    figure = draw_intermediate(trials, OBJECTIVE, most=50, selected=(worst,))
    shown = {
        number
        for trace in figure.data
        if trace.mode == "lines"
        for number in np.asarray(trace.customdata).tolist()
    }
    assert len(shown) == 50
    assert {worst, 297, 298, 299} <= shown
    n_curves = sum(len(curve) > 0 for curve in trials.curves)
    assert figure.layout.annotations[0].text == f"the best 50 of {n_curves} learning curves"
    end = next(trace for trace in figure.data if trace.name == "pruned, ends")
    assert set(end.x) == {3.0}


def test_importances_are_sorted_percent() -> None:
    """The largest first; what is not known is left out; a bar reports its path."""
    (bars,) = draw_importances({"a.b": 0.2, "c.d": 0.7, "e": float("nan")}, {"a.b": "b"}).data
    assert list(bars.y) == ["c.d", "b"]
    assert list(bars.text) == ["70.00 %", "20.00 %"]
    assert list(bars.customdata) == ["c.d", "a.b"]
    assert len(draw_importances({}, {}).layout.annotations) == 1


def test_parallel_axes_are_named_and_logarithms_have_ticks() -> None:
    """A dimension's name is its path; exponents are drawn; where a setting does not apply the line goes below the axis."""
    trials = sample(40)
    (lines,) = draw_parallel_coordinates(trials, OBJECTIVE, AXES).data
    kept = select(trials, trials.complete())
    assert [dimension.name for dimension in lines.dimensions] == [
        *(axis.path for axis in AXES),
        "val_accuracy",
    ]
    rate, momentum = lines.dimensions[0], lines.dimensions[4]
    assert np.allclose(
        rate.values, np.log10(np.array(kept.parameters["optimizer.learning_rate"], dtype=float))
    )
    assert len(set(rate.ticktext)) == len(rate.ticktext)
    assert {"0.0001", "0.1"} <= set(rate.ticktext)
    unset = np.array([value is None for value in kept.parameters["optimizer.momentum"]])
    assert (momentum.values[unset] == momentum.range[0]).all()
    assert momentum.ticktext[0] == "not set"
    assert (momentum.values[~unset] == 0.9).all()


def test_surface_is_the_mean_of_what_is_near_and_blank_elsewhere() -> None:
    """Constant values give that constant; far from all trials there is nothing; choices do not reach each other."""
    trials = sample(40)
    near = np.flatnonzero(
        np.array(trials.parameters["optimizer.learning_rate"], dtype=float) < 1e-3
    )
    surface = smooth_surface(trials, AXES[0], AXES[2], near, np.full(len(near), 0.9))
    assert surface.z.shape == (CELLS, CELLS)
    assert np.allclose(surface.z[np.isfinite(surface.z)], 0.9)
    assert np.isfinite(surface.z[:, surface.x < 5e-4]).any()
    assert np.isnan(surface.z[:, surface.x > 5e-2]).all()
    kinds = np.array(trials.parameters["optimizer.kind"])
    by_kind = np.select([kinds == "sgd", kinds == "adam"], [0.1, 0.5], 0.9)
    apart = smooth_surface(trials, AXES[0], AXES[3], np.arange(40), by_kind).z
    assert np.allclose(np.nanmean(apart, axis=1), [0.1, 0.5, 0.9])


def test_surface_takes_places() -> None:
    """The surface has no trial's number, and says that a click on it is a place."""
    surface = draw_contour(sample(40), OBJECTIVE, AXES[0], AXES[1]).data[0]
    assert surface.customdata is None
    assert surface.meta == {"place": True, "scale": "sequential"}


def test_slices_name_the_setting_of_each_axis() -> None:
    """One subplot a setting; trials to which it does not apply are not in it."""
    trials = sample(40)
    figure = draw_slices(trials, OBJECTIVE, AXES)
    axes = figure.layout.meta["axes"]
    assert [axes[letter] for letter in ("x", "x2", "x3", "x4", "x5")] == [
        axis.path for axis in AXES
    ]
    momentum = next(
        trace for trace in figure.data if trace.xaxis == "x5" and trace.name == "complete"
    )
    unset = [value is None for value in trials.parameters["optimizer.momentum"]]
    assert np.isnan(momentum.x).tolist() == [unset[number] for number in momentum.customdata]


def test_best_rank_is_the_largest_and_on_top() -> None:
    """Points are drawn from the worst to the best."""
    trials = sample(40)
    (points,) = draw_rank(trials, OBJECTIVE, AXES[0], AXES[1]).data
    assert points.customdata[-1] == np.nanargmax(
        np.where(trials.states == "complete", trials.values[:, 0], np.nan)
    )
    assert points.text[-1].startswith("rank 1 of")
    assert (np.diff(points.marker.size) >= 0).all()


def test_distribution_counts_equal_values_together() -> None:
    """The share at a value includes all trials of that value."""
    values, shares = distribution(np.array([0.3, 0.1, np.nan, 0.3, 0.2]))
    assert values.tolist() == [0.1, 0.2, 0.3, 0.3]
    assert shares.tolist() == [0.25, 0.5, 1.0, 1.0]


def test_lanes_never_overlap_and_are_as_few_as_trials_at_once() -> None:
    """Within a lane a trial ends before the next begins; there are no more lanes than the most at once."""
    rng = np.random.default_rng(3)
    started = np.round(rng.uniform(0, 100, 300), 1)
    ended = started + np.round(rng.exponential(5, 300), 1)
    lanes = pack_lanes(started, ended)
    for lane in range(lanes.max() + 1):
        own = np.flatnonzero(lanes == lane)
        own = own[np.lexsort((ended[own], started[own]))]
        assert (started[own][1:] >= ended[own][:-1]).all()
    at_once = max(int(((started <= time) & (ended > time)).sum()) for time in started)
    assert lanes.max() + 1 == at_once


def test_timeline_counts_from_the_first_start_to_now() -> None:
    """Running trials end now, and an event is a line at its time."""
    trials = sample(20)
    now = float(np.nanmax(trials.started)) + 60
    figure = draw_timeline(trials, OBJECTIVE, now=now, events=[(now - 30, "parallelism 2")])
    seconds = 60 if figure.layout.xaxis.title.text.startswith("minutes") else 1
    running = next(bar for bar in figure.data if bar.name == "running")
    assert np.allclose(
        (np.asarray(running.base) + np.asarray(running.x)) * seconds,
        now - np.nanmin(trials.started),
    )
    marks = figure.data[-1]
    assert set(marks.text) == {"parallelism 2"}
    assert np.allclose(np.unique(marks.x) * seconds, now - 30 - np.nanmin(trials.started))
