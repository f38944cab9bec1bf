"""The commands, arguments, options and defaults that scripts rely on are those that were written down."""

from __future__ import annotations

import json

from tests.cli.interface import FILE, interface


def test_interface_is_the_one_written_down() -> None:
    """Every command takes the same arguments and options as before, with the same counts, choices and defaults; three are new."""
    written, now = json.loads(FILE.read_text()), json.loads(json.dumps(interface()))
    assert {name: now.get(name) for name in written} == written
    assert set(now) - set(written) == {"dashboard", "completion", "retention"}
