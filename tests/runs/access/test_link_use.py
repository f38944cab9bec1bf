"""What the visitors of one share link may cost a server."""

from __future__ import annotations

import pytest

from mnist_dash.errors import NotAllowed
from mnist_dash.runs.access.link_use import MINUTE, LinkUse


class Clock:
    """A clock that is set by hand."""

    seconds = 0.0

    def __call__(self) -> float:
        """Read it."""
        return self.seconds


def test_so_many_sessions_look_at_a_link() -> None:
    """One more is refused until another has been silent for a minute; those who are in stay, and other links have their own count."""
    clock = Clock()
    use = LinkUse(clock)
    for session in ("one", "two", "one"):
        use.enter("link", session, most=2)
    with pytest.raises(NotAllowed, match="2 sessions of this share link are open now"):
        use.enter("link", "three", most=2)
    use.enter("other", "three", most=2)
    clock.seconds = MINUTE - 1
    use.enter("link", "two", most=2)
    clock.seconds = MINUTE + 1
    use.enter("link", "three", most=2)
    with pytest.raises(NotAllowed):
        use.enter("link", "one", most=2)


def test_so_many_files_are_made_within_a_minute() -> None:
    """The next one is refused and costs nothing; a minute after the first there is room for one."""
    clock = Clock()
    use = LinkUse(clock)
    use.export("link", most=2)
    clock.seconds = 30
    use.export("link", most=2)
    for _ in range(3):
        with pytest.raises(NotAllowed, match="2 files were exported by this share link"):
            use.export("link", most=2)
    use.export("other", most=2)
    clock.seconds = MINUTE + 1
    use.export("link", most=2)
    with pytest.raises(NotAllowed):
        use.export("link", most=2)
