"""What all tables have in common: columns without anything in them do not take the place of those with something."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd


def without_empty(table: pd.DataFrame, *, keep: Collection[str] = ()) -> pd.DataFrame:
    """Leave the columns out that are empty in every row; a table without rows stays as it is.

    Args:
        table: with headings.
        keep: headings of columns that stay.
    """
    if table.empty:
        return table
    return table[
        [name for name in table.columns if name in keep or not all(map(_is_empty, table[name]))]
    ]


def _is_empty(cell: object) -> bool:
    if isinstance(cell, str | list | tuple):
        return len(cell) == 0
    return bool(pd.isna(cell))
