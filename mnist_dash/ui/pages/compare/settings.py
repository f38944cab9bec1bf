"""What sets the compared runs apart: a table of the settings that differ, all of them at once, and any two of them or of their figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.analysis.verdicts import MEASURES
from mnist_dash.figures.compare.scatter import Place, draw_scatter
from mnist_dash.figures.study.parallel import draw_parallel_coordinates
from mnist_dash.figures.study.trials import Axis, Objective, Trials
from mnist_dash.runs.query.comparison import NETWORK
from mnist_dash.runs.store.records import Run
from mnist_dash.text import plural, verb
from mnist_dash.ui.app.navigation import open_run
from mnist_dash.ui.elements.live_plot import live_plot
from mnist_dash.ui.pages.compare.board import Board, choose, figure_json, setting_titles, written

FIGURES = {
    "test_accuracy": "test accuracy",
    "test_loss": "test loss",
    "best_val_accuracy": "best validation accuracy",
    "last_val_accuracy": "last validation accuracy",
    "last_val_loss": "last validation loss",
    "n_parameters": "parameters",
    "epoch": "epochs",
    "seconds_training": "training time, s",
    "seconds_per_image_test": "time per test image, s",
}
"""Fields of a run's record that can be drawn and listed."""
_OPEN_KEY = "compare_open"
_MOST_CHOICES = 20
_WIDE = 30
"""Numbers that span more than this factor are drawn on a logarithmic axis."""


def settings_view(board: Board) -> None:
    """Draw the table of what differs, and parallel coordinates."""
    compared = board.compared
    if not compared.settings:
        st.info(
            "These runs have the same configuration and seed, so they are the same training.",
            icon=":material/info:",
        )
    names = setting_titles(compared)
    columns: dict[str, Sequence[object]] = {
        names[path]: [written(compared, run, path) for run in board.runs]
        for path in compared.settings
    }
    _table(
        board,
        columns | {FIGURES["test_accuracy"]: [_percent(run.test_accuracy) for run in board.runs]},
    )
    st.caption(
        f"{plural(len(compared.settings), 'setting')} {verb(len(compared.settings), 'differ')}. "
        f"“{formatting.NOTHING}” means that the run does not have the setting."
    )
    drawn = sorted(
        (path for path in compared.settings if not _follows(board, path)),
        key=lambda path: path == NETWORK,
    )
    axes = [axis for axis in map(_axis_of(board), drawn) if len(axis.choices) <= _MOST_CHOICES]
    if not axes:
        return
    st.markdown("**Parallel coordinates**")
    name = choose(
        "Colour", list(MEASURES), "measure", named=lambda key: MEASURES[key].title, width=300
    )
    measure = MEASURES[name]
    objective = Objective(name, measure.title.split(",")[0], maximize=measure.higher_is_better)
    live_plot(
        figure_json(
            board,
            ("parallel", name),
            lambda: draw_parallel_coordinates(_trials(board, name), objective, axes),
        ),
        key="compare_parallel",
        alt=f"Parallel coordinates: one line per run across {plural(len(axes), 'setting')} to {measure.title}",
        height=380,
    )
    crowded = len(drawn) - len(axes)
    st.caption(
        "One line per run, coloured by the last axis. Drag along an axis to see only a part."
        + (
            f" {plural(crowded, 'setting')} with more than {_MOST_CHOICES} different texts left out."
            if crowded
            else ""
        )
    )


def _follows(board: Board, path: str) -> bool:
    """Whether a setting only comes and goes with the kind of what it belongs to, such as Adam's betas beside SGD."""
    values = {repr(value) for value in board.compared.settings[path] if value is not None}
    return len(values) < 2 and f"{path.rpartition('.')[0]}.kind" in board.compared.settings


def figures_view(board: Board) -> None:
    """Draw the table of figures, and any two figures or settings against each other."""
    _table(
        board,
        {title: [_figure(run, name) for run in board.runs] for name, title in FIGURES.items()},
    )
    names = setting_titles(board.compared) | FIGURES
    options = [*FIGURES, *board.compared.settings]
    with st.container(horizontal=True):
        across = choose("X axis", options, "x", default="n_parameters", named=names.__getitem__)
        upwards = choose("Y axis", options, "y", default="test_accuracy", named=names.__getitem__)
    pair = (_axis_of(board)(across), _axis_of(board)(upwards))
    places = [
        Place(
            run.id,
            board.names[run.id],
            board.looks[run.id],
            _value(board, run, across, pair[0]),
            _value(board, run, upwards, pair[1]),
        )
        for run in board.runs
    ]
    clicked = live_plot(
        figure_json(
            board,
            ("scatter", across, upwards),
            lambda: draw_scatter(
                places,
                *pair,
                titles=(names[across], names[upwards]),
                shares=("accuracy" in across, "accuracy" in upwards),
            ),
        ),
        key="compare_scatter",
        alt=f"{names[upwards]} against {names[across]} of {plural(len(board.runs), 'run')}",
        height=420,
        clickable=True,
    )
    st.caption("One point per run. Click a point to open its run.")
    if isinstance(clicked, str):
        open_run(clicked)
        st.rerun()


def _table(board: Board, columns: Mapping[str, Sequence[object]]) -> None:
    rows = pd.DataFrame(
        {
            "Run": [run.id for run in board.runs],
            "Name": [run.title for run in board.runs],
            **columns,
        }
    )
    column = st.column_config
    shares = {
        title: column.NumberColumn(format="%.2f %%") for title in columns if "accuracy" in title
    }
    whole = {title: column.NumberColumn(format="localized") for title in (FIGURES["n_parameters"],)}
    opening = column.ButtonColumn(
        pinned=True, type="tertiary", on_click=_open, key=_OPEN_KEY, help="Opens this run."
    )
    st.dataframe(
        rows,
        hide_index=True,
        height="content" if len(rows) <= 12 else 420,
        column_config={"Run": opening, **shares, **whole},
        alt="The compared runs, one per row",
        placeholder=formatting.NOTHING,
    )


def _open() -> None:
    click = st.session_state.get(_OPEN_KEY)
    if click:
        open_run(click["label"])


def _axis_of(board: Board) -> Callable[[str], Axis]:
    """Make axes of settings and figures: numbers as they are, logarithmic where they span decades, everything else by name."""

    def made(name: str) -> Axis:
        values = (
            [getattr(run, name) for run in board.runs]
            if name in FIGURES
            else list(board.compared.settings[name])
        )
        numbers = [
            float(value)
            for value in values
            if isinstance(value, int | float) and not isinstance(value, bool)
        ]
        if numbers and all(
            value is None or (isinstance(value, int | float) and not isinstance(value, bool))
            for value in values
        ):
            log = min(numbers) > 0 and max(numbers) / min(numbers) > _WIDE
            return Axis(
                name,
                "int" if all(map(float.is_integer, numbers)) else "float",
                log=log,
                low=min(numbers),
                high=max(numbers),
            )
        texts = [
            None if value is None else _value_text(board, run, name)
            for run, value in zip(board.runs, values, strict=True)
        ]
        return Axis(name, "choice", choices=tuple(dict.fromkeys(texts)))

    return made


def _value(board: Board, run: Run, name: str, axis: Axis) -> object:
    value = getattr(run, name) if name in FIGURES else board.compared.value(run.id, name)
    return value if axis.kind != "choice" or value is None else _value_text(board, run, name)


def _value_text(board: Board, run: Run, name: str) -> str:
    return str(getattr(run, name)) if name in FIGURES else written(board.compared, run, name)


def _trials(board: Board, measure: str) -> Trials:
    """Lay the runs out as the figure of parallel coordinates takes them; a run without the figure is left out there."""
    values = np.array(
        [math.nan if (value := getattr(run, measure)) is None else value for run in board.runs],
        dtype=np.float64,
    )
    axes = {path: _axis_of(board)(path) for path in board.compared.settings}
    n, nothing = len(board.runs), np.full(len(board.runs), np.nan)
    return Trials(
        numbers=np.arange(n),
        states=np.full(n, "complete"),
        values=values[:, None],
        parameters={
            path: [_value(board, run, path, axis) for run in board.runs]
            for path, axis in axes.items()
        },
        curves=[()] * n,
        deviations=nothing,
        started=nothing,
        ended=nothing,
        hovers=_hovers(board.runs),
    )


def _hovers(runs: Sequence[Run]) -> list[str]:
    return [run.id for run in runs]


def _figure(run: Run, name: str) -> object:
    value = getattr(run, name)
    return _percent(value) if "accuracy" in name else value


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value
