"""Values as the command line writes them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any


def percent(fraction: float | None) -> str:
    """Write a fraction as percent with two digits; a dash where there is none."""
    return "-" if fraction is None else f"{100 * fraction:.2f} %"


def number(value: float | None, digits: int = 4) -> str:
    """Write a number with some digits after the point; a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def span(seconds: float | None) -> str:
    """Write a time span: ``4.2 s``, ``3 min 05 s``, ``2 h 10 min``; a dash where there is none."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def moment(time: datetime | None) -> str:
    """Write a time on the clock of this machine; a dash where there is none."""
    return "-" if time is None else time.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, right: Collection[str] = ()) -> str:
    """Align rows under their headings; the columns named in `right` to the right, as numbers are."""
    lines = [tuple(headings), *(tuple(row) for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(headings))]
    aligned = (
        "  ".join(
            cell.rjust(width) if heading in right else cell.ljust(width)
            for cell, width, heading in zip(line, widths, headings, strict=True)
        )
        for line in lines
    )
    return "\n".join(line.rstrip() for line in aligned)


def json_line(values: Mapping[str, Any]) -> str:
    """Write an object as one line of JSON; NaN and infinity, which JSON does not have, are refused."""
    return json.dumps(values, allow_nan=False, ensure_ascii=False)
