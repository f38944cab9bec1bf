"""Confusion matrix: which way it lies, and that no count is lost."""

from __future__ import annotations

from mnist_dash.figures.base.confusion import draw_confusion

NAMES = [str(digit) for digit in range(10)]


def matrix_with(true: int, predicted: int, count: int) -> list[list[int]]:
    """Build a matrix of ten classes with one entry."""
    matrix = [[0] * 10 for _ in range(10)]
    matrix[true][predicted] = count
    return matrix


def test_true_classes_run_downwards() -> None:
    """Row, then column: the true class is the row."""
    heat = draw_confusion(matrix_with(4, 9, 12), NAMES).data[0]
    assert heat.text[4][9] == "12"
    assert (
        heat.hovertext[4][9]
        == "true 4, predicted 9: 12 (100.00 % of this class)<br>100.00 % of those predicted 9"
    )
    assert draw_confusion(matrix_with(4, 9, 12), NAMES).layout.yaxis.autorange == "reversed"


def test_prints_every_count() -> None:
    """What stands in the cells adds up to what was counted."""
    matrix = [[row * 10 + column for column in range(10)] for row in range(10)]
    heat = draw_confusion(matrix, NAMES).data[0]
    assert sum(int(text or 0) for row in heat.text for text in row) == sum(map(sum, matrix))


def test_survives_a_class_without_images() -> None:
    """A share of nothing is said in words."""
    heat = draw_confusion(matrix_with(0, 0, 5), NAMES).data[0]
    assert "no such images" in heat.hovertext[1][0]


def test_shares_are_of_the_row_or_of_the_column() -> None:
    """Percent of the true class, or of what was called so."""
    matrix = matrix_with(4, 9, 1)
    matrix[4][4], matrix[9][9] = 199, 3
    assert draw_confusion(matrix, NAMES, shares="by row").data[0].text[4][9] == "0.50"
    assert draw_confusion(matrix, NAMES, shares="by column").data[0].text[4][9] == "25.0"


def test_a_cell_names_its_classes_and_a_selected_one_is_framed() -> None:
    """What a click reports is true and predicted class; the frame is around that cell, or around a row."""
    figure = draw_confusion(matrix_with(4, 9, 1), NAMES, selected=(4, 9))
    assert list(figure.data[0].customdata[4][9]) == [4, 9]
    (frame,) = figure.layout.shapes
    assert (frame.x0, frame.x1, frame.y0, frame.y1) == (8.5, 9.5, 3.5, 4.5)
    (row,) = draw_confusion(matrix_with(4, 9, 1), NAMES, selected=(4, None)).layout.shapes
    assert (row.x0, row.x1, row.y0, row.y1) == (-0.5, 9.5, 3.5, 4.5)
