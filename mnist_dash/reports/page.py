"""One HTML file that holds all it shows: charts with Plotly's script, tables, pictures. It opens anywhere, without a network.

Everything that people typed goes through `escaped_html`; a policy in the file forbids a browser to fetch anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from mnist_dash import __version__
from mnist_dash.core.export.markup import escaped_html

_FOLDER = Path(__file__).parent
_POLICY = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data:; form-action 'none'"
"""No network. Plotly makes functions of text for what it draws with WebGL."""


class Figure(Protocol):
    """A Plotly figure."""

    def to_json(self) -> str:
        """Write it for the browser."""


def chart_paint() -> str:
    """Read the JavaScript that gives a chart its colours: the same in a page of the dashboard and in a file."""
    return (_FOLDER / "chart_paint.js").read_text(encoding="utf-8")


def page(title: str, *parts: str) -> bytes:
    """Put the parts of a page together as the content of an ``.html`` file in UTF-8.

    Args:
        title: as typed.
        parts: HTML, from the functions below.
    """
    from mnist_dash.reports.plotly_script import plotly_script

    scripts = [plotly_script(), chart_paint(), (_FOLDER / "page.js").read_text(encoding="utf-8")]
    body = "\n".join(part for part in parts if part)
    written = f"Written by MNIST Dash {escaped_html(__version__)}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. This file needs no network."
    text = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>{escaped_html(title)}</title>
<style>{(_FOLDER / "page.css").read_text(encoding="utf-8")}</style>
</head>
<body>
<h1>{escaped_html(title)}</h1>
{body}
<p class="quiet">{written}</p>
<script>{scripts[0]}</script>
<script>{scripts[1]}{scripts[2]}</script>
</body>
</html>
"""
    return text.encode("utf-8", "replace")


def paragraph(text: str, *, look: str = "") -> str:
    """Write a paragraph; nothing for an empty text.

    Args:
        text: as typed; line ends are kept.
        look: a class of the style sheet: ``quiet``, ``warning``.
    """
    return f'<p class="typed {look}">{escaped_html(text, lines=True)}</p>' if text else ""


def section(title: str, *parts: str, folded: bool = False) -> str:
    """Write a heading and what is below it; nothing where there is nothing below it."""
    inner = "\n".join(part for part in parts if part)
    if not inner:
        return ""
    if folded:
        return f"<details><summary>{escaped_html(title)}</summary>\n{inner}\n</details>"
    return f"<section><h2>{escaped_html(title)}</h2>\n{inner}\n</section>"


def side_by_side(*parts: str) -> str:
    """Put parts beside each other where there is room."""
    return f'<div class="pair">{"".join(f"<div>{part}</div>" for part in parts if part)}</div>'


def headline(figures: Iterable[tuple[str, str, str]]) -> str:
    """Write a few figures large: label, value, note."""
    cells = (
        f'<div>{escaped_html(label)}<b>{escaped_html(value)}</b><span class="quiet">{escaped_html(note)}</span></div>'
        for label, value, note in figures
    )
    return f'<div class="figures">{"".join(cells)}</div>'


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Iterable[str] = ()) -> str:
    """Write a table.

    Args:
        headings: one a column.
        rows: cells as people read them.
        numbers: headings of the columns that are set to the right.
    """
    right = [heading in set(numbers) for heading in headings]
    looks = [' class="number"' if number else "" for number in right]
    head = "".join(f'<th scope="col"{look}>{escaped_html(heading)}</th>' for heading, look in zip(headings, looks, strict=True))
    body = "\n".join(
        "<tr>" + "".join(f"<td{look}>{escaped_html(str(cell))}</td>" for cell, look in zip(row, looks, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'


def chart(figure: Figure, *, alt: str, height: int = 360) -> str:
    """Write a figure, to be drawn when the file is opened.

    Args:
        figure: colours by place, as `mnist_dash.ui.elements.live_plot` has them.
        alt: what it shows, for those who cannot see it.
        height: in pixels.
    """
    content = figure.to_json().replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return (
        f'<div class="chart"><div class="plot" role="img" aria-label="{escaped_html(alt)}" style="height:{height}px"></div>'
        f'<script type="application/json">{content}</script></div>'
    )


def pictures(images: Iterable[tuple[str, str]]) -> str:
    """Write pictures in rows: address (``data:``) and caption of each."""
    written = ((escaped_html(address), escaped_html(caption)) for address, caption in images)
    cells = (f'<figure><img src="{address}" alt="{caption}"><figcaption>{caption}</figcaption></figure>' for address, caption in written)
    return f'<div class="images">{"".join(cells)}</div>'


def listing(text: str) -> str:
    """Write text in letters of one width, as it is."""
    return f"<pre>{escaped_html(text, lines=True)}</pre>"
