"""Learning curves: the rows chosen, the smoothing, and what a figure keeps from tick to tick."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_dash.core.config.experiments import Published
from mnist_dash.figures.base.curves import (
    Axis,
    Curve,
    CurveOptions,
    draw_both,
    draw_curves,
    prepare_curves,
    smooth,
)

EPOCHS = pd.DataFrame(
    {
        "epoch": [1, 2],
        "step": [10, 20],
        "running_loss": [0.9, 0.4],
        "running_accuracy": [0.6, 0.85],
        "train_loss": [0.5, 0.25],
        "val_loss": [0.6, 0.4],
        "train_accuracy": [0.8, 0.9],
        "val_accuracy": [0.7, 0.85],
        "test_loss": [0.65, 0.45],
        "test_accuracy": [0.69, 0.84],
        "seconds_training": [1.0, 2.0],
        "seconds_evaluation": [0.5, 0.5],
    }
)
STEPS = pd.DataFrame(
    {
        "step": [5, 10, 15, 20],
        "seconds": [0.5, 1.0, 2.5, 3.5],
        "loss": [1.0, 0.6, 0.5, 0.3],
        "accuracy": [0.5, 0.7, 0.8, 0.9],
    }
)


@pytest.mark.parametrize(
    ("axis", "by_step", "by_epoch"),
    [
        ("epoch", (0.5, 1.0, 1.5, 2.0), (1, 2)),
        ("step", (5, 10, 15, 20), (10, 20)),
        ("seconds", (0.5, 1.0, 2.5, 3.5), (1.5, 4.0)),
    ],
)
def test_places_points_on_the_chosen_axis(
    axis: Axis, by_step: tuple[float, ...], by_epoch: tuple[float, ...]
) -> None:
    """Steps and epochs share one axis, whichever it is."""
    batches, running, training, validation, test = prepare_curves(
        EPOCHS, STEPS, metric="loss", axis=axis, steps_per_epoch=10
    )
    assert batches.x == by_step
    assert running.x == training.x == validation.x == test.x == by_epoch
    assert validation.y == (0.6, 0.4)


def test_names_the_leak_in_the_legend() -> None:
    """A validation line that is the test set says so."""
    curves = prepare_curves(
        EPOCHS, STEPS, metric="accuracy", axis="epoch", steps_per_epoch=10, leak=True
    )
    assert curves[-1].name == "validation (test set, a leak)"


def test_leaves_out_lines_without_points() -> None:
    """Before the first epoch there is the line of batches only."""
    curves = prepare_curves(EPOCHS.iloc[:0], STEPS, metric="loss", axis="step", steps_per_epoch=10)
    assert [curve.name for curve in curves] == ["training, by batch"]


def test_draws_raw_line_behind_the_smoothed() -> None:
    """Smoothing adds a faint line of the recorded values before each line that it changes."""
    curves = prepare_curves(EPOCHS, STEPS, metric="loss", axis="step", steps_per_epoch=10)
    figure = draw_curves(curves, metric="loss", options=CurveOptions("step", smoothing=0.6))
    raw, line = figure.data[0], figure.data[1]
    assert list(raw.y) == [1.0, 0.6, 0.5, 0.3]
    assert raw.opacity < line.opacity
    assert list(line.y) == pytest.approx(smooth([1.0, 0.6, 0.5, 0.3], 0.6))
    assert len(figure.data) == 6  # two points an epoch line are too few to smooth


def test_keeps_the_view_while_data_grow() -> None:
    """The same options give the same view and the same identities of lines, so that zoom and hidden lines are kept."""
    few = draw_curves(
        prepare_curves(
            EPOCHS.iloc[:1], STEPS.iloc[:2], metric="loss", axis="epoch", steps_per_epoch=10
        ),
        metric="loss",
        options=CurveOptions(),
    )
    many = draw_curves(
        prepare_curves(EPOCHS, STEPS, metric="loss", axis="epoch", steps_per_epoch=10),
        metric="loss",
        options=CurveOptions(),
    )
    other = draw_curves(
        prepare_curves(EPOCHS, STEPS, metric="loss", axis="step", steps_per_epoch=10),
        metric="loss",
        options=CurveOptions("step"),
    )
    assert few.layout.uirevision == many.layout.uirevision != other.layout.uirevision
    assert [trace.uid for trace in few.data] == [trace.uid for trace in many.data]
    assert many.layout.legend.uirevision == other.layout.legend.uirevision


def test_marks_the_best_epoch() -> None:
    """The star stands on the validation line."""
    curves = prepare_curves(EPOCHS, STEPS, metric="accuracy", axis="epoch", steps_per_epoch=10)
    star = draw_curves(curves, metric="accuracy", options=CurveOptions(), best_epoch=2).data[-1]
    assert (star.name, list(star.x), list(star.y)) == ("best epoch", [2], [0.85])


def test_logarithmic_scale_is_for_loss_only() -> None:
    """An accuracy has no use for it."""
    options = CurveOptions(log_scale=True)
    curves = prepare_curves(EPOCHS, STEPS, metric="loss", axis="epoch", steps_per_epoch=10)
    assert draw_curves(curves, metric="loss", options=options).layout.yaxis.type == "log"
    assert draw_curves(curves, metric="accuracy", options=options).layout.yaxis.type == "linear"


def test_the_first_batches_do_not_flatten_the_lines() -> None:
    """A loss of 2.3 in the first batch is marked at the edge; the sets' lines have the height to themselves."""
    batches = Curve(
        "training, by batch", 0, tuple(range(1, 41)), (2.3, 1.1, *[0.2, 0.1] * 19), by_epoch=False
    )
    validation = Curve("validation", 1, (20, 40), (0.15, 0.12), by_epoch=True)
    figure = draw_curves((batches, validation), metric="loss", options=CurveOptions())
    (mark,) = [trace for trace in figure.data if (trace.meta or {}).get("edge")]
    high = figure.layout.yaxis.autorangeoptions.maxallowed
    assert 0.2 < high < 0.3
    assert (list(mark.x), list(mark.y), list(mark.text)) == ([1], [high], ["2.3"])
    assert not [
        trace
        for trace in draw_curves((batches,), metric="loss", options=CurveOptions()).data
        if (trace.meta or {}).get("edge")
    ]


def test_both_metrics_share_one_x_axis() -> None:
    """One pointer reads all lines of both charts; accuracies end at 100 %."""
    loss, accuracy = (
        prepare_curves(EPOCHS, STEPS, metric=metric, axis="epoch", steps_per_epoch=10)
        for metric in ("loss", "accuracy")
    )
    figure = draw_both(loss, accuracy, options=CurveOptions(), best_epoch=2)
    assert {trace.xaxis or "x" for trace in figure.data} == {"x"}
    assert (figure.layout.hovermode, figure.layout.hoversubplots) == ("x unified", "axis")
    assert len({trace.uid for trace in figure.data}) == len(figure.data)
    assert sum(trace.showlegend is not False for trace in figure.data) == len(loss) + 1
    assert 1 <= figure.layout.yaxis2.autorangeoptions.maxallowed < 1.02


def test_zero_loss_stands_at_the_edge_of_a_logarithmic_scale() -> None:
    """The line goes on; the place where it is zero is marked."""
    curve = Curve("training", 0, (1, 2, 3), (0.1, 0.0, 0.01), by_epoch=True)
    line, mark = draw_curves((curve,), metric="loss", options=CurveOptions(log_scale=True)).data
    assert list(line.y) == [0.1, 0.005, 0.01]
    assert (list(mark.x), list(mark.y)) == ([2], [0.005])


def test_says_that_it_waits_when_empty() -> None:
    """No points is a sentence, not a broken chart."""
    figure = draw_curves((), metric="loss", options=CurveOptions(log_scale=True))
    assert "Waiting" in figure.layout.annotations[0].text


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=50), st.floats(0, 0.95))
def test_smoothing_stays_within_what_was_recorded(values: list[float], weight: float) -> None:
    """A mean is never beyond the values that it averages."""
    smoothed = smooth(values, weight)
    assert len(smoothed) == len(values)
    assert min(values) - 1e-6 <= min(smoothed)
    assert max(smoothed) <= max(values) + 1e-6


def test_smoothing_equals_the_weighted_mean() -> None:
    """The exponential mean with its correction, written out."""
    values = np.array([3.0, 1.0, 4.0, 1.0, 5.0])
    weights = 0.7 ** np.arange(5)[::-1]
    assert smooth(values.tolist(), 0.7)[-1] == pytest.approx(
        float((weights * values).sum() / weights.sum())
    )


def test_test_line_waits_in_the_legend() -> None:
    """Nobody sees the test set's line without asking for it."""
    figure = draw_curves(
        prepare_curves(EPOCHS, STEPS, metric="loss", axis="epoch", steps_per_epoch=10),
        metric="loss",
        options=CurveOptions(),
    )
    hidden = [trace.name for trace in figure.data if trace.visible == "legendonly"]
    assert hidden == ["test"]


def test_published_lines_stand_behind_our_own() -> None:
    """Published points lie at their epochs, or at the steps that an epoch of ours ends with; not over another machine's seconds."""
    published = Published(source="", val_accuracy=((1, 0.9), (3, 0.95)))
    for axis, expected in (("epoch", (1, 3)), ("step", (10, 30))):
        curves = prepare_curves(
            EPOCHS,
            STEPS,
            metric="accuracy",
            axis=axis,  # type: ignore[arg-type]
            steps_per_epoch=10,
            published=published,
        )
        assert [(curve.name, curve.color, curve.x) for curve in curves[5:]] == [
            ("published, validation", "text", expected)
        ]
    curves = prepare_curves(
        EPOCHS, STEPS, metric="accuracy", axis="seconds", steps_per_epoch=10, published=published
    )
    assert len(curves) == 5
