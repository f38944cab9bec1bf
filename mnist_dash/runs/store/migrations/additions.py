"""Add columns to tables that may have them already."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


def add_missing_columns(table: str, *columns: sa.Column[object]) -> None:
    """Add to a table those columns that it does not have; they are nullable, so its rows need no values."""
    known = {column["name"] for column in sa.inspect(op.get_bind()).get_columns(table)}
    for column in columns:
        if column.name not in known:
            op.add_column(table, column)
