"""What trials keep besides their history: files of those that a study's policy does not keep are removed when a trial has ended.

Nothing is lost by it that cannot be had again: a run is reproducible, and training its configuration once more gives the same files.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from mnist_dash.runs.store import artifacts, schema
from mnist_dash.runs.store.run_store import Store, bump_revision
from mnist_dash.search.definition.study_definition import StudyDefinition
from mnist_dash.search.studies.records import Study, Trial, TrialState

_BATCH = 200
"""Trials whose files a call removes at most, so that no transaction holds the database for long."""


def kept_trials(definition: StudyDefinition, trials: Sequence[Trial]) -> set[int]:
    """Number the ended trials whose files stay: all, none, or the best by the first objective, the first of equals."""
    keep = definition.keep
    if keep.kind == "all":
        return {trial.number for trial in trials}
    if keep.kind == "none":
        return set()
    sign = -1 if definition.goals[0].maximize else 1
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE and trial.figures]
    ranked = sorted(
        complete,
        key=lambda trial: (sign * trial.figures[0] if trial.figures else 0.0, trial.number),
    )
    return {trial.number for trial in ranked[: keep.n_best]}


def discard_files(store: Store, study: Study, trials: Sequence[Trial]) -> int:
    """Remove the files of ended trials that are not kept; returns how many files were removed."""
    kept = kept_trials(study.definition, trials)
    gone = [
        trial.number for trial in trials if not trial.state.is_open and trial.number not in kept
    ]
    files, links, runs = schema.artifacts, schema.trial_runs, schema.runs
    with store.reading() as connection:
        having = (
            sa.select(links.c.number, links.c.run_id)
            .distinct()
            .join_from(links, files, files.c.run_id == links.c.run_id)
            .join(runs, runs.c.id == links.c.run_id)
            .where(links.c.study_id == study.id, runs.c.ended_at.is_not(None))
        )
        wanted = set(gone)
        ids = [row.run_id for row in connection.execute(having) if row.number in wanted][:_BATCH]
    if not ids:
        return 0
    with store.writing() as connection:
        paths = (
            connection.execute(sa.select(files.c.path).where(files.c.run_id.in_(ids)))
            .scalars()
            .all()
        )
        connection.execute(files.delete().where(files.c.run_id.in_(ids)))
        connection.execute(schema.analyses.delete().where(schema.analyses.c.run_id.in_(ids)))
        connection.execute(
            runs.update().where(runs.c.id.in_(ids)).values(revision=runs.c.revision + 1)
        )
        bump_revision(connection)
    for path in paths:
        artifacts.discard(store.settings, path)
    return len(paths)
