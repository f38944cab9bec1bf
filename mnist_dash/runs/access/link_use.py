"""How much the visitors of one share link may cost a server: how many may look at a time, and how many files they may have made.

Counted in the memory of a server's process: a restart begins anew, and of several servers each counts its own.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable

from mnist_dash.errors import NotAllowed
from mnist_dash.text import plural, verb

MINUTE = 60.0
"""A visitor counts for so many seconds after a page was last drawn for them; exports are counted over the same time."""


class LinkUse:
    """Who came by which link, and what they had made. Safe for several threads.

    Args:
        clock: gives seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[str, dict[str, float]] = defaultdict(dict)
        self._exports: dict[str, deque[float]] = defaultdict(deque)

    def enter(self, link_id: str, session: str, *, most: int) -> None:
        """Count a session that draws a page; those that are in already stay.

        Raises:
            NotAllowed: as many look at the link already as may.
        """
        with self._lock:
            oldest, seen = self._clock() - MINUTE, self._seen[link_id]
            for other in [other for other, moment in seen.items() if moment < oldest]:
                del seen[other]
            if session not in seen and len(seen) >= most:
                raise NotAllowed(
                    f"{plural(len(seen), 'session')} of this share link {verb(len(seen), 'are')} open now, as many as may. "
                    "Reload it in a minute."
                )
            seen[session] = self._clock()

    def export(self, link_id: str, *, most: int) -> None:
        """Count a file that is made for a visitor.

        Raises:
            NotAllowed: as many were made within the last minute as may.
        """
        with self._lock:
            oldest, made = self._clock() - MINUTE, self._exports[link_id]
            while made and made[0] < oldest:
                made.popleft()
            if len(made) >= most:
                raise NotAllowed(
                    f"{plural(len(made), 'file')} {verb(len(made), 'were')} exported by this share link within a minute, as many as may. "
                    "Wait a minute."
                )
            made.append(self._clock())


SERVER = LinkUse()
"""What this process counts."""
