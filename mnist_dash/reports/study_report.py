"""A study as one HTML file: how the search went, which settings matter, its best trials, its definition."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import combinations

from mnist_dash import formatting
from mnist_dash.figures.study.curves import draw_intermediate
from mnist_dash.figures.study.edf import draw_edf
from mnist_dash.figures.study.history import draw_history
from mnist_dash.figures.study.importance import draw_importances
from mnist_dash.figures.study.parallel import draw_parallel_coordinates
from mnist_dash.figures.study.pareto import draw_pareto
from mnist_dash.figures.study.slice import draw_slices, slices_height
from mnist_dash.figures.study.trials import Trials, best, ranking, titles
from mnist_dash.glossary import help_for
from mnist_dash.reports.page import page
from mnist_dash.reports.parts import (
    Part,
    chart,
    group,
    headline,
    listing,
    paragraph,
    section,
    side_by_side,
    table,
)
from mnist_dash.reports.study_snapshot import Snapshot, read_snapshot, short
from mnist_dash.runs.store.run_store import Store
from mnist_dash.search.definition.study_files import write_study
from mnist_dash.search.studies import study_store
from mnist_dash.search.studies.insight import importances
from mnist_dash.search.studies.records import TrialState
from mnist_dash.text import plural

MOST_TRIALS = 200
"""Trials that are listed; charts of the settings draw the best `MOST_DRAWN`, the history draws all."""
MOST_DRAWN = 500


def study_html(store: Store, study_id: str) -> bytes:
    """Write a study's page as one HTML file.

    Raises:
        UnknownStudy: no study has this id.
    """
    board = read_snapshot(store, study_store.find(store, study_id))
    n_complete = board.count(TrialState.COMPLETE)
    return page(
        board.study.name,
        paragraph(board.study.definition.question),
        paragraph(_about(board), look="quiet"),
        _headline(board, n_complete),
        section("Progress", *_progress(board)),
        section("Hyperparameter importance", _importances(board)),
        section("Hyperparameters", *_settings(board)) if n_complete else None,
        section("Pareto front", *_fronts(board)) if n_complete else None,
        section("Trials", _trials(board)),
        section("Events", _events(board), folded=True),
        section("Definition", listing(write_study(board.study.definition)), folded=True),
    )


def _about(board: Snapshot) -> str:
    study = board.study
    reason = f" {study.reason}" if study.reason else ""
    return (
        f"Study {study.id}, {study.state}, created {formatting.moment(study.created_at)}.{reason}"
    )


def _headline(board: Snapshot, n_complete: int) -> Part:
    found, goal = board.best, board.objectives[0]
    value = (
        goal.write(found.figures[0]) if found is not None and found.figures else formatting.NOTHING
    )
    figures = [
        (f"Best {goal.title}", value, f"trial {found.number}" if found is not None else ""),
        (
            "Trials",
            f"{len(board.trials):,}",
            f"{n_complete:,} complete, {board.count(TrialState.PRUNED):,} pruned",
        ),
        (
            "Hyperparameters",
            f"{len(board.axes)}",
            f"{plural(board.study.definition.seeds, 'seed')} per trial",
        ),
        (
            "Running time",
            formatting.duration(board.study.seconds_used),
            f"sampler {board.study.definition.sampler.kind}",
        ),
    ]
    return headline(figures)


def _progress(board: Snapshot) -> list[Part | None]:
    first = board.objectives[0]
    history = [
        chart(
            draw_history(board.columns, goal, column=column),
            alt=f"{goal.title} by trial, with the best value so far",
            height=380,
        )
        for column, goal in enumerate(board.objectives)
    ]
    curves = any(trial.curve for trial in board.trials)
    beside = [
        chart(draw_intermediate(board.columns, first), alt=f"{first.title} by epoch of each trial")
        if curves
        else None,
        chart(draw_edf(board.columns, first), alt=f"Fraction of the trials by {first.title}"),
    ]
    return [*history, side_by_side(*beside)]


def _importances(board: Snapshot) -> Part | None:
    sign = -1 if board.objectives[0].maximize else 1
    complete = [
        trial
        for trial in board.trials
        if trial.state is TrialState.COMPLETE and trial.figures is not None
    ]
    losses = [sign * trial.figures[0] for trial in complete if trial.figures is not None]
    rated = importances(
        board.study.definition.space, [trial.parameters for trial in complete], losses
    )
    if not rated:
        return None
    what = help_for("hyperparameter importance")
    figure = draw_importances(rated, titles(board.axes))
    drawn = chart(figure, alt="Hyperparameter importance", height=60 + 34 * len(rated))
    return group(drawn, paragraph(what, look="quiet"))


def _settings(board: Snapshot) -> list[Part]:
    goal = board.objectives[0]
    drawn = _drawn(board)
    return [
        chart(
            draw_parallel_coordinates(drawn, goal, board.axes),
            alt="Parallel coordinates: one line per trial across all hyperparameters",
            height=380,
        ),
        chart(
            draw_slices(drawn, goal, board.axes),
            alt=f"{goal.title} by each hyperparameter",
            height=slices_height(len(board.axes)),
        ),
    ]


def _drawn(board: Snapshot) -> Trials:
    return (
        best(board.columns, board.objectives[0], MOST_DRAWN)
        if len(board.trials) > MOST_DRAWN
        else board.columns
    )


def _fronts(board: Snapshot) -> list[Part]:
    return [
        chart(
            draw_pareto(
                board.columns,
                (board.objectives[one], board.objectives[other]),
                columns=(one, other),
            ),
            alt=f"{board.objectives[one].title} against {board.objectives[other].title}, with the Pareto front",
            height=460,
        )
        for one, other in combinations(range(len(board.objectives)), 2)
    ]


def _trials(board: Snapshot) -> Part | None:
    order = [int(place) for place in ranking(board.columns, board.objectives[0])]
    ranked = set(order)
    order += [place for place in range(len(board.trials)) if place not in ranked]
    names = titles(board.axes)
    goals = [goal.title for goal in board.objectives]
    headings = ("Trial", "State", *goals, *(names[axis.path] for axis in board.axes), "Runs")
    rows = []
    for place in order[:MOST_TRIALS]:
        trial = board.trials[place]
        figures = trial.figures or ()
        values = [
            goal.write(figures[column]) if column < len(figures) else formatting.NOTHING
            for column, goal in enumerate(board.objectives)
        ]
        settings = [
            short(trial.parameters[axis.path])
            if axis.path in trial.parameters
            else formatting.NOTHING
            for axis in board.axes
        ]
        rows.append(
            (
                trial.number,
                trial.state,
                *values,
                *settings,
                " ".join(board.runs.get(trial.number, ())),
            )
        )
    more = (
        f"The best {MOST_TRIALS} of {len(board.trials):,}; the study's CSV file has all of them."
        if len(board.trials) > MOST_TRIALS
        else ""
    )
    return group(table(headings, rows, numbers=("Trial", *goals)), paragraph(more, look="quiet"))


def _events(board: Snapshot) -> Part | None:
    rows = [
        (f"{datetime.fromtimestamp(event.at, UTC):%Y-%m-%d %H:%M:%S}", event.sentence)
        for event in board.events
    ]
    return table(("Time (UTC)", "Event"), rows) if rows else None
