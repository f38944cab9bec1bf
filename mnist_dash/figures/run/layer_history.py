"""Layers from epoch to epoch: where their weights and activations lie, and which share of their units is dead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from mnist_dash.core.analysis.layer_statistics import QUANTILES, Spread
from mnist_dash.figures.base.axes import count_along_x
from mnist_dash.figures.base.curves import epoch_layout
from mnist_dash.figures.base.hover import hover_texts

_BANDS = ((1, 7, "1 to 99 %"), (2, 6, "5 to 95 %"), (3, 5, "25 to 75 %"))
"""Indices into `QUANTILES` of the lower and the upper edge, and the name of what lies between."""
_MEDIAN = QUANTILES.index(0.5)


def draw_spreads(epochs: Sequence[int], spreads: Sequence[Spread], *, what: str) -> go.Figure:
    """Draw where values lie after each epoch: nested bands around the median.

    Args:
        epochs: ascending.
        spreads: one an epoch.
        what: names the upright axis.
    """
    traces: list[go.Scatter] = []
    for low, high, name in _BANDS:
        for index, fill in ((low, None), (high, "tonexty")):
            traces.append(
                go.Scatter(
                    x=list(epochs),
                    y=[spread.quantiles[index] for spread in spreads],
                    name=name,
                    uid=f"{name} {index}",
                    legendgroup=name,
                    showlegend=fill is not None,
                    mode="lines",
                    line={"width": 0.5},
                    fill=fill,
                    opacity=0.5,
                    meta={"color": 0},
                    hovertemplate=f"{100 * QUANTILES[index]:g} % quantile: %{{y}}<extra></extra>",
                )
            )
    median = go.Scatter(
        x=list(epochs),
        y=[spread.quantiles[_MEDIAN] for spread in spreads],
        name="median",
        uid="median",
        mode="lines+markers",
        line={"width": 2},
        marker={"size": 5},
        meta={"color": 1},
        hovertemplate="median: %{y}<extra></extra>",
    )
    return count_along_x(go.Figure([*traces, median], epoch_layout(what)))


def draw_dead_units(epochs: Sequence[int], shares: Mapping[str, Sequence[float]]) -> go.Figure:
    """Draw the share of dead units of each ReLU layer after each epoch.

    Args:
        epochs: ascending.
        shares: layer -> one share an epoch, in [0, 1].
    """
    lines = [
        go.Scatter(
            x=list(epochs),
            y=list(values),
            name=name,
            uid=name,
            mode="lines+markers",
            marker={"size": 5},
            meta={"color": color},
            text=hover_texts(values, is_share=True),
            hovertemplate="%{text}<extra>%{fullData.name}</extra>",
        )
        for color, (name, values) in enumerate(shares.items())
    ]
    figure = count_along_x(go.Figure(lines, epoch_layout("dead units")))
    return figure.update_yaxes(tickformat="~%", rangemode="tozero")
