"""The JavaScript that elements share which cut their images out of one picture."""

from __future__ import annotations

from pathlib import Path


def cut_out() -> str:
    """Read the function that cuts out an image; it stands before an element's own JavaScript."""
    return Path(__file__).with_suffix(".js").read_text(encoding="utf-8") + "\n"
