"""What steers one run from a terminal: `pause`, `resume`, `change`, `fork`, `continue`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mnist_dash.cli.command import program
from mnist_dash.cli.store_opening import opened
from mnist_dash.text import plural

if TYPE_CHECKING:
    from mnist_dash.runs.store.run_store import Store


def pause(run: str) -> int:
    """Pause a run and say when it will be."""
    from mnist_dash.runs.actions import steering
    from mnist_dash.runs.store.states import RunState

    with opened() as store:
        state = steering.pause(store, run)
    when = "is paused" if state is RunState.PAUSED else "pauses at the end of its epoch"
    print(f"Run {run} {when}. Resume it with `{program()} resume {run}`.")
    return 0


def resume(run: str) -> int:
    """Put a paused run back into the queue."""
    from mnist_dash.runs.actions import steering

    with opened() as store:
        steering.resume(store, run)
    print(f"Run {run} resumes as soon as a worker is free.")
    return 0


def change(run: str, **hyperparameters: float | None) -> int:
    """Change hyperparameters of a run that has not ended."""
    from mnist_dash.runs.actions import steering

    with opened() as store:
        done = steering.change(store, run, hyperparameters)
    print(f"Run {run} {'is changed' if done else 'changes at the end of its epoch'}.")
    return 0


def fork(
    run: str,
    *,
    epoch: int,
    epochs: int | None,
    optimizer: str | None,
    **hyperparameters: float | None,
) -> int:
    """Branch off a run."""
    from mnist_dash.runs.actions import steering

    values: dict[str, Any] = dict(hyperparameters)
    if optimizer is not None:
        rate = values.pop("learning_rate")
        values["optimizer"] = {"kind": optimizer} | (
            {} if rate is None else {"learning_rate": rate}
        )
    return _queue(lambda store: steering.fork(store, run, epoch, values, epochs=epochs))


def continue_run(run: str, *, epochs: int) -> int:
    """Train an ended run for more epochs."""
    from mnist_dash.runs.actions import steering

    return _queue(lambda store: steering.continue_run(store, run, epochs))


def _queue(submit: Callable[[Store], str]) -> int:
    with opened() as store:
        run = store.run(submit(store))
    past = (
        f"It starts after {plural(run.epoch, 'epoch')} of run {run.parent_id}."
        if run.epoch
        else "It trains the epochs before again."
    )
    print(f"Run {run.id} is queued. {past}")
    return 0
