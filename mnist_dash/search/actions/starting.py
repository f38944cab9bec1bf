"""Starting what a study file says: a new study, or the one of its name, which goes on."""

from __future__ import annotations

from mnist_dash.runs.store.run_store import Store
from mnist_dash.search.actions import steering
from mnist_dash.search.definition.methods import Budget
from mnist_dash.search.definition.study_definition import StudyDefinition


def start(
    store: Store, definition: StudyDefinition, *, has_limit: bool = False
) -> tuple[str, bool]:
    """Create a study, or see to it that the one of its name goes on.

    Args:
        store: where to.
        definition: checked.
        has_limit: whether its budget was asked for just now; otherwise that of an existing study stays, unless this one is larger.

    Returns:
        The study's id, and whether it is new.

    Raises:
        InvalidStudy: the study of this name is another one; or as for `steering.create`, whose other exceptions are raised too.
    """
    study = steering.attach(store, definition)
    if study is None:
        return steering.create(store, definition), True
    steering.go_on(
        store,
        study.id,
        definition.budget if has_limit else _larger(study.definition.budget, definition.budget),
    )
    return study.id, False


def _larger(own: Budget, of_file: Budget) -> Budget:
    """Choose what a study without options goes on to: its own budget, or that of the file where it has raised a limit."""
    limits = ((own.trials, of_file.trials), (own.minutes, of_file.minutes))
    is_raised = any(one is not None and other is not None and other > one for one, other in limits)
    return of_file if is_raised else own
