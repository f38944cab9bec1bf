"""What a self-contained page consists of: texts, tables, charts and pictures as values, without a word of HTML.

The functions give None where there is nothing to show, and leave such parts out of what they are in. `mnist_dash.reports.page` draws parts:
each by the macro of its ``kind`` in ``templates/parts.html``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol


class Figure(Protocol):
    """A Plotly figure."""

    def to_json(self) -> str:
        """Write it for the browser."""


@dataclass(frozen=True)
class Part:
    """A part of a page."""

    kind: ClassVar[str]
    """Names the macro that draws it."""


@dataclass(frozen=True)
class Paragraph(Part):
    """A text as people typed it."""

    kind = "paragraph"
    text: str
    look: str


@dataclass(frozen=True)
class Listing(Part):
    """A text in letters of one width."""

    kind = "listing"
    text: str


@dataclass(frozen=True)
class Section(Part):
    """A heading and what is below it."""

    kind = "section"
    title: str
    parts: tuple[Part, ...]
    is_folded: bool


@dataclass(frozen=True)
class Group(Part):
    """Parts below each other that are one part of what they are in."""

    kind = "group"
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class SideBySide(Part):
    """Parts beside each other where there is room."""

    kind = "side_by_side"
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Headline(Part):
    """A few figures, large: label, value and note of each."""

    kind = "headline"
    figures: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Table(Part):
    """A table."""

    kind = "table"
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[str]


@dataclass(frozen=True)
class Chart(Part):
    """A figure that is drawn when the file is opened."""

    kind = "chart"
    figure_json: str
    alt: str
    height: int


@dataclass(frozen=True)
class Pictures(Part):
    """Pictures in rows: address and caption of each."""

    kind = "pictures"
    images: tuple[tuple[str, str], ...]


def paragraph(text: str, *, look: str = "") -> Paragraph | None:
    """Make a paragraph; nothing of an empty text.

    Args:
        text: as typed; line ends are kept.
        look: a class of the style sheet: ``quiet``, ``warning``.
    """
    return Paragraph(text, look) if text else None


def listing(text: str) -> Listing:
    """Show text in letters of one width, as it is."""
    return Listing(text)


def section(title: str, *parts: Part | None, folded: bool = False) -> Section | None:
    """Put a heading above parts; nothing where there is nothing below it."""
    shown = _shown(parts)
    return Section(title, shown, is_folded=folded) if shown else None


def group(*parts: Part | None) -> Group | None:
    """Make one part of several, below each other."""
    shown = _shown(parts)
    return Group(shown) if shown else None


def side_by_side(*parts: Part | None) -> SideBySide | None:
    """Put parts beside each other where there is room."""
    shown = _shown(parts)
    return SideBySide(shown) if shown else None


def headline(figures: Iterable[tuple[str, str, str]]) -> Headline:
    """Show a few figures large: label, value, note."""
    return Headline(tuple(figures))


def table(
    headings: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Iterable[str] = ()
) -> Table:
    """Make a table.

    Args:
        headings: one a column.
        rows: as many cells each as there are headings, as people read them.
        numbers: headings of the columns that are set to the right.
    """
    cells = tuple(tuple(str(cell) for cell in row) for row in rows)
    assert all(len(row) == len(headings) for row in cells)
    return Table(tuple(headings), cells, frozenset(numbers))


def chart(figure: Figure, *, alt: str, height: int = 360) -> Chart:
    """Take a figure.

    Args:
        figure: colours by place, as `mnist_dash.ui.elements.live_plot` has them.
        alt: what it shows, for those who cannot see it.
        height: in pixels.
    """
    return Chart(figure.to_json(), alt, height)


def pictures(images: Iterable[tuple[str, str]]) -> Pictures:
    """Show pictures in rows: address (``data:``) and caption of each."""
    return Pictures(tuple(images))


def _shown(parts: Iterable[Part | None]) -> tuple[Part, ...]:
    return tuple(part for part in parts if part is not None)
