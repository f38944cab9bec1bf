"""Weights as pictures: filters side by side, the matrix between two layers, and distributions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from mnist_dash.core.analysis.layer_statistics import Histograms
from mnist_dash.figures.base.hover import hover_texts

Array = npt.NDArray[np.float32]
MAX_SIDE = 200
"""Rows and columns of a drawn matrix, at most; larger ones are drawn in blocks."""


def columns_for(n: int, *, wide: float = 1.6) -> int:
    """Choose into how many columns n pictures go: all of them together are about `wide` times as wide as high, the last row rather full."""
    wanted = max(1, min(n, round(math.sqrt(n * wide))))
    return min(
        range(max(1, wanted - wanted // 4), min(n, wanted + wanted // 3) + 1),
        key=lambda columns: (-n % columns, abs(columns - wanted)),
    )


def tile(pictures: Array, columns: int) -> tuple[Array, npt.NDArray[np.int16]]:
    """Lay pictures side by side, a line of nothing between them.

    Args:
        pictures: ``(n, height, width)``.
        columns: pictures in a row.

    Returns:
        The whole, NaN between and behind the pictures, and the number of the picture at each place, 0 to n - 1, or -1.
    """
    n, height, width = pictures.shape
    rows = math.ceil(n / columns)
    whole = np.full((rows, columns, height + 1, width + 1), np.nan, dtype=np.float32)
    numbers = np.full(whole.shape, -1, dtype=np.int16)
    for number, picture in enumerate(pictures):
        place = divmod(number, columns)
        whole[place][:height, :width] = picture
        numbers[place][:height, :width] = number
    merged = whole.transpose(0, 2, 1, 3).reshape(rows * (height + 1), columns * (width + 1))[
        :-1, :-1
    ]
    return merged, numbers.transpose(0, 2, 1, 3).reshape(
        rows * (height + 1), columns * (width + 1)
    )[:-1, :-1]


def draw_pictures(
    pictures: Array, numbers: Sequence[int], *, noun: str, signed: bool, wide: float = 1.6
) -> go.Figure:
    """Draw small pictures side by side on one scale of colour.

    Args:
        pictures: ``(n, height, width)``.
        numbers: n of them, shown under the pointer behind `noun`.
        noun: what each picture is, such as ``filter``.
        signed: whether zero is the middle of the scale (weights) or its beginning (activations).
        wide: how many times as wide as high the whole is, about.
    """
    whole, places = tile(pictures, columns_for(len(pictures), wide=wide))
    return _numbered(
        whole, np.array([*numbers, -1], dtype=np.int16)[places], noun=noun, signed=signed
    )


def draw_units(values: Array, *, signed: bool, wide: float = 4.0) -> go.Figure:
    """Draw the units of a vector, ``(units,)``, as a block of squares, row by row."""
    columns = columns_for(len(values), wide=wide)
    rows = -(-len(values) // columns)
    block = np.full(rows * columns, np.nan, dtype=np.float32)
    block[: len(values)] = values
    places = np.arange(block.size, dtype=np.int16).reshape(rows, columns)
    return _numbered(
        block.reshape(rows, columns), places, noun="unit", signed=signed
    ).update_traces(xgap=1, ygap=1)


def _numbered(
    whole: Array, numbers: npt.NDArray[np.int16], *, noun: str, signed: bool
) -> go.Figure:
    figure = _heat(whole, signed=signed, template=f"{noun} %{{customdata}}: %{{z}}<extra></extra>")
    return figure.update_traces(customdata=numbers)


def draw_matrix(kernel: Array, *, inputs: str, outputs: str) -> go.Figure:
    """Draw the weights between two layers: what comes in along the bottom, what goes out downwards.

    Args:
        kernel: ``(outputs, inputs)``; where it has more than `MAX_SIDE` a side, each point is the weight of greatest size in its block.
        inputs: names the bottom axis.
        outputs: names the upright one.
    """
    steps = [math.ceil(side / MAX_SIDE) for side in kernel.shape]
    figure = _heat(
        strongest(kernel, *steps),
        signed=True,
        template=f"{outputs} %{{y}}, {inputs} %{{x}}: %{{z}}<extra></extra>",
        square=False,
    )
    figure.update_traces(y0=0, dy=steps[0], x0=0, dx=steps[1])
    figure.update_layout(
        margin={"l": 8, "r": 8, "t": 8, "b": 40},
        xaxis={
            "visible": True,
            "title": {"text": inputs, "standoff": 4},
            "showgrid": False,
            "zeroline": False,
        },
        yaxis={
            "visible": True,
            "title": {"text": outputs, "standoff": 4},
            "showgrid": False,
            "zeroline": False,
            "automargin": True,
        },
    )
    return figure


def strongest(matrix: Array, rows: int, columns: int) -> Array:
    """Keep the value of greatest size in each block of so many rows and columns; the last blocks may be smaller."""
    if rows == columns == 1:
        return matrix
    below, beside = -matrix.shape[0] % rows, -matrix.shape[1] % columns
    padded = np.pad(matrix, ((0, below), (0, beside)))
    blocks = padded.reshape(
        padded.shape[0] // rows, rows, padded.shape[1] // columns, columns
    ).transpose(0, 2, 1, 3)
    flat = blocks.reshape(*blocks.shape[:2], -1)
    return np.take_along_axis(flat, np.abs(flat).argmax(-1)[..., np.newaxis], -1)[..., 0]


def draw_distributions(distributions: Histograms) -> go.Figure:
    """Draw how the weights of several layers are spread, one line a layer; shares are on a logarithmic axis."""
    traces = [
        go.Scatter(
            name=name,
            uid=name,
            x=distributions.centers,
            y=np.where(shares > 0, shares, np.nan),
            mode="lines",
            line={"width": 2, "shape": "hvh"},
            meta={"color": color},
            text=hover_texts(shares.tolist(), is_share=True),
            hovertemplate="about %{x:.3g}: %{text}<extra>%{fullData.name}</extra>",
        )
        for color, (name, shares) in enumerate(distributions.shares.items())
    ]
    return go.Figure(
        traces,
        go.Layout(
            uirevision="kept",
            margin={"l": 60, "r": 8, "t": 36, "b": 40},
            showlegend=True,
            legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
            xaxis={"title": {"text": "weight", "standoff": 6}},
            yaxis={
                "title": {"text": "fraction of the layer's weights", "standoff": 6},
                "type": "log",
                "tickformat": "~%",
                "dtick": 1,
            },
        ),
    )


def _heat(values: Array, *, signed: bool, template: str, square: bool = True) -> go.Figure:
    largest = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
    heat = go.Heatmap(
        z=values.astype(np.float32),
        zmin=-largest if signed else min(0.0, float(np.nanmin(values))),
        zmax=largest,
        hovertemplate=template,
        hoverongaps=False,
        showscale=signed,
        colorbar={"thickness": 8, "outlinewidth": 0, "nticks": 5},
        meta={"scale": "diverging" if signed else "sequential"},
    )
    axis = {"visible": False, "constrain": "domain"}
    return go.Figure(
        heat,
        go.Layout(
            uirevision="kept",
            margin={"l": 0, "r": 0, "t": 0, "b": 0},
            xaxis=axis,
            yaxis={**axis, "autorange": "reversed", **({"scaleanchor": "x"} if square else {})},
        ),
    )
