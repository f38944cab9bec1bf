"""The difference of two confusion matrices: which confusions became more frequent, and which rarer."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

import plotly.graph_objects as go

from mnist_dash.figures.base.confusion import draw_confusion


def draw_confusion_difference(
    a: Sequence[Sequence[int]],
    b: Sequence[Sequence[int]],
    class_names: Sequence[str],
    *,
    names: tuple[str, str],
) -> go.Figure:
    """Draw what B has more (the scale's upper colours) or fewer of than A, cell by cell; it lies as `draw_confusion` does.

    Colour is the logarithm of the difference with its sign, alike in both directions. On the diagonal more is better, elsewhere fewer.

    Args:
        a: ``(n_classes, n_classes)`` counts of the first run; a row is a true class, a column a predicted one.
        b: of the second, on the same images.
        class_names: as the axes print them.
        names: of the two runs; escaped here.
    """
    n = len(class_names)
    cells = [
        [b[true][predicted] - a[true][predicted] for predicted in range(n)] for true in range(n)
    ]
    figure = draw_confusion(a, class_names)
    heat = figure.data[0]
    shades = [[math.copysign(math.log1p(abs(cell)), cell) for cell in row] for row in cells]
    far = max((abs(shade) for row in shades for shade in row), default=0.0) or 1.0
    heat.update(
        z=shades,
        zmin=-far,
        zmax=far,
        text=[[f"{cell:+d}" if cell else "" for cell in row] for row in cells],
        hovertext=[
            [
                _sentence(
                    class_names[true],
                    class_names[predicted],
                    (a[true][predicted], b[true][predicted]),
                    names,
                )
                for predicted in range(n)
            ]
            for true in range(n)
        ],
        meta={"scale": "diverging"},
    )
    return figure


def _sentence(true: str, predicted: str, counts: tuple[int, int], names: tuple[str, str]) -> str:
    first, second = (html.escape(name, quote=False) for name in names)
    change = counts[1] - counts[0]
    word = (
        "no change" if not change else "better" if (change > 0) == (true == predicted) else "worse"
    )
    return f"true {true}, predicted {predicted}: {change:+d}, {word}<br>{first}: {counts[0]:,}<br>{second}: {counts[1]:,}"
