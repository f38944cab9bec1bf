"""One HTML file that holds all it shows: charts with Plotly's script, tables, pictures. It opens anywhere, without a network.

The HTML stands in ``templates``. Jinja2 escapes every value that they write, and `visible` shows characters that have no look of their own;
a policy in the file forbids a browser to fetch anything.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_dash import __version__
from mnist_dash.core.export.markup import visible
from mnist_dash.reports.parts import Part

if TYPE_CHECKING:
    import jinja2

_FOLDER = Path(__file__).parent


class _Lines(str):
    """A text that is visible already, and keeps its line ends."""

    __slots__ = ()


def chart_paint() -> str:
    """Read the JavaScript that gives a chart its colours: the same in a page of the dashboard and in a file."""
    return _read("chart_paint.js")


def page(title: str, *parts: Part | None) -> bytes:
    """Draw a page as the content of an ``.html`` file in UTF-8.

    Args:
        title: as typed.
        parts: from the functions of `mnist_dash.reports.parts`; None is left out.
    """
    from mnist_dash.reports.plotly_script import plotly_script

    text = (
        _templates()
        .get_template("page.html")
        .render(
            title=title,
            parts=[part for part in parts if part is not None],
            version=__version__,
            written=f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
            style=_read("page.css"),
            scripts=[plotly_script(), chart_paint() + _read("page.js")],
        )
    )
    return text.encode("utf-8", "replace")


@cache
def _templates() -> jinja2.Environment:
    """Open the templates. Jinja2 is imported with the first page that is written, not with this module."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["lines"] = _lines
    environment.filters["script_data"] = _script_data
    return environment


def _visible(value: object) -> object:
    """Prepare a value for being escaped; HTML that a template has made is left alone."""
    return value if isinstance(value, _Lines) or hasattr(value, "__html__") else visible(str(value))


def _lines(text: str) -> _Lines:
    return _Lines(visible(text, lines=True))


def _script_data(content: str) -> str:
    """Write JSON so that it cannot end the element it stands in."""
    return content.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
