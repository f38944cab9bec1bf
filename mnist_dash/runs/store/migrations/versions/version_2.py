"""Version 2: studies and their trials."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from mnist_dash.runs.store.migrations.additions import add_missing_columns

revision = "0002"
down_revision = "0001"
tables = sa.MetaData()

sa.Table(
    "studies",
    tables,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False, unique=True),
    sa.Column("definition", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("ended_at", sa.Float),
    sa.Column("seconds_used", sa.Float, nullable=False),
    sa.Column("advanced_at", sa.Float),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("edition", sa.Integer, nullable=False),
    sa.Column("held_by", sa.String(120)),
    sa.Column("held_until", sa.Float),
)

sa.Table(
    "trials",
    tables,
    sa.Column("study_id", sa.String(16), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("origin", sa.String(16), nullable=False),
    sa.Column("parameters", sa.Text, nullable=False),
    sa.Column("figures", sa.Text),
    sa.Column("deviation", sa.Float),
    sa.Column("curve", sa.Text, nullable=False),
    sa.Column("attributes", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("started_at", sa.Float),
    sa.Column("ended_at", sa.Float),
    sa.Column("told_order", sa.Integer),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Index("ix_trials_state", "study_id", "state"),
)

sa.Table(
    "trial_runs",
    tables,
    sa.Column("study_id", sa.String(16), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("seed", sa.BigInteger, primary_key=True),
    sa.Column("run_id", sa.String(16), nullable=False, unique=True),
)

sa.Table(
    "study_events",
    tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("study_id", sa.String(16), nullable=False, index=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("sentence", sa.Text, nullable=False),
    sa.Column("former", sa.Text),
)


def upgrade() -> None:
    """Make the tables of studies, and what their trials leave in the rows of runs."""
    tables.create_all(op.get_bind())
    add_missing_columns(
        "runs",
        sa.Column("prune_requested", sa.Boolean),
        sa.Column("seconds_per_image_test", sa.Float),
    )
