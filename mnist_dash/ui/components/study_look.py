"""How pages show a study: the look of its state, and the names of its methods."""

from __future__ import annotations

from mnist_dash.search.studies.records import StudyState

STATE_LOOK = {
    StudyState.RUNNING: (":material/play_circle:", "blue"),
    StudyState.PAUSED: (":material/pause_circle:", "orange"),
    StudyState.STOPPING: (":material/stop_circle:", "orange"),
    StudyState.STOPPED: (":material/stop_circle:", "orange"),
    StudyState.FINISHED: (":material/check_circle:", "green"),
}
"""Icon and colour of each state of a study."""
METHOD_NAMES = {
    "tpe": "TPE",
    "gp": "Gaussian process",
    "cmaes": "CMA-ES",
    "qmc": "Sobol sequence",
    "random": "random",
    "nsga2": "NSGA-II",
    "grid": "grid",
    "none": "no",
    "median": "median",
    "percentile": "percentile",
    "halving": "successive halving",
    "hyperband": "Hyperband",
    "patient": "patient",
}
"""Samplers and pruners as pages name them."""


def badge(state: StudyState) -> str:
    """Write a study's state as a coloured badge in Markdown."""
    icon, color = STATE_LOOK[state]
    return f":{color}-badge[{icon} {state}]"
