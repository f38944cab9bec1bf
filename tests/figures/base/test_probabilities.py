"""Ten bars: one a class, the true and the predicted one told apart, small probabilities too."""

from __future__ import annotations

from mnist_dash.figures.base.probabilities import draw_probabilities

NAMES = [str(digit) for digit in range(10)]
PROBABILITIES = [0.0, 0.00002, 0.0, 0.05, 0.2, 0.0, 0.0, 0.0, 0.0, 0.74998]


def test_true_and_predicted_class_have_bars_of_their_own() -> None:
    """Every class once; what is small is written so that it can be read."""
    figure = draw_probabilities(PROBABILITIES, NAMES, true=4, predicted=9)
    assert sorted((trace.name, *trace.y) for trace in figure.data if len(trace.y) == 1) == [
        ("predicted", "9"),
        ("true", "4"),
    ]
    assert sorted(name for trace in figure.data for name in trace.y) == NAMES
    assert "2e-5" in figure.data[0].text


def test_a_right_image_has_one_such_bar() -> None:
    """True and predicted class are the same."""
    figure = draw_probabilities(PROBABILITIES, NAMES, true=9, predicted=9)
    assert [trace.name for trace in figure.data] == ["other", "true and predicted"]
