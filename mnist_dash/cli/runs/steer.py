"""What steers one run from a terminal: `pause`, `resume`, `change`, `fork`, `continue`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mnist_dash.cli.store_opening import opened

if TYPE_CHECKING:
    from mnist_dash.runs.store.run_store import Store


def pause(arguments: Namespace) -> int:
    """Pause a run and say when it will be."""
    from mnist_dash.runs.actions import steering
    from mnist_dash.runs.store.states import RunState

    with opened() as store:
        state = steering.pause(store, arguments.run)
    when = "is paused" if state is RunState.PAUSED else "has been asked to pause; it does at the end of its epoch"
    print(f"Run {arguments.run} {when}. `python -m mnist_dash resume {arguments.run}` lets it go on.")
    return 0


def resume(arguments: Namespace) -> int:
    """Put a paused run back into the queue."""
    from mnist_dash.runs.actions import steering

    with opened() as store:
        steering.resume(store, arguments.run)
    print(f"Run {arguments.run} goes on as soon as a worker is free.")
    return 0


def change(arguments: Namespace) -> int:
    """Change settings of a run that has not ended."""
    from mnist_dash.runs.actions import steering

    with opened() as store:
        done = steering.change(store, arguments.run, _settings(arguments))
    print(f"Run {arguments.run} {'is changed' if done else 'has been asked; it changes at the end of its epoch'}.")
    return 0


def fork(arguments: Namespace) -> int:
    """Begin a branch of a run."""
    from mnist_dash.runs.actions import steering

    values = _settings(arguments)
    if arguments.optimizer is not None:
        rate = values.pop("learning_rate")
        values["optimizer"] = {"kind": arguments.optimizer} | ({} if rate is None else {"learning_rate": rate})
    return _begin(lambda store: steering.fork(store, arguments.run, arguments.epoch, values, epochs=arguments.epochs))


def continue_run(arguments: Namespace) -> int:
    """Begin a run that goes on where another ended."""
    from mnist_dash.runs.actions import steering

    return _begin(lambda store: steering.continue_run(store, arguments.run, arguments.epochs))


def _begin(submit: Callable[[Store], str]) -> int:
    with opened() as store:
        run = store.run(submit(store))
    past = f"It has {run.epoch} epochs of run {run.parent_id} already." if run.epoch else "It trains the epochs before again."
    print(f"Run {run.id} is queued. {past}")
    return 0


def _settings(arguments: Namespace) -> dict[str, Any]:
    names = ("learning_rate", "batch_size", "dropout_rate")
    return {name: getattr(arguments, name) for name in names}
