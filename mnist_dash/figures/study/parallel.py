"""Parallel coordinates of a study: a line a trial across its settings and its value."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from mnist_dash.figures.study.drawing import (
    NOT_SET,
    NOTHING_YET,
    axes_meta,
    bounds_of,
    choices_of,
    log_ticks,
    positions_on,
    say_empty,
    study_layout,
    write_choice,
)
from mnist_dash.figures.study.trials import Axis, Objective, Trials, select, titles

_BELOW = 0.12
"""How far below its axis a setting that does not apply is drawn, as a share of the axis."""
_MAX_TITLE = 15


def draw_parallel_coordinates(
    trials: Trials, objective: Objective, axes: Sequence[Axis], *, column: int = 0
) -> go.Figure:
    """Draw complete trials across their settings; the objective is the last axis and the colour.

    Logarithmic settings are drawn as their logarithm to base 10 with ticks in their own unit. A part of an axis can be brushed; the page
    learns the setting by the dimension's ``name``. Lines cannot be clicked: Plotly draws them on a canvas.

    Args:
        trials: of the study, or the best of them.
        objective: which.
        axes: in the order of the drawing.
        column: of ``trials.values``.
    """
    kept = select(trials, trials.complete(column))
    names = titles(axes)
    meta = axes_meta({str(place): axis for place, axis in enumerate(axes)}, kept)
    layout = study_layout(
        f"parallel {objective.name} {' '.join(axis.path for axis in axes)}",
        margin={"l": 56, "r": 68, "t": 56, "b": 24},
        showlegend=False,
        meta=meta,
    )
    if not len(kept):
        return say_empty(go.Figure(layout=layout), NOTHING_YET)
    values = kept.values[:, column]
    low, high = float(values.min()), float(values.max())
    last = {
        "name": objective.name,
        "label": _title(objective.title),
        "values": values,
        "multiselect": False,
        "tickformat": objective.tick_format,
    }
    trace = go.Parcoords(
        dimensions=[*(_dimension(axis, kept, names[axis.path]) for axis in axes), last],
        line={
            "color": values,
            "cmin": low,
            "cmax": high if high > low else low + 1e-9,
            "showscale": False,
        },
        labelangle=-18 if len(axes) > 4 else 0,
        labelside="top",
        meta={"scale": "sequential"},
        uid="parallel",
    )
    return go.Figure(trace, layout)


def _title(text: str) -> str:
    return html.escape(
        text if len(text) <= _MAX_TITLE else f"{text[: _MAX_TITLE - 1]}…", quote=False
    )


def _dimension(axis: Axis, trials: Trials, title: str) -> dict[str, object]:
    """Describe one axis; brushes snap to the middle between given ticks, so those of numbers are many and mostly unnamed."""
    places = positions_on(axis, trials)
    low, high = bounds_of(axis, places)
    if axis.kind == "choice":
        choices = choices_of(axis, trials.parameters.get(axis.path, ()))
        low, high = 0.0, float(max(len(choices) - 1, 1))
        ticks, texts = (
            [float(place) for place in range(len(choices))],
            [write_choice(choice) for choice in choices],
        )
    elif axis.log:
        low, high = math.log10(low), math.log10(high)
        places = np.log10(places)
        ticks, texts = log_ticks(low, high)
    else:
        ticks, texts = round_ticks(low, high, whole=axis.kind == "int")
    missing = ~np.isfinite(places)
    if missing.any():
        bottom = low - _BELOW * (high - low)
        places = np.where(missing, bottom, places)
        low, ticks, texts = bottom, [bottom, *ticks], [NOT_SET, *texts]
    dimension = {
        "name": axis.path,
        "label": _title(title),
        "values": places,
        "range": [low, high],
        "multiselect": False,
    }
    is_plain = axis.kind != "choice" and not axis.log and not missing.any()
    # Plotly takes ticks with the same text for one and the same tick.
    texts = [text or " " * (place + 1) for place, text in enumerate(texts)]
    return dimension | (
        {"tickformat": "~g"} if is_plain else {"tickvals": ticks, "ticktext": texts}
    )


def round_ticks(low: float, high: float, *, whole: bool) -> tuple[list[float], list[str]]:
    """Put ticks at about twenty round numbers between two, or at fewer whole ones; every fourth is named."""
    rough = (high - low) / 20
    power = 10 ** math.floor(math.log10(rough))
    step = float(
        next(factor for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * (1 - 1e-9))
        * power
    )
    step = max(1.0, float(round(step))) if whole else step
    counts = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    return [count * step for count in counts], [
        f"{count * step:.6g}" if count % 4 == 0 or len(counts) <= 6 else "" for count in counts
    ]
