"""Follows a run or a study to its end: a progress bar on a terminal, lines elsewhere."""

from __future__ import annotations

import logging
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from mnist_dash.errors import IllegalTransition
from mnist_dash.runs.store.patience import TRANSIENT, Outage

POLL_SECONDS = 0.1
log = logging.getLogger("mnist_dash.following")


@dataclass(frozen=True)
class View:
    """How far something is."""

    description: str
    """A line that stands beside the bar."""
    fraction: float | None
    """Of what is to be done, in [0, 1]; None where nobody knows."""
    lines: tuple[str, ...] = ()
    """What happened since the view before, where there is no terminal."""
    above: tuple[str, ...] = ()
    """What happened since the view before, above the bar of a terminal."""


Show = Callable[[View], None]


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


def follow(followed: Followed, *, show: Show, interruptions: Interruptions) -> None:
    """Wait until something has ended, showing it whenever it changed.

    The first interruption stops it; the second returns at once.
    """
    is_stopping, outage = False, Outage(log)
    while interruptions.count < 2:
        try:
            view = followed.look()
            if view is not None:
                show(view)
            if followed.has_ended:
                return
            if interruptions.count and not is_stopping:
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
    """Count Ctrl+C within the block."""
    interruptions = Interruptions()
    former = signal.signal(signal.SIGINT, interruptions.note)
    try:
        yield interruptions
    finally:
        signal.signal(signal.SIGINT, former)


@contextmanager
def shown(*, quiet: bool) -> Iterator[Show]:
    """Choose how to show progress: a bar where standard error is a terminal, else nothing if `quiet`, else lines."""
    if sys.stderr.isatty():
        with _bar() as show:
            yield show
    else:
        yield _nothing if quiet else _lines


def _stop(followed: Followed) -> None:
    try:
        followed.stop()
    except IllegalTransition:
        return  # it ended at the same moment
    print(f"Stopping {followed.title}; its results are kept. Ctrl+C again returns at once.", file=sys.stderr)


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
            progress.update(task, total=total, completed=view.fraction or 0.0, description=view.description)

        yield show
