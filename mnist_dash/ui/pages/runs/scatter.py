"""Parameters against accuracy: all finished runs as points, to see what size and depth have bought."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.config.naming import network_name
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.layers import Conv, Dense
from mnist_dash.figures.run.parameters import RunPoint, draw_accuracy_by_parameters
from mnist_dash.runs.query.overview import FinishedRun, finished_runs
from mnist_dash.text import plural
from mnist_dash.ui.app.navigation import RUN, go_to
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.elements.live_plot import live_plot

MIN_RANKED = 5
"""Below so many different networks a correlation says nothing."""


def parameters_section() -> None:
    """Draw the points and say what they show; a click opens a run."""
    points = tuple(_point(run) for run in finished_runs(store()))
    if not points:
        st.caption(
            "No finished runs yet. The chart draws one point per run that was evaluated on the test set."
        )
        return
    st.markdown(
        "**Do deeper networks have more parameters, and do more parameters bring more accuracy?**"
    )
    clicked = live_plot(
        _figure(store().settings.database_url, hash(points), _points=points),
        key="runs_scatter",
        alt=f"Test accuracy against parameters of {plural(len(points), 'finished run')}",
        height=480,
        clickable=True,
    )
    st.caption(
        "One point per finished run; larger points are deeper networks. Both axes are "
        "logarithmic, the y axis in the error rate. Click a point to open its run."
    )
    st.markdown(findings(points))
    if isinstance(clicked, str):
        go_to(RUN, {"run": clicked})


@st.cache_data(show_spinner=False, max_entries=16)
def _figure(_database_url: str, points_hash: int, _points: Sequence[RunPoint]) -> str:  # noqa: ARG001 - the hash stands for the points in the cache's key
    return str(draw_accuracy_by_parameters(_points).to_json())


def findings(points: Sequence[RunPoint]) -> str:
    """Say in words what the points show: the best run, larger ones that do worse, and how depth and size go together.

    Args:
        points: at least one.
    """
    best = max(points, key=lambda point: (point.test_accuracy, -point.n_parameters))
    n_worse = sum(
        point.n_parameters > best.n_parameters and point.test_accuracy < best.test_accuracy
        for point in points
    )
    sentences = [
        (
            f"Highest test accuracy: {formatting.percent(best.test_accuracy)}, "
            f"{best.network} with {best.n_parameters:,} parameters (`{best.run_id}`)."
        ),
        f"{plural(n_worse, 'run')} had more parameters and a lower accuracy."
        if n_worse
        else "No run with more parameters had a lower accuracy.",
    ]
    networks = {(point.depth, point.n_parameters, point.network) for point in points}
    depths, sizes, _ = zip(*networks, strict=True)
    if len(networks) >= MIN_RANKED and min(depths) < max(depths) and min(sizes) < max(sizes):
        correlation = float(pd.Series(depths).rank().corr(pd.Series(sizes).rank()))
        trend = (
            "deeper networks tend to have more"
            if correlation > 0.3
            else "deeper networks tend to have fewer"
            if correlation < -0.3
            else "depth and size are hardly related"
        )
        sentences.append(
            f"Rank correlation of depth and parameters over {len(networks):,} networks: {correlation:+.2f}; {trend}."
        )
    return " ".join(sentences)


def _point(run: FinishedRun) -> RunPoint:
    weighted = [layer for layer in run.config.layers if isinstance(layer, Conv | Dense)]
    return RunPoint(
        run.run_id,
        network_name(run.config),
        _kind(run.config),
        len(weighted),
        run.n_parameters,
        run.test_accuracy,
    )


def _kind(config: RunConfig) -> str:
    if any(isinstance(layer, Conv) for layer in config.layers):
        return "convolutional"
    hidden = [getattr(layer, "activation", "linear") for layer in config.layers[:-1]]
    return "linear" if all(activation == "linear" for activation in hidden) else "dense"
