"""How pages show a study: the look of its state, the names of its methods, and how many trials it will have."""

from __future__ import annotations

from mnist_dash.search.studies.records import Study, StudyState

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


def planned(study: Study) -> int | None:
    """Say how many trials a study will have; None where time or convergence decides."""
    grid, budget = study.definition.n_grid, study.definition.budget.trials
    known = [number for number in (grid, budget) if number is not None]
    return min(known) if known else None
