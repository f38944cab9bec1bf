"""Follows a run or a study to its end: a progress bar on a terminal or in a notebook, lines elsewhere."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from mnist_dash.errors import IllegalTransition
from mnist_dash.following.cell import in_notebook, shown_in_cell
from mnist_dash.following.view import Show, View
from mnist_dash.runs.store.patience import TRANSIENT, Outage

POLL_SECONDS = 0.1
log = logging.getLogger("mnist_dash.following")


class Followed(Protocol):
    """A run or a study that is followed."""

    @property
    def title(self) -> str:
        """What it is called, such as ``run 3f9c01ab``."""

    @property
    def has_ended(self) -> bool:
        """Whether there is nothing to wait for any more."""

    def look(self) -> View | None:
        """Read what changed; None where nothing did."""

    def tend(self) -> None:
        """See to it that somebody works on it."""

    def stop(self) -> None:
        """Ask it to stop."""


class Interruptions:
    """Counts Ctrl+C instead of raising in the middle of a transaction."""

    def __init__(self) -> None:
        self.count = 0

    def note(self, _signal: int, _frame: FrameType | None) -> None:
        """Count one."""
        self.count += 1


def follow(
    followed: Followed, *, show: Show, interruptions: Interruptions, stops: bool = True
) -> None:
    """Wait until something has ended, showing it whenever it changed.

    Args:
        followed: the run or study.
        show: gets every change.
        interruptions: counted by whoever catches Ctrl+C.
        stops: whether the first interruption stops it and the second returns at once; otherwise the first returns, and it goes on.
    """
    is_stopping, outage = False, Outage(log)
    while interruptions.count < (2 if stops else 1):
        try:
            view = followed.look()
            if view is not None:
                show(view)
            if followed.has_ended:
                return
            if stops and interruptions.count and not is_stopping:
                is_stopping = True
                _stop(followed)
            followed.tend()
        except TRANSIENT as error:
            outage.failed(error)
            time.sleep(outage.pause_seconds)
            continue  # training goes on meanwhile
        outage.ended()
        time.sleep(POLL_SECONDS)


@contextmanager
def counting_interruptions() -> Iterator[Interruptions]:
    """Count Ctrl+C within the block; only a process's main thread is told of one."""
    interruptions = Interruptions()
    if threading.current_thread() is not threading.main_thread():
        yield interruptions
        return
    former = signal.signal(signal.SIGINT, interruptions.note)
    try:
        yield interruptions
    finally:
        signal.signal(signal.SIGINT, former)


@contextmanager
def shown(*, quiet: bool) -> Iterator[Show]:
    """Choose how to show progress: a bar in a notebook's cell or on a terminal, else nothing if `quiet`, else lines."""
    if in_notebook() and not quiet:
        with shown_in_cell() as show:
            yield show
    elif sys.stderr.isatty():
        with _bar() as show:
            yield show
    else:
        yield _nothing if quiet else _lines


def _stop(followed: Followed) -> None:
    try:
        followed.stop()
    except IllegalTransition:
        return  # it ended at the same moment
    print(
        f"Stopping {followed.title}; its results are kept. Ctrl+C again returns at once.",
        file=sys.stderr,
    )


def _nothing(_view: View) -> None:
    return


def _lines(view: View) -> None:
    for line in view.lines:
        print(line, file=sys.stderr)


@contextmanager
def _bar() -> Iterator[Show]:
    columns = (BarColumn(bar_width=20), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("queued", total=None)

        def show(view: View) -> None:
            for line in view.above:
                progress.console.print(line, markup=False, highlight=False)
            total = None if view.fraction is None else 1.0
            progress.update(
                task, total=total, completed=view.fraction or 0.0, description=view.description
            )

        yield show
