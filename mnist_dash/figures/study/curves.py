"""Learning curves of a study's trials: the objective by epoch, pruned trials ending where they were pruned."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from mnist_dash.figures.base import axes
from mnist_dash.figures.base.hover import hover_texts
from mnist_dash.figures.study.drawing import (
    LOOKS,
    Look,
    add_points,
    is_selected,
    objective_range,
    points,
    say_empty,
    sentences,
    study_layout,
    value_axis,
)
from mnist_dash.figures.study.history import ValueScale, as_errors
from mnist_dash.figures.study.trials import Objective, Trials
from mnist_dash.text import plural

MOST = 200
STRENGTH = {"complete": (1.25, 0.5), "running": (2.0, 0.9), "pruned": (1.0, 0.75)}
"""Width in pixels and opacity of a state's lines."""
_OTHER = (1.0, 0.5)


def draw_intermediate(
    trials: Trials,
    objective: Objective,
    *,
    most: int = MOST,
    scale: ValueScale = "linear",
    selected: Collection[int] = (),
) -> go.Figure:
    """Draw objective 0 by epoch, one line a trial with a symbol of its state at the end.

    Lines of one state are one trace with gaps. What differs in a trial's configuration is said at its line's end, number, epoch and
    value all along it.

    Args:
        trials: of the study.
        objective: the first one.
        most: so many lines at most: the selected trials, the running ones, then the best; the figure says how many are left out.
        scale: of the values; see `ValueScale`.
        selected: numbers of trials that stand out.
    """
    has_curve = np.array([len(curve) > 0 for curve in trials.curves], dtype=bool)
    shown = _choose(trials, objective, np.flatnonzero(has_curve), most, selected)
    figure = go.Figure(layout=_layout(objective, scale))
    if not len(shown):
        return say_empty(figure, "No trial has finished an epoch yet")
    is_error = scale == "log" and objective.is_share
    curves = {
        int(position): _curve(trials.curves[position], is_error=is_error) for position in shown
    }
    ends_x, ends_y = _ends(curves, len(trials))
    chosen, ends = is_selected(trials, selected), []
    for state, look in LOOKS.items():
        own = shown[trials.states[shown] == state]
        if len(own):
            figure.add_trace(_lines(trials, objective, own, curves, state))
            texts = sentences(trials, objective, own)
            end = points(
                trials,
                own,
                ends_x,
                ends_y,
                look=Look(look.color, look.symbol, 5),
                name=f"{state}, ends",
                texts=texts,
            )
            end.update(showlegend=False, legendgroup=state, opacity=0.9)
            ends.append(end)
    if len(bold := shown[chosen[shown]]):
        figure.add_trace(_lines(trials, objective, bold, curves, "selected"))
    add_points(figure, ends, selected)
    _choose_ranges(figure, [curves[int(position)] for position in shown], objective, scale)
    if int(has_curve.sum()) > len(shown):
        note = f"the best {len(shown):,} of {plural(int(has_curve.sum()), 'learning curve')}"
        place = {
            "xref": "paper",
            "yref": "paper",
            "x": 1,
            "y": 0,
            "xanchor": "right",
            "yanchor": "bottom",
        }
        figure.add_annotation(text=note, showarrow=False, captureevents=False, **place)
    return figure


def _choose_ranges(
    figure: go.Figure,
    curves: Sequence[npt.NDArray[np.float64]],
    objective: Objective,
    scale: ValueScale,
) -> None:
    """Give the axes of a figure the range that shows what matters of its curves, and whole ticks."""
    figure.update_layout(
        xaxis=axes.counted_axis("epoch", 1, max(len(curve) for curve in curves), margin=0.25)
    )
    if scale == "log":
        return
    x = np.concatenate([np.append(np.arange(1.0, len(curve) + 1), np.nan) for curve in curves])
    seen = [
        axes.Line(
            x,
            np.concatenate([np.append(curve, np.nan) for curve in curves]),
            LOOKS["complete"].color,
            is_curve=False,
        )
    ]
    shown = objective_range(seen, objective)
    figure.update_layout(yaxis=axes.range_of(shown))
    figure.add_traces(axes.edge_marks(seen, shown, is_share=objective.is_share))


def _choose(
    trials: Trials,
    objective: Objective,
    known: npt.NDArray[np.intp],
    most: int,
    selected: Collection[int],
) -> npt.NDArray[np.intp]:
    """Take the selected, the running, then the best; in the order of the trials."""
    values = trials.current()
    merit = np.where(np.isfinite(values), values if objective.maximize else -values, -np.inf)
    keys = (-merit[known], trials.states[known] != "running", ~is_selected(trials, selected)[known])
    return np.sort(known[np.lexsort(keys)][:most])


def _curve(curve: Sequence[float], *, is_error: bool) -> npt.NDArray[np.float64]:
    values = np.asarray(curve, dtype=np.float64)
    values = np.where(np.isfinite(values), values, np.nan)
    return as_errors(values) if is_error else values


def _ends(
    curves: dict[int, npt.NDArray[np.float64]], n: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Place the last finite point of each curve, ``(n,)`` epochs and values; nan without one."""
    x, y = np.full(n, np.nan), np.full(n, np.nan)
    for position, curve in curves.items():
        finite = np.flatnonzero(np.isfinite(curve))
        if len(finite):
            x[position], y[position] = finite[-1] + 1, curve[finite[-1]]
    return x, y


def _lines(
    trials: Trials,
    objective: Objective,
    own: npt.NDArray[np.intp],
    curves: dict[int, npt.NDArray[np.float64]],
    name: str,
) -> go.Scatter | go.Scattergl:
    """Join curves to one trace, a gap after each."""
    lengths = np.array([len(curves[int(position)]) + 1 for position in own])
    x = np.concatenate([np.arange(1, length + 1, dtype=np.float64) for length in lengths])
    y = np.concatenate([np.append(curves[int(position)], np.nan) for position in own])
    width, opacity = STRENGTH.get(name, _OTHER)
    is_selection = name == "selected"
    return go.Scatter(
        x=x,
        y=y,
        mode="lines",
        name=name,
        uid=f"{name} lines",
        legendgroup=name,
        line={
            "width": 3 if is_selection else width,
            "dash": "solid" if is_selection else LOOKS[name].dash,
        },
        opacity=1.0 if is_selection else opacity,
        connectgaps=False,
        customdata=np.repeat(trials.numbers[own], lengths),
        hovertemplate=f"<b>trial %{{customdata}}</b>, {name}<br>epoch %{{x}}: %{{text}}<extra></extra>",
        text=hover_texts(y.tolist(), is_share=objective.is_share),
        meta={"color": "text" if is_selection else LOOKS[name].color},
    )


def _layout(objective: Objective, scale: ValueScale) -> go.Layout:
    y = value_axis(objective)
    if scale == "log":
        y |= {"type": "log", "dtick": "D2", "exponentformat": "power"}
        if objective.is_share:
            y |= {
                "title": {"text": f"error rate, 1 − {objective.title}", "standoff": 6},
                "autorange": "reversed",
            }
    return study_layout(
        f"curves {scale} {objective.name}",
        xaxis={"title": {"text": "epoch", "standoff": 6}, "zeroline": False},
        yaxis=y,
        meta={
            "axes": {"x": "epoch", "y": objective.name},
            "complements": ["y"] if scale == "log" and objective.is_share else [],
        },
    )
