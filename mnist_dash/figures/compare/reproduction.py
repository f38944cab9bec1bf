"""A published experiment beside our runs of it: curves with their band over seeds, and accuracy by the value of a sweep."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from mnist_dash.core.config.experiments import Curve
from mnist_dash.figures.base.axes import count_along_x
from mnist_dash.figures.base.curves import Metric, epoch_layout
from mnist_dash.figures.base.hover import hover_texts

OURS, BAND_OPACITY = "ours", 0.18


def draw_reproduction(
    lines: Mapping[str, tuple[Curve, Sequence[Sequence[float]]]], *, metric: Metric
) -> go.Figure:
    """Draw published histories in grey and the mean of ours in colour, with a band from the least to the most over the seeds.

    Args:
        lines: by what is measured, such as ``validation``: the published points, and one history by epoch for each of our runs.
        metric: names the y axis.
    """
    traces: list[go.Scatter] = []
    for color, (name, (published, ours)) in enumerate(lines.items()):
        if ours:
            traces += _band(name, ours, color, is_share=metric == "accuracy")
        if published:
            traces.append(
                go.Scatter(
                    x=[epoch for epoch, _ in published],
                    y=[value for _, value in published],
                    name=f"{name}, published",
                    meta={"color": "text"},
                    opacity=0.6,
                    mode="lines+markers" if len(published) > 1 else "markers",
                    line={"width": 1.5, "dash": "solid" if color == 0 else "dot"},
                    marker={"size": 7, "symbol": "x-thin-open"},
                    text=hover_texts(
                        [value for _, value in published], is_share=metric == "accuracy"
                    ),
                    hovertemplate="%{text}<extra>%{fullData.name}</extra>",
                )
            )
    figure = count_along_x(go.Figure(traces, _layout(metric)))
    if not traces:
        figure.add_annotation(
            text="No published curve and no run yet",
            showarrow=False,
            xref="paper",
            yref="paper",
            x=0.5,
            y=0.5,
        )
    return figure


def draw_sweep(
    path: str, values: Sequence[float], accuracies: Mapping[str, Sequence[float | None]]
) -> go.Figure:
    """Draw accuracy by the value of a sweep; a value that was not run yet is a gap.

    Args:
        path: the setting, as the x axis names it.
        values: in the sweep's order.
        accuracies: by set, one for each value; fractions.
    """
    traces = [
        go.Scatter(
            x=[f"{value:g}" for value in values],
            y=list(row),
            name=name,
            meta={"color": color},
            mode="lines+markers",
            text=hover_texts(
                [math.nan if value is None else value for value in row], is_share=True
            ),
            hovertemplate="%{text}<extra>%{fullData.name}</extra>",
        )
        for color, (name, row) in enumerate(accuracies.items())
    ]
    figure = go.Figure(traces, _layout("accuracy"))
    figure.update_xaxes(title={"text": path, "standoff": 6}, type="category")
    return figure


def _band(
    name: str, ours: Sequence[Sequence[float]], color: int, *, is_share: bool
) -> list[go.Scatter]:
    length = min(len(history) for history in ours)
    values = np.array([history[:length] for history in ours])
    x = list(range(1, length + 1))
    line = go.Scatter(
        x=x,
        y=values.mean(axis=0).tolist(),
        name=f"{name}, {OURS}" if len(ours) == 1 else f"{name}, {OURS}, mean of {len(ours)}",
        meta={"color": color},
        mode="lines+markers" if length < 30 else "lines",
        legendgroup=name,
        text=hover_texts(values.mean(axis=0).tolist(), is_share=is_share),
        hovertemplate="%{text}<extra>%{fullData.name}</extra>",
    )
    if len(ours) == 1:
        return [line]
    edges = [*values.max(axis=0).tolist(), *values.min(axis=0)[::-1].tolist()]
    band = go.Scatter(
        x=[*x, *x[::-1]],
        y=edges,
        fill="toself",
        meta={"color": color},
        opacity=BAND_OPACITY,
        mode="lines",
        line={"width": 0},
        legendgroup=name,
        showlegend=False,
        hoverinfo="skip",
    )
    return [band, line]


def _layout(metric: Metric) -> go.Layout:
    layout = epoch_layout(metric)
    return layout.update(
        yaxis={"tickformat": ".2~%" if metric == "accuracy" else None, "zeroline": False}
    )
