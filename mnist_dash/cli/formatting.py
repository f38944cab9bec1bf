"""Tables for people and objects for programs; numbers and times are written by `mnist_dash.formatting`, as on the pages."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any


def table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, right: Collection[str] = ()
) -> str:
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
