"""Follows a run to its end: a progress bar on a terminal, a line an epoch elsewhere."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from mnist_dash.cli.formatting import percent, span
from mnist_dash.cli.worker_start import WorkerStarter
from mnist_dash.errors import IllegalTransition, StoreLocked
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState

POLL_SECONDS = 0.1
Show = Callable[[Run], None]


class Interruptions:
    """Counts Ctrl+C instead of raising in the middle of a transaction."""

    def __init__(self) -> None:
        self.count = 0

    def note(self, _signal: int, _frame: FrameType | None) -> None:
        """Count one."""
        self.count += 1


def follow(store: Store, run_id: str, *, show: Show, interruptions: Interruptions) -> Run:
    """Wait until a run has ended, showing it whenever it changed.

    The first interruption stops the run; the second returns it as it is then.
    """
    starter = WorkerStarter(store)
    revision, asked = -1, False
    run = store.run(run_id)
    while not run.state.is_terminal and interruptions.count < 2:
        try:
            starter.ensure()
            if interruptions.count and not asked:
                asked = True
                _stop(store, run_id)
            found = store.run_revision(run_id)
            if found != revision:
                revision, run = found, store.run(run_id)
                show(run)
        except StoreLocked:
            continue  # it waited for seconds already; the run goes on meanwhile
        if not run.state.is_terminal:
            time.sleep(POLL_SECONDS)
    return run


@contextmanager
def counting_interruptions() -> Iterator[Interruptions]:
    """Count Ctrl+C within the block."""
    interruptions = Interruptions()
    former = signal.signal(signal.SIGINT, interruptions.note)
    try:
        yield interruptions
    finally:
        signal.signal(signal.SIGINT, former)


@contextmanager
def shown(*, quiet: bool) -> Iterator[Show]:
    """Choose how to show progress: a bar where standard error is a terminal, else nothing if `quiet`, else a line an epoch."""
    if sys.stderr.isatty():
        with _bar() as show:
            yield show
    else:
        yield _nothing if quiet else _lines()


def _stop(store: Store, run_id: str) -> None:
    try:
        run_actions.stop(store, run_id)
    except IllegalTransition:
        return  # it ended at the same moment
    print(f"Stopping run {run_id}; what it has is kept. Ctrl+C again leaves it to stop alone.", file=sys.stderr)


def _nothing(_run: Run) -> None:
    return


def _lines() -> Show:
    seen: list[tuple[RunState, int]] = []

    def show(run: Run) -> None:
        if (run.state, run.epoch) in seen or run.state.is_terminal:
            return
        seen.append((run.state, run.epoch))
        if run.epoch == 0:
            line = f"{run.state}{f' on {run.worker}' if run.worker else ''}"
        else:
            line = f"epoch {run.epoch}/{run.config.epochs}: validation accuracy {percent(run.last_val_accuracy)}"
        print(f"run {run.id}: {line}", file=sys.stderr)

    return show


@contextmanager
def _bar() -> Iterator[Show]:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TextColumn("{task.fields[details]}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("queued", total=1.0, details="")

        def show(run: Run) -> None:
            _draw(progress, task, run)

        yield show


def _draw(progress: Progress, task: TaskID, run: Run) -> None:
    details = f"epoch {min(run.epoch + 1, run.config.epochs)} of {run.config.epochs}"
    if run.last_val_accuracy is not None:
        details += f", validation {percent(run.last_val_accuracy)}"
    if run.seconds_left is not None:
        details += f", {span(run.seconds_left)} left"
    progress.update(task, completed=run.progress, description=f"{run.id} {run.state}", details=details)
