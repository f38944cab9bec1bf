"""Waiting for a run or a study in a notebook or a script: a progress bar, and Ctrl+C leaves it at work."""

from __future__ import annotations

import sys

from mnist_dash.following.follow import Followed, counting_interruptions, follow, shown
from mnist_dash.following.view import View


def wait(followed: Followed, *, progress: bool) -> bool:
    """Wait for the end; an interruption ends the waiting alone, and says so.

    Returns:
        Whether it has ended.

    Raises:
        NoWorker: workers end as soon as they are started.
        MnistDashError: as reading it raises.
    """
    with counting_interruptions() as interruptions:
        if progress:
            with shown(quiet=False) as show:
                follow(followed, show=show, interruptions=interruptions, stops=False)
        else:
            follow(followed, show=_nothing, interruptions=interruptions, stops=False)
    if not followed.has_ended:
        print(
            f"Interrupted: {followed.title} goes on. wait() follows it again, stop() stops it.",
            file=sys.stderr,
        )
    return followed.has_ended


def _nothing(_view: View) -> None:
    return
