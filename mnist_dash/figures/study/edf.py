"""Empirical distribution of a study's values, beside those of other studies."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from mnist_dash.figures.base.hover import hover_texts
from mnist_dash.figures.study.drawing import (
    NOTHING_YET,
    Look,
    add_points,
    points,
    say_empty,
    scatter_type,
    sentences,
    study_layout,
    value_axis,
)
from mnist_dash.figures.study.trials import Objective, Trials

DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


def distribution(
    values: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Sort the finite values and give the share of them that is at most each, both ``(m,)``."""
    ordered = np.sort(values[np.isfinite(values)])
    return ordered, np.searchsorted(ordered, ordered, side="right") / max(len(ordered), 1)


def draw_edf(
    trials: Trials,
    objective: Objective,
    *,
    column: int = 0,
    name: str = "this study",
    others: Mapping[str, Trials] | None = None,
    selected: Collection[int] = (),
) -> go.Figure:
    """Draw for each value the share of complete trials with at most that value.

    Args:
        trials: of the study; its points report their trial's number, those of others do not.
        objective: which; the same one in all studies.
        column: of ``trials.values``.
        name: of the study, in the legend.
        others: further studies by name.
        selected: numbers of trials that stand out.
    """
    figure = go.Figure(
        layout=study_layout(
            f"edf {objective.name}",
            xaxis=value_axis(objective),
            yaxis={
                "title": {"text": "fraction of trials with at most this value", "standoff": 6},
                "tickformat": ".0%",
                "range": [0, 1.03],
                "zeroline": False,
            },
            meta={"axes": {"x": objective.name}},
        )
    )
    # This study on top.
    for place, (title, study) in reversed(
        list(enumerate([(name, trials), *(others or {}).items()]))
    ):
        kept = np.flatnonzero(study.complete(column)) if len(study) else np.zeros(0, dtype=np.intp)
        if not len(kept):
            continue
        kept = kept[np.argsort(study.values[kept, column], kind="stable")]
        x, y = distribution(study.values[kept, column])
        line = scatter_type(len(kept))(
            x=x,
            y=y,
            mode="lines",
            name=f"{title} ({len(kept):,})",
            uid=f"{place} {title}",
            legendrank=1000 + place,
            line={"width": 2, "shape": "hv", "dash": DASHES[place % len(DASHES)]},
            text=[
                f"{share} have at most {value}"
                for share, value in zip(
                    hover_texts(y.tolist(), is_share=True),
                    map(objective.write, x.tolist()),
                    strict=True,
                )
            ],
            hovertemplate="%{text}<extra>%{fullData.name}</extra>",
            meta={"color": place},
        )
        if place == 0:
            line.update(hoverinfo="skip", hovertemplate=None)
            figure.add_trace(line)
            add_points(figure, [_dots(study, objective, kept, y, column=column)], selected)
        else:
            figure.add_trace(line)
    return figure if figure.data else say_empty(figure, NOTHING_YET)


def _dots(
    trials: Trials,
    objective: Objective,
    kept: npt.NDArray[np.intp],
    shares: npt.NDArray[np.float64],
    *,
    column: int,
) -> go.Scatter | go.Scattergl:
    heights = np.full(len(trials), np.nan)
    heights[kept] = shares
    texts = sentences(trials, objective, kept, column=column)
    dots = points(
        trials,
        kept,
        trials.values[:, column],
        heights,
        look=Look(0, "circle", 4),
        name="trials",
        texts=texts,
    )
    dots.showlegend = False
    return dots
