"""Waiting for what other processes do."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

LOOK_SECONDS = 0.02
PATIENCE_SECONDS = 240.0
"""How long a test waits for what is bound to come; on a machine that is busy with other things everything may take ten times as long."""
PATIENCE_MS = 1000 * PATIENCE_SECONDS
"""The same for a browser."""


def wait_until(
    condition: Callable[[], bool], what: str = "the condition", *, seconds: float = PATIENCE_SECONDS
) -> float:
    """Wait until something is so and return the seconds that it took; fail with `what` was waited for when it takes too long."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > seconds:
            pytest.fail(f"waited {seconds:g} s in vain: {what}")
        time.sleep(LOOK_SECONDS)  # between two looks, with a deadline
    return time.monotonic() - start
