"""What the shell completes: names from the store and from the configuration. Imported modules load when somebody presses Tab."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import get_completion_class, shell_complete

from mnist_dash.cli.command import SCRIPT

if TYPE_CHECKING:
    from mnist_dash.runs.store.run_store import Store

N_RUNS = 100
"""The newest runs are offered; more would fill the terminal."""
SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_MNIST_DASH_COMPLETE"
"""Set by the shell when it asks for completions."""


def script(shell: str) -> int:
    """Print what makes a shell complete the commands."""
    kind = get_completion_class(shell)
    assert kind is not None
    print(kind(click.get_current_context().find_root().command, {}, SCRIPT, VARIABLE).source())
    return 0


def complete(commands: click.Command, instruction: str) -> int:
    """Answer a shell that asks for completions; a database that cannot be read has none."""
    return shell_complete(commands, {}, SCRIPT, VARIABLE, instruction)


def runs() -> Iterator[tuple[str, str]]:
    """Give the newest runs' ids, each with its name or preset and its state."""
    with _store() as store:
        for run in () if store is None else store.runs(limit=N_RUNS):
            yield run.id, f"{run.title}, {run.state}"


def studies() -> Iterator[tuple[str, str]]:
    """Give the studies' names."""
    from mnist_dash.search.studies import study_store

    with _store() as store:
        for study in () if store is None else study_store.all_studies(store):
            yield study.name, study.state.value


def tags() -> Iterator[tuple[str, str]]:
    """Give the tags that runs have."""
    from mnist_dash.runs.actions.run_annotations import all_tags

    with _store() as store:
        yield from ((tag, "") for tag in (() if store is None else all_tags(store)))


def states() -> Iterator[tuple[str, str]]:
    """Give the states of runs."""
    from mnist_dash.runs.store.states import RunState

    yield from ((state.value, "") for state in RunState)


def fields() -> Iterator[tuple[str, str]]:
    """Give what runs can be sorted by."""
    from mnist_dash.runs.query.fields import columns

    yield from ((field.name, field.title) for field in columns())


def presets() -> Iterator[tuple[str, str]]:
    """Give the presets."""
    from mnist_dash.core.config.presets import PRESETS

    yield from ((ready.name, ready.title) for ready in PRESETS.values())


def experiments() -> Iterator[tuple[str, str]]:
    """Give the presets that were published."""
    from mnist_dash.core.config.published import EXPERIMENTS

    yield from ((ready.name, ready.title) for ready in EXPERIMENTS)


def optimizers() -> Iterator[tuple[str, str]]:
    """Give the kinds of optimizers."""
    from mnist_dash.runs.query.fields import settings

    yield from ((kind, "") for kind in settings()["optimizer.kind"].options)


def changes() -> Iterator[tuple[str, str]]:
    """Give the paths that ``--set`` takes, and the values of those that have a known set of them."""
    from mnist_dash.runs.query.fields import settings

    for path, field in settings().items():
        yield from ((f"{path}={value}", field.title) for value in field.options or ("",))


@contextmanager
def _store() -> Iterator[Store | None]:
    """Open the store; None where there is none yet, or it cannot be read: Tab creates no database and says no sentence."""
    from mnist_dash.errors import MnistDashError
    from mnist_dash.runs.store.run_store import Store
    from mnist_dash.settings import Settings

    try:
        settings = Settings.from_environment()
        is_new = (
            settings.is_sqlite
            and not Path(settings.database_url.removeprefix("sqlite:///")).exists()
        )
        store = None if is_new else Store.open(settings)
    except MnistDashError:
        store = None
    try:
        yield store
    finally:
        if store is not None:
            store.close()
