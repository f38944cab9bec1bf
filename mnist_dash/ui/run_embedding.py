"""Embedding: test images on a plane, near each other where a layer finds them alike."""

from __future__ import annotations

from mnist_dash.runs.records import Run


def draw(run: Run) -> None:
    """Draw the view of an ended run."""
