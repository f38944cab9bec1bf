"""Version 3: names, notes, tags and branches of runs; events, saved views, share links; who owns what."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from mnist_dash.runs.store.migrations.additions import add_missing_columns

revision = "0003"
down_revision = "0002"
tables = sa.MetaData()

sa.Table(
    "run_tags",
    tables,
    sa.Column("run_id", sa.String(16), primary_key=True),
    sa.Column("tag", sa.String(40), primary_key=True, index=True),
)

sa.Table(
    "run_events",
    tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run_id", sa.String(16), nullable=False, index=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("sentence", sa.Text, nullable=False),
    sa.Column("person", sa.String(254)),
)

sa.Table(
    "saved_views",
    tables,
    sa.Column("page", sa.String(16), primary_key=True),
    sa.Column("name", sa.String(80), primary_key=True),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("person", sa.String(254)),
    sa.Column("created_at", sa.Float, nullable=False),
)

sa.Table(
    "share_links",
    tables,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("token_hash", sa.String(64), nullable=False),
    sa.Column("page", sa.String(16), nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("targets", sa.Text, nullable=False),
    sa.Column("person", sa.String(254)),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),
    sa.Column("revoked_at", sa.Float),
)

sa.Table(
    "audit",
    tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", sa.Float, nullable=False, index=True),
    sa.Column("person", sa.String(254), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("deed", sa.String(120), nullable=False),
    sa.Column("allowed", sa.Boolean, nullable=False),
)


def upgrade() -> None:
    """Make the tables, and room for what people say of runs; the first databases of this version had no owners of studies."""
    tables.create_all(op.get_bind())
    add_missing_columns(
        "runs",
        sa.Column("name", sa.String(120)),
        sa.Column("notes", sa.Text),
        sa.Column("starred", sa.Boolean),
        sa.Column("archived_at", sa.Float),
        sa.Column("owner", sa.String(254)),
        sa.Column("parent_id", sa.String(16)),
        sa.Column("parent_epoch", sa.Integer),
        sa.Column("pause_requested", sa.Boolean),
        sa.Column("change_requested", sa.Text),
    )
    add_missing_columns("studies", sa.Column("owner", sa.String(254)))
