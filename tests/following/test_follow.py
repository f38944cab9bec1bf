"""What Ctrl+C does to something that is followed, at whichever moment it comes."""

from __future__ import annotations

import pytest

from mnist_dash.following.follow import Interruptions, follow
from mnist_dash.following.view import View


class _Interrupted:
    """Something that never ends by itself, during whose reading the first Ctrl+C comes."""

    title = "run 3f9c01ab"

    def __init__(self, interruptions: Interruptions) -> None:
        self.has_ended = False
        self._interruptions = interruptions

    def look(self) -> View | None:
        if not self._interruptions.count:
            self._interruptions.note(2, None)
        return None

    def tend(self) -> None:
        return

    def stop(self) -> None:
        self.has_ended = True


@pytest.mark.parametrize("stops", [False, True])
def test_an_interruption_while_reading_stops_only_what_may_be_stopped(*, stops: bool) -> None:
    """A cell leaves a run at work whenever it is interrupted; a command stops it."""
    interruptions = Interruptions()
    followed = _Interrupted(interruptions)
    follow(followed, show=lambda _view: None, interruptions=interruptions, stops=stops)
    assert followed.has_ended is stops
