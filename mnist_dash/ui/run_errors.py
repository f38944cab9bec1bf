"""Worst errors: the test images that a run got wrong, and everything that tells about them."""

from __future__ import annotations

from mnist_dash.runs.records import Run


def draw(run: Run) -> None:
    """Draw the view of an ended run."""
