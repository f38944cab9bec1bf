"""A progress bar in a notebook's cell: an output that IPython replaces, so that no widgets have to be installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from mnist_dash.following.view import Show, View


class _Bar:
    """What a notebook shows of a view, and what its file keeps of it."""

    def __init__(self, view: View | None) -> None:
        self._view = view

    def _repr_html_(self) -> str:
        if self._view is None:
            return ""
        value = "" if self._view.fraction is None else f" value='{self._view.fraction:.4f}'"
        return f"<div><progress max='1'{value} style='width: 12em'></progress> {escape(self._view.description)}</div>"

    def __repr__(self) -> str:
        return "" if self._view is None else self._view.description


def in_notebook() -> bool:
    """Say whether this process is the kernel of a notebook; imports nothing, for a kernel has loaded IPython."""
    shell = _ipython("get_ipython")
    return shell is not None and hasattr(shell(), "kernel")


@contextmanager
def shown_in_cell() -> Iterator[Show]:
    """Show a bar below the cell that waits; it goes when the block ends."""
    display = _ipython("display").display
    handle = display(_Bar(View("queued", None)), display_id=True)
    try:
        yield lambda view: handle.update(_Bar(view))
    finally:
        handle.update(_Bar(None))


def _ipython(name: str) -> Any:  # noqa: ANN401 - IPython's own
    return getattr(sys.modules.get("IPython"), name, None)
