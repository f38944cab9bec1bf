"""What people typed, written so that HTML and Markdown show it and never interpret it."""

from __future__ import annotations

import html
import re

_DELETE = 0x7F
_HIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_LINES = re.compile(r"[\t\n]")


def visible(text: str, *, lines: bool = False) -> str:
    """Give what has no look of its own one: control characters as their pictures (``␛``), marks of direction by number.

    Args:
        text: as typed.
        lines: whether tabulators and line ends stay what they are.
    """
    shown = _HIDDEN.sub(_picture, text)
    return shown if lines else _LINES.sub(_picture, shown)


def escaped_html(text: str) -> str:
    """Write text for a place that takes a little HTML, as a legend of Plotly's does; see `visible`."""
    return html.escape(visible(text), quote=True)


def escaped_markdown(text: str) -> str:
    """Write text for one line of Markdown, a heading or a table's cell included: no markup, no HTML, no links."""
    return re.sub(r"([\\`*_{}\[\]<>()#+\-.!|:$~&@])", r"\\\1", visible(text))


def _picture(found: re.Match[str]) -> str:
    code = ord(found[0])
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == _DELETE else f"[U+{code:04X}]"
