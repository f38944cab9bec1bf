"""What is said of a chart: its figures, and no others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from mnist_dash.core.analysis.thresholds import histogram
from mnist_dash.figures.base.alt_text import MOST_SENTENCES, describe, write
from mnist_dash.figures.base.confusion import draw_confusion
from mnist_dash.figures.base.curves import CurveOptions, Metric, draw_curves, prepare_curves
from mnist_dash.figures.base.samples import draw_class_counts
from mnist_dash.figures.run.parameters import RunPoint, draw_accuracy_by_parameters
from mnist_dash.figures.run.probability_histogram import Bars, draw_histogram

VALIDATION = [0.921, 0.9805, 0.979]
EPOCHS = pd.DataFrame(
    {
        "epoch": [1, 2, 3],
        "step": [10, 20, 30],
        "running_accuracy": [0.6, 0.85, 0.9],
        "train_accuracy": [0.8, 0.9, 0.95],
        "val_accuracy": VALIDATION,
        "test_accuracy": [0.69, 0.84, 0.86],
        "running_loss": [0.9, 0.4, 0.3],
        "train_loss": [0.5, 0.25, 0.2],
        "val_loss": [0.6, 0.31, 0.42],
        "test_loss": [0.6, 0.3, 0.4],
        "seconds_training": [1.0, 2.0, 1.5],
        "seconds_evaluation": [0.5, 0.5, 0.5],
    }
)
STEPS = pd.DataFrame(
    {"step": [10, 20], "seconds": [1.0, 2.0], "loss": [1.0, 0.5], "accuracy": [0.5, 0.75]}
)


def said(figure: go.Figure) -> str:
    """Describe a figure as it travels to the browser."""
    return describe(str(figure.to_json()))


@pytest.mark.parametrize(
    ("metric", "sentence"),
    [
        (
            "accuracy",
            "validation: 92.10 % at epoch 1, best 98.05 % at epoch 2, last 97.90 % at epoch 3.",
        ),
        ("loss", "validation: 0.6 at epoch 1, best 0.31 at epoch 2, last 0.42 at epoch 3."),
    ],
)
def test_line_has_its_first_best_and_last_value(metric: Metric, sentence: str) -> None:
    """The best accuracy is the highest, the best loss the lowest; what is hidden is not read out, nor a smoothed line twice."""
    curves = prepare_curves(EPOCHS, STEPS, metric=metric, axis="epoch", steps_per_epoch=10)
    text = said(
        draw_curves(curves, metric=metric, options=CurveOptions(smoothing=0.0), best_epoch=2)
    )
    assert sentence in text
    assert "test" not in text
    smoothed = said(draw_curves(curves, metric=metric, options=CurveOptions(smoothing=0.5)))
    assert smoothed.count("validation") == text.count("validation") == 1


def test_joined_lines_are_told_apart() -> None:
    """Of many lines with gaps between them: how many, where they end, and which is best."""
    line = go.Scatter(
        x=[1, 2, None, 1, 2, 3, None],
        y=[0.5, 0.7, None, 0.4, 0.95, 0.9, None],
        mode="lines",
        name="complete",
    )
    text = said(
        go.Figure(
            line,
            go.Layout(xaxis={"title": "epoch"}, yaxis={"title": "accuracy", "tickformat": ".1%"}),
        )
    )
    assert text == "complete: 2 lines, ending between 70.00 % and 90.00 %, best 95.00 % at epoch 2."


def test_points_drawn_as_errors_are_read_out_as_what_they_stand_for() -> None:
    """An axis of errors that prints accuracies is read as accuracies."""
    points = [
        RunPoint("a", "", "dense", 2, 1000, 0.9),
        RunPoint("b", "", "dense", 3, 250_000, 0.98),
    ]
    sentence = "dense: 2 points, test accuracy 90.00 % to 98.00 %, parameters 1,000 to 250,000, best 98.00 % at parameters 250,000."
    assert said(draw_accuracy_by_parameters(points)) == sentence


def test_matrix_has_its_diagonal_and_its_largest_errors() -> None:
    """The counts that are printed, not the logarithms that are coloured."""
    matrix = [[50, 2, 0], [0, 60, 7], [1, 0, 1234]]
    assert said(draw_confusion(matrix, ["zero", "one", "two"])) == (
        "On the diagonal 50 for zero, 60 for one, 1,234 for two. "
        "Largest beside it true one, predicted two: 7; true zero, predicted one: 2; true two, predicted zero: 1."
    )


def test_few_bars_are_all_read_out_and_many_by_the_highest() -> None:
    """Ten classes one by one; of a histogram the sum and the highest bars."""
    counts = {"training": list(range(100, 110)), "test": [7] * 10}
    text = said(draw_class_counts(counts, [str(digit) for digit in range(10)]))
    assert all(f"{count} for {digit}" in text for digit, count in enumerate(counts["training"]))
    values = np.repeat([0.01, 0.51, 0.99], [3, 20, 400])
    bins = Bars("right", 0, histogram(values))
    assert "together 423 images; the highest 400 at 0.99, 20 at 0.51, 3 at 0.01" in said(
        draw_histogram([bins], title="probability")
    )


def test_nothing_to_see_is_said_too() -> None:
    """A chart without data says what stands in it; one with very many lines counts the rest."""
    assert (
        said(draw_curves((), metric="loss", options=CurveOptions()))
        == "Waiting for the first steps."
    )
    many = go.Figure(
        [go.Scatter(x=[1], y=[place], name=f"line {place}") for place in range(MOST_SENTENCES + 3)]
    )
    assert said(many).endswith("And 3 more.")


def test_markup_in_a_name_is_read_as_it_is_shown() -> None:
    """Tags that Plotly draws are left out; escaped ones are text."""
    line = go.Scatter(x=[1], y=[2], name="p<sub>1</sub> of &lt;b&gt; & 3 < 4")
    assert said(go.Figure(line)) == "p1 of <b> & 3 < 4: 2 at 1."


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1234567, "0.1235"), (60000.0, "60,000"), (1e-7, "1e-7"), (123456.7, "123,457"), (0, "0")],
)
def test_numbers_are_short(value: float, text: str) -> None:
    """Four figures, or whole."""
    assert write(value) == text
