"""Layers: what each layer computes and what it has learned."""

from __future__ import annotations

from mnist_dash.runs.records import Run


def draw(run: Run) -> None:
    """Draw the view of an ended run."""
