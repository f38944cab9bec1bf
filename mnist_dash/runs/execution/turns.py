"""Turns on the cores of a worker, for trainings that are to move forward together.

Each training is a process of its own. A thread tells those whose turn it is to go and the others to wait, which they do before their next
step, so that a few trainings keep the cores busy at a time and none waits long. A training has as many threads as it would have alone, so
its figures are the same bit for bit. Nobody has to hand a turn back: one that is frozen or dead holds nobody up.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mnist_dash.runs.execution.trainer import Trainer

SLICE_SECONDS = 0.06
"""How long a turn is: a person sees all of some dozen curves move each second, and changing turns costs next to nothing."""


@dataclass(eq=False)
class _Entry:
    trainer: Trainer
    n_threads: int


class Turns:
    """Shares out the threads of a worker in turns. Safe to use from several threads.

    Args:
        n_threads: of the worker.
    """

    def __init__(self, n_threads: int) -> None:
        self._n_threads = n_threads
        self._entries: deque[_Entry] = deque()
        self._changed = threading.Condition()
        threading.Thread(target=self._share_out, name="turns", daemon=True).start()

    @contextmanager
    def taken_by(self, trainer: Trainer, n_threads: int) -> Iterator[None]:
        """Let a trainer take part; outside of this it has the turn all the time.

        Args:
            trainer: waits until its turn comes.
            n_threads: that its task uses, at most those of the worker.
        """
        entry = _Entry(trainer, n_threads)
        trainer.give_turn(False)
        with self._changed:
            self._entries.append(entry)
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._entries.remove(entry)
            trainer.give_turn(True)

    def _share_out(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._entries))
                going = self._next()
                for entry in self._entries:
                    entry.trainer.give_turn(entry in going)
                self._changed.wait(SLICE_SECONDS)

    def _next(self) -> list[_Entry]:
        """Choose those that are next, as many as there are threads for, and put them at the end of the queue."""
        free, going = self._n_threads, list[_Entry]()
        for entry in list(self._entries):
            if entry.n_threads <= free:
                going.append(entry)
                free -= entry.n_threads
        for entry in going:
            self._entries.remove(entry)
            self._entries.append(entry)
        return going
