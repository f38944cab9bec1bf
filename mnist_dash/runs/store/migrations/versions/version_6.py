"""Version 6: deaths since the last finished epoch are counted, and a worker's process is known without a clock."""

from __future__ import annotations

import sqlalchemy as sa

from mnist_dash.runs.store.migrations.additions import add_missing_columns

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the count, and when a worker's process began."""
    add_missing_columns("runs", sa.Column("n_deaths", sa.Integer))
    add_missing_columns("workers", sa.Column("process_began", sa.BigInteger))
