"""Waiting for what other processes do."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

LOOK_SECONDS = 0.02


def wait_until(condition: Callable[[], bool], what: str = "the condition", *, seconds: float = 90) -> float:
    """Wait until something is so and return the seconds that it took; fail with `what` was waited for when it takes too long."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > seconds:
            pytest.fail(f"waited {seconds:g} s in vain: {what}")
        time.sleep(LOOK_SECONDS)  # between two looks, with a deadline
    return time.monotonic() - start
