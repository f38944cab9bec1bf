"""Calibration curve: accuracy by confidence."""

from __future__ import annotations

import plotly.graph_objects as go

from mnist_dash.core.analysis.calibration_curve import CalibrationCurve
from mnist_dash.formatting import percent


def draw_calibration(curve: CalibrationCurve) -> go.Figure:
    """Draw accuracy against confidence, one bar a bin, with the diagonal on which both are equal; empty bins are left out."""
    filled = [index for index, count in enumerate(curve.counts) if count]
    width = float(curve.edges[1])
    confidence, accuracy = curve.confidence[filled].tolist(), curve.accuracy[filled].tolist()
    spans = [f"{curve.edges[index]:.2f} to {curve.edges[index + 1]:.2f}" for index in filled]
    bars = go.Bar(
        x=[float(curve.edges[index]) + width / 2 for index in filled],
        y=accuracy,
        width=width * 0.92,
        name="accuracy",
        uid="accuracy",
        meta={"color": 0},
        customdata=[
            [span, int(curve.counts[index]), percent(right), percent(sure)]
            for span, index, right, sure in zip(spans, filled, accuracy, confidence, strict=True)
        ],
        hovertemplate="confidence %{customdata[0]}: %{customdata[1]:,} images<br>"
        "accuracy %{customdata[2]}, mean confidence %{customdata[3]}<extra></extra>",
    )
    points = go.Scatter(
        x=confidence,
        y=accuracy,
        name="mean confidence in the bin",
        uid="mean confidence",
        mode="markers",
        marker={"size": 8, "symbol": "diamond"},
        meta={"color": 1},
        hoverinfo="skip",
    )
    diagonal = go.Scatter(
        x=[0, 1],
        y=[0, 1],
        name="perfectly calibrated",
        uid="diagonal",
        mode="lines",
        line={"dash": "dash"},
        meta={"color": 6},
        hoverinfo="skip",
    )
    return go.Figure([bars, points, diagonal], _layout())


def _layout() -> go.Layout:
    return go.Layout(
        uirevision="kept",
        margin={"l": 52, "r": 8, "t": 36, "b": 40},
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        xaxis={
            "title": {"text": "confidence: probability of the predicted class", "standoff": 6},
            "range": [0, 1.01],
            "zeroline": False,
        },
        yaxis={
            "title": {"text": "accuracy", "standoff": 6},
            "range": [0, 1.03],
            "tickformat": ".0%",
            "zeroline": False,
        },
    )
