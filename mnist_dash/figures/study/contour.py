"""Contour of a study: the objective over two settings, smoothed from the trials near each place."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from mnist_dash.figures.study.drawing import (
    LOOKS,
    NOTHING_YET,
    Look,
    Scale,
    add_points,
    axes_meta,
    axis_layout,
    bounds_of,
    choices_of,
    color_bar,
    points,
    positions_on,
    say_empty,
    sentences,
    spread,
    study_layout,
)
from mnist_dash.figures.study.trials import Axis, Objective, Trials, titles

CELLS = 48
"""Places along an axis of numbers at which the surface is computed."""
NEAR = 2.0
"""Farther than so many bandwidths from every trial the surface is blank."""
MIN_TRIALS = 3
HOVER_PIXELS, CROWD_HOVER_PIXELS = 8, 3
CROWD = 600
"""More trials than this are small and faint, so that the surface is seen, and can be clicked, between them."""


@dataclass(frozen=True)
class Surface:
    """A smoothed objective on a grid: places along x ``(w,)`` and y ``(h,)``, values ``(h, w)``, nan where no trial is near."""

    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    z: npt.NDArray[np.float64]


def smooth_surface(
    trials: Trials,
    x_axis: Axis,
    y_axis: Axis,
    positions: npt.NDArray[np.intp],
    values: npt.NDArray[np.float64],
) -> Surface:
    """Regress values on two settings with a Gaussian kernel (Nadaraya, 1964; Watson, 1964) on the unit square of their ranges.

    Logarithmic axes are scaled by their logarithm. The bandwidth is ``0.3 n ** (-1/6)`` of the range, the rate of Silverman's rule in two
    dimensions. A choice has nothing to do with its neighbours: only trials of the same choice count. Where the weights sum to less than
    one trial has at two bandwidths, the surface is blank. It is a picture of the trials, not the model of the sampler.

    Args:
        trials: of the study.
        x_axis: setting along x.
        y_axis: setting along y.
        positions: ``(m,)`` trials that count.
        values: ``(m,)`` their finite values.
    """
    bandwidth = 0.3 * max(len(positions), 1) ** (-1 / 6)
    (x, across), (y, along) = (
        _weights(axis, trials, positions, bandwidth) for axis in (x_axis, y_axis)
    )
    total = along @ across.T
    middle = float(values.mean()) if len(values) else 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        z = middle + ((along * (values - middle)) @ across.T) / total
    return Surface(x, y, np.where(total >= np.exp(-(NEAR**2) / 2), z, np.nan))


def _weights(
    axis: Axis, trials: Trials, positions: npt.NDArray[np.intp], bandwidth: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Give the grid's places along one axis ``(cells,)`` and the weight of each trial at each of them ``(cells, m)``."""
    places = positions_on(axis, trials)[positions]
    if axis.kind == "choice":
        grid = np.arange(
            max(len(choices_of(axis, trials.parameters.get(axis.path, ()))), 1), dtype=np.float64
        )
        return grid, (grid[:, None] == places[None, :]).astype(np.float64)
    low, high = bounds_of(axis, positions_on(axis, trials))
    if axis.log:
        low, high, places = np.log10(low), np.log10(high), np.log10(places)
    unit = np.linspace(0, 1, CELLS)
    distances = unit[:, None] - (places - low)[None, :] / (high - low)
    weights = np.nan_to_num(np.exp(-0.5 * (distances / bandwidth) ** 2))
    grid = low + unit * (high - low)
    return 10**grid if axis.log else grid, weights


def draw_contour(
    trials: Trials,
    objective: Objective,
    x_axis: Axis,
    y_axis: Axis,
    *,
    column: int = 0,
    names: Mapping[str, str] | None = None,
    selected: Collection[int] = (),
) -> go.Figure:
    """Draw the smoothed objective and the trials over it; a click beside the trials reports the place.

    Args:
        trials: of the study.
        objective: which.
        x_axis: setting along x.
        y_axis: setting along y.
        column: of ``trials.values``.
        names: titles by path, where other settings of the study have to be told apart from these two.
        selected: numbers of trials that stand out.
    """
    figure = go.Figure(
        layout=plane_layout("contour", trials, objective, x_axis, y_axis, names=names)
    )
    complete = np.flatnonzero(trials.complete(column))
    x, y, placed = place_on_plane(trials, x_axis, y_axis)
    complete = complete[placed[complete]]
    if not len(complete):
        return say_empty(figure, NOTHING_YET)
    if len(complete) >= MIN_TRIALS:
        values = trials.values[complete, column]
        figure.add_trace(
            _surface_trace(
                smooth_surface(trials, x_axis, y_axis, complete, values), objective, x_axis, y_axis
            )
        )
    is_crowd = int(placed.sum()) > CROWD
    traces = []
    for state in ("pruned", "complete", "running", "diverged"):
        chosen = np.flatnonzero((trials.states == state) & placed)
        if len(chosen):
            look = Look(
                "text" if state == "complete" else LOOKS[state].color,
                LOOKS[state].symbol,
                3 if is_crowd else 7,
            )
            texts = sentences(trials, objective, chosen, column=column)
            traces.append(
                points(
                    trials,
                    chosen,
                    x,
                    y,
                    look=look,
                    name=state,
                    texts=texts,
                    halo=None if is_crowd else "background",
                )
            )
    if is_crowd:
        figure.update_layout(hoverdistance=CROWD_HOVER_PIXELS)
        for trace in traces:
            trace.marker.opacity = 0.35
    add_points(figure, traces, selected)
    return figure


def _surface_trace(
    surface: Surface, objective: Objective, x_axis: Axis, y_axis: Axis
) -> go.Contour | go.Heatmap:
    said = [
        [
            f"about {objective.write(z)}, smoothed over nearby trials"
            if np.isfinite(z)
            else "no trial nearby"
            for z in row
        ]
        for row in surface.z.tolist()
    ]
    shared = {
        "x": surface.x,
        "y": surface.y,
        "z": surface.z,
        "meta": {"place": True, "scale": "sequential"},
        "uid": "surface",
        "name": "smoothed",
        "colorbar": color_bar(Scale(surface.z, objective.title, objective.tick_format)),
        "hovertext": np.array(said, dtype=object),
        "hoverinfo": "text",
        "hoverongaps": True,
    }
    if "choice" in (x_axis.kind, y_axis.kind):
        return go.Heatmap(**shared, ygap=2)
    return go.Contour(
        **shared,
        connectgaps=False,
        ncontours=14,
        line={"width": 0.5},
        contours={"coloring": "heatmap"},
    )


def place_on_plane(
    trials: Trials, x_axis: Axis, y_axis: Axis
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Place trials on a plane of two settings: x ``(n,)``, y ``(n,)``, and whether both settings apply to a trial ``(n,)``."""
    x, y = (spread(axis, positions_on(axis, trials), trials.numbers) for axis in (x_axis, y_axis))
    return x, y, np.isfinite(x) & np.isfinite(y)


def plane_layout(
    name: str,
    trials: Trials,
    objective: Objective,
    x_axis: Axis,
    y_axis: Axis,
    *,
    names: Mapping[str, str] | None,
) -> go.Layout:
    """Lay out a plane of two settings, their whole explored ranges in it; ``names`` are titles by path."""
    names = titles((x_axis, y_axis)) | dict(names or {})
    return study_layout(
        f"{name} {objective.name} {x_axis.path} {y_axis.path}",
        hoverdistance=HOVER_PIXELS,
        xaxis=axis_layout(x_axis, trials, names[x_axis.path]) | {"showgrid": False},
        yaxis=axis_layout(y_axis, trials, names[y_axis.path]) | {"showgrid": False},
        meta=axes_meta({"x": x_axis, "y": y_axis}, trials),
    )
