"""Activations as pictures: what each layer makes of one image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from mnist_dash.figures.run.weights import columns_for, draw_pictures, draw_units
from mnist_dash.formatting import percent

Array = npt.NDArray[np.float32]
MAX_MAPS = 64
"""Channels of a layer that are drawn, at most."""
MAPS_WIDE, UNITS_WIDE = 1.6, 4.0
"""How many times as wide as high the maps of an image and the units of a vector are drawn."""


def draw_activation(values: Array) -> go.Figure:
    """Draw one layer's output for one image: maps side by side for an image, a block of units for a vector.

    Negative values, where there are any, have the other half of the scale.

    Args:
        values: ``(height, width, channels)`` or ``(units,)``.
    """
    signed = bool((values < 0).any())
    if values.ndim == 3:
        maps = values[..., :MAX_MAPS].transpose(2, 0, 1)
        return draw_pictures(maps, range(len(maps)), noun="channel", signed=signed, wide=MAPS_WIDE)
    return draw_units(values, signed=signed, wide=UNITS_WIDE)


def picture_ratio(shape: tuple[int, ...]) -> float:
    """Say how high `draw_activation`'s picture is for a width of 1."""
    if len(shape) == 1:
        columns = columns_for(shape[0], wide=UNITS_WIDE)
        return math.ceil(shape[0] / columns) / columns
    n = min(shape[-1], MAX_MAPS)
    columns = columns_for(n, wide=MAPS_WIDE)
    return math.ceil(n / columns) * (shape[0] + 1) / (columns * (shape[1] + 1))


def draw_probabilities(
    probabilities: Sequence[float], class_names: Sequence[str], *, true: int | None
) -> go.Figure:
    """Draw the ten probabilities as bars; the true class has a colour of its own."""
    bars = [
        go.Bar(
            name=name,
            x=[class_names[index] for index in indices],
            y=[probabilities[index] for index in indices],
            text=[
                percent(probabilities[index], 1) if probabilities[index] >= 0.0005 else ""
                for index in indices
            ],
            textposition="outside",
            cliponaxis=False,
            customdata=[percent(probabilities[index]) for index in indices],
            hovertemplate="%{x}: %{customdata}<extra>%{fullData.name}</extra>",
            meta={"color": color},
        )
        for name, color, indices in (
            ("true class", 2, [true] if true is not None else []),
            ("other classes", 0, [index for index in range(len(class_names)) if index != true]),
        )
        if indices
    ]
    return go.Figure(
        bars,
        go.Layout(
            uirevision="kept",
            dragmode=False,
            margin={"l": 44, "r": 8, "t": 30, "b": 30},
            legend={"orientation": "h", "x": 0, "y": 1.08, "yanchor": "bottom"},
            barmode="overlay",
            xaxis={
                "type": "category",
                "categoryorder": "array",
                "categoryarray": list(class_names),
                "fixedrange": True,
            },
            yaxis={"range": [0, 1.08], "tickformat": ".0%", "fixedrange": True},
        ),
    )
