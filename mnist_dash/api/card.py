"""What a notebook shows of a run, a study or a comparison: a small table in the page's own colours, light or dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from mnist_dash.core.export.markup import visible

_CELL = "text-align: left; padding: 0.1em 1em 0.1em 0; background: none; border: none"

_TABLE = "margin: 0.3em 0; border: none; background: none; color: inherit; font-size: inherit"
"""A table takes colour and size from the page only where it is told to, if the page has no doctype."""


def card(title: str, rows: Sequence[tuple[str, str]], *, note: str = "") -> str:
    """Write a heading, rows of a name and a value, and a sentence, as HTML; every text is escaped."""
    cells = "".join(f"<tr>{_cell(name, 0.75)}{_cell(value)}</tr>" for name, value in rows)
    below = f"<div style='max-width: 48em'>{_text(note)}</div>" if note else ""
    return f"<div style='margin-bottom: 0.5em'><strong>{_text(title)}</strong><table style='{_TABLE}'>{cells}</table>{below}</div>"


def lines(title: str, rows: Sequence[tuple[str, str]], *, note: str = "") -> str:
    """Write the same for a terminal."""
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(
        [
            title,
            *(f"  {name:<{width}}  {visible(value)}" for name, value in rows),
            *([note] if note else []),
        ]
    )


def _cell(text: str, opacity: float = 1) -> str:
    return f"<td style='{_CELL}; opacity: {opacity}'>{_text(text)}</td>"


def _text(text: str) -> str:
    return escape(visible(text))
