"""Waiting for a database or a disk that refuses for now, with growing pauses; said once, however long it takes.

The pauses double from 0.1 s up to `LONGEST_PAUSE_SECONDS`, each shortened by chance by up to a half, so that processes that lost the same
server do not all come back at the same moment ("exponential backoff and jitter", Brooker, 2015,
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from mnist_dash.errors import MnistDashError, StorageUnavailable, StoreUnavailable

Result = TypeVar("Result")
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
TRANSIENT = (StoreUnavailable, StorageUnavailable)
"""What waiting helps against."""


class GaveUp(Exception):
    """The wait was ended by `is_over`; nothing was done."""


class Outage:
    """One stretch of time in which something does not answer. Not for several threads."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._since: float | None = None
        self._n_failures = 0
        self._try_at = 0.0

    @property
    def seconds(self) -> float:
        """How long it has lasted; 0 where there is none."""
        return 0.0 if self._since is None else time.monotonic() - self._since

    @property
    def is_due(self) -> bool:
        """Whether it is time to try again, or there is no outage at all."""
        return time.monotonic() >= self._try_at

    @property
    def pause_seconds(self) -> float:
        """How long to wait until the next try."""
        return max(0.0, self._try_at - time.monotonic())

    def failed(self, error: MnistDashError) -> None:
        """Count a failed try; the first of an outage is written to the log."""
        if self._since is None:
            self._since = time.monotonic()
            self._log.warning("%s It is tried again until it works.", error)
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(self._n_failures, 30))
        self._n_failures += 1
        self._try_at = time.monotonic() + pause * random.uniform(0.5, 1.0)

    def ended(self) -> None:
        """Note that a try has worked; the end of an outage is written to the log."""
        if self._since is not None:
            self._log.warning("It works again, after %.0f s.", self.seconds)
        self._since, self._n_failures, self._try_at = None, 0, 0.0


def patiently(
    action: Callable[[], Result],
    *,
    log: logging.Logger,
    is_over: Callable[[], bool] = lambda: False,
    sleep: Callable[[float], object] = time.sleep,
    tell: Callable[[MnistDashError], object] = lambda _: None,
) -> Result:
    """Do something with a database or disk, and again while that fails for a reason that passes.

    Args:
        action: what to do; it must be harmless to do it again when it was done and only its answer was lost.
        log: where the outage is written to, once.
        is_over: asked after each failed try.
        sleep: how to wait so many seconds.
        tell: gets the error of each failed try.

    Raises:
        GaveUp: `is_over` said so.
    """
    outage = Outage(log)
    while True:
        try:
            result = action()
        except TRANSIENT as error:
            outage.failed(error)
            tell(error)
            if is_over():
                raise GaveUp from error
            sleep(outage.pause_seconds)
        else:
            outage.ended()
            return result
