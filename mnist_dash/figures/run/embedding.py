"""Embedding: points on a plane in, a scatter chart out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

ColorBy = Literal["label", "prediction", "error"]
SYMBOLS = (
    "circle",
    "square",
    "diamond",
    "circle",
    "diamond",
    "square",
    "square",
    "circle",
    "diamond",
    "square",
)
"""A class's symbol: neighbouring ones in the list of colours differ, for who cannot tell the colours apart."""
WRONG_SYMBOL = "x"
RIGHT_COLOR, WRONG_COLOR = 6, 1
FADED, PLAIN = 0.12, 0.75
RING_PIXELS, NEIGHBOUR_PIXELS = 10, 6
_MANY = 3000


@dataclass(frozen=True)
class Marks:
    """What stands out among the points."""

    emphasised: npt.NDArray[np.intp] | None = None
    """Points that keep their colour while the others fade; None for all."""
    selected: int | None = None
    """Point with a ring around it."""
    neighbours: Sequence[int] = ()
    """Points with smaller rings."""


def draw_embedding(
    points: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    predicted: npt.NDArray[np.int64] | None,
    *,
    color_by: ColorBy,
    class_names: Sequence[str],
    marks: Marks,
    name: str,
    axes: tuple[str, str] | None = None,
) -> go.Figure:
    """Draw a point an image, one trace a class, so that the legend hides and shows classes.

    Args:
        points: ``(N, 2)``.
        labels: ``(N,)`` true classes.
        predicted: ``(N,)`` predicted classes; wrong ones are crosses. None where they are not known.
        color_by: what decides a point's colour; without predictions always the label.
        class_names: as legend and hover print them.
        marks: what stands out.
        name: names the points; zoom and hidden classes are kept while it stays the same.
        axes: titles of the axes; None where they mean nothing.
    """
    known = labels if predicted is None else predicted
    wrong = known != labels
    by_error = color_by == "error"
    groups = wrong.astype(np.int64) if by_error else labels if color_by == "label" else known
    names = ("correct", "misclassified") if by_error else class_names
    classes = np.array(class_names)
    said = "true " + classes[labels]
    if predicted is not None:
        said = said + ", predicted " + classes[known]
    bright = np.ones(len(labels), dtype=bool)
    if marks.emphasised is not None:
        bright[:] = False
        bright[marks.emphasised] = True
    bold = wrong | (bright & (marks.emphasised is not None))
    size = 5 if len(points) > _MANY else 7
    coordinates = _rounded(points)
    columns = {
        "size": np.where(bold, size + 3, size),
        "opacity": np.where(bright, np.where(bold, 1.0, PLAIN), FADED),
        "symbol": np.where(
            wrong, WRONG_SYMBOL, "circle" if by_error else np.array(SYMBOLS)[groups % len(SYMBOLS)]
        ),
    }
    figure = go.Figure(layout=_layout(name, axes))
    for group, title in enumerate(names):
        chosen = np.flatnonzero(groups == group)
        # The legend shows the first one's symbol.
        chosen = chosen[np.argsort(wrong[chosen], kind="stable")]
        trace = _trace(coordinates, chosen, said=said, columns=columns)
        trace.name = f"{title} ({len(chosen):,})" if by_error else title
        trace.uid = f"{color_by} {group}"
        trace.meta = {"color": (RIGHT_COLOR, WRONG_COLOR)[group] if by_error else group}
        figure.add_trace(trace)
    figure.update_layout(
        shapes=_rings(coordinates, marks),
        annotations=[] if by_error else _names(coordinates, groups, names),
    )
    return figure


def _trace(
    points: npt.NDArray[np.float64],
    chosen: npt.NDArray[np.intp],
    *,
    said: npt.NDArray[np.str_],
    columns: dict[str, npt.NDArray[np.generic]],
) -> go.Scattergl:
    """Draw some of the points, with the looks that the columns give each."""
    return go.Scattergl(
        x=points[chosen, 0].tolist(),
        y=points[chosen, 1].tolist(),
        mode="markers",
        marker={"line": {"width": 0}}
        | {name: values[chosen].tolist() for name, values in columns.items()},
        customdata=chosen.tolist(),
        text=said[chosen].tolist(),
        hovertemplate="image %{customdata:,}: %{text}<extra></extra>",
    )


def _rounded(points: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Round to a ten-thousandth of the extent, which no screen shows: the chart travels in half the bytes."""
    extent = max(float(np.ptp(points)), 1e-12)
    return points.astype(np.float64).round(max(0, 4 - int(np.floor(np.log10(extent)))))


def _rings(points: npt.NDArray[np.float64], marks: Marks) -> list[dict[str, object]]:
    """Ring points in pixels, so that a ring keeps its size when the chart is zoomed."""
    rings = [(neighbour, NEIGHBOUR_PIXELS, 1) for neighbour in marks.neighbours]
    rings += [] if marks.selected is None else [(marks.selected, RING_PIXELS, 2)]
    return [
        {
            "type": "circle",
            "xsizemode": "pixel",
            "ysizemode": "pixel",
            "xanchor": points[point, 0],
            "yanchor": points[point, 1],
            "x0": -radius,
            "x1": radius,
            "y0": -radius,
            "y1": radius,
            "line": {"width": width},
        }
        for point, radius, width in rings
    ]


def _names(
    points: npt.NDArray[np.float64], groups: npt.NDArray[np.int64], names: Sequence[str]
) -> list[dict[str, object]]:
    """Write each class's name above the midst of its points, those that lie with other classes left out."""
    written = []
    for group, title in enumerate(names):
        own = points[groups == group]
        if len(own):
            middle = np.median(own, axis=0)
            near = own[np.abs(own - middle).max(1) <= 2 * np.median(np.abs(own - middle).max(1))]
            place = {"x": float(middle[0]), "y": float(near[:, 1].max()), "yshift": 12}
            written.append(
                {
                    **place,
                    "text": f"<b>{title}</b>",
                    "showarrow": False,
                    "font": {"size": 17},
                    "captureevents": False,
                }
            )
    return written


def _layout(name: str, axes: tuple[str, str] | None) -> go.Layout:
    bare = {
        "showgrid": axes is not None,
        "zeroline": False,
        "showticklabels": axes is not None,
        "ticks": "",
        "showline": False,
    }
    titles = [{"text": title, "standoff": 4} for title in axes or ("", "")]
    side = 8 if axes is None else 48
    return go.Layout(
        uirevision=name,
        hovermode="closest",
        margin={"l": side, "r": 8, "t": 32, "b": side},
        legend={
            "orientation": "h",
            "x": 0,
            "y": -0.01 if axes is None else -0.1,
            "yanchor": "top",
            "itemsizing": "constant",
        },
        xaxis={**bare, "title": titles[0]},
        yaxis={**bare, "title": titles[1], "scaleanchor": "x"},
    )
