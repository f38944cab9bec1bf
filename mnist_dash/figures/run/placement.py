"""A drawing among the points of an embedding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from mnist_dash.figures.run.embedding import Marks, draw_embedding


def draw_placement(
    points: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    neighbours: Sequence[int],
    *,
    class_names: Sequence[str],
    name: str,
) -> go.Figure:
    """Draw an embedding by label, the neighbours of a drawing ringed, and the drawing as a star in the midst of them.

    Args:
        points: ``(N, 2)``.
        labels: ``(N,)``.
        neighbours: indices of the points that the drawing lies among.
        class_names: as legend and hover print them.
        name: names the points; zoom is kept while it stays the same.
    """
    figure = draw_embedding(
        points,
        labels,
        None,
        color_by="label",
        class_names=class_names,
        marks=Marks(neighbours=neighbours),
        name=name,
    )
    x, y = points[list(neighbours)].astype(float).mean(0)
    figure.add_trace(
        go.Scattergl(
            x=[x],
            y=[y],
            name="your drawing",
            mode="markers",
            marker={"symbol": "star", "size": 20, "line": {"width": 1}},
            hovertemplate="your drawing<extra></extra>",
            meta={"color": 1},
        )
    )
    figure.add_annotation(
        x=x,
        y=y,
        text="your drawing",
        showarrow=True,
        arrowhead=2,
        ax=70,
        ay=-50,
        standoff=8,
        captureevents=False,
    )
    return figure
