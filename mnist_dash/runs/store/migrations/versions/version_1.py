"""Version 1: runs, their histories, artifacts and analyses, workers, drawings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from mnist_dash.runs.store.migrations.additions import add_missing_columns

revision = "0001"
down_revision = None
tables = sa.MetaData()

sa.Table(
    "meta",
    tables,
    sa.Column("key", sa.String(32), primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)

sa.Table(
    "runs",
    tables,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("submit_key", sa.String(64), unique=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("config", sa.Text, nullable=False),
    sa.Column("config_hash", sa.String(16), nullable=False, index=True),
    sa.Column("preset", sa.String(64)),
    sa.Column("created_at", sa.Float, nullable=False, index=True),
    sa.Column("started_at", sa.Float),
    sa.Column("ended_at", sa.Float),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("n_steps", sa.Integer, nullable=False),
    sa.Column("n_parameters", sa.Integer, nullable=False),
    sa.Column("worker", sa.String(80)),
    sa.Column("device", sa.String(16)),
    sa.Column("precision", sa.String(16)),
    sa.Column("n_threads", sa.Integer),
    sa.Column("best_val_accuracy", sa.Float),
    sa.Column("best_epoch", sa.Integer),
    sa.Column("last_val_accuracy", sa.Float),
    sa.Column("last_val_loss", sa.Float),
    sa.Column("test_accuracy", sa.Float),
    sa.Column("test_loss", sa.Float),
    sa.Column("n_test", sa.Integer),
    sa.Column("seconds_training", sa.Float, nullable=False),
    sa.Column("seconds_evaluation", sa.Float, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("stop_requested", sa.Boolean, nullable=False),
    sa.Column("deleted_at", sa.Float),
    sa.Column("lease_until", sa.Float),
    sa.Index("ix_runs_state", "state", "created_at"),
)

sa.Table(
    "epochs",
    tables,
    sa.Column("run_id", sa.String(16), primary_key=True),
    sa.Column("epoch", sa.Integer, primary_key=True),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("learning_rate", sa.Float, nullable=False),
    sa.Column("running_loss", sa.Float, nullable=False),
    sa.Column("running_accuracy", sa.Float, nullable=False),
    sa.Column("train_loss", sa.Float, nullable=False),
    sa.Column("train_accuracy", sa.Float, nullable=False),
    sa.Column("val_loss", sa.Float, nullable=False),
    sa.Column("val_accuracy", sa.Float, nullable=False),
    sa.Column("test_loss", sa.Float, nullable=False),
    sa.Column("test_accuracy", sa.Float, nullable=False),
    sa.Column("seconds_training", sa.Float, nullable=False),
    sa.Column("seconds_evaluation", sa.Float, nullable=False),
    sa.Column("images_per_second", sa.Float, nullable=False),
)

sa.Table(
    "epoch_layers",
    tables,
    sa.Column("run_id", sa.String(16), primary_key=True),
    sa.Column("epoch", sa.Integer, primary_key=True),
    sa.Column("layers", sa.Text, nullable=False),
)

sa.Table(
    "step_chunks",
    tables,
    sa.Column("run_id", sa.String(16), primary_key=True),
    sa.Column("first_step", sa.Integer, primary_key=True),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("points", sa.LargeBinary, nullable=False),
)

sa.Table(
    "artifacts",
    tables,
    sa.Column("run_id", sa.String(16), primary_key=True),
    sa.Column("kind", sa.String(32), primary_key=True),
    sa.Column("part", sa.String(32), primary_key=True),
    sa.Column("path", sa.String(255), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("n_bytes", sa.BigInteger, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
)

sa.Table(
    "analyses",
    tables,
    sa.Column("run_id", sa.String(16), primary_key=True),
    sa.Column("kind", sa.String(32), primary_key=True),
    sa.Column("part", sa.String(32), primary_key=True),
    sa.Column("parameters", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("n_tries", sa.Integer, nullable=False),
    sa.Column("fraction", sa.Float, nullable=False),
    sa.Column("phrase", sa.String(80), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("machine", sa.String(64)),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("started_at", sa.Float),
    sa.Column("ended_at", sa.Float),
    sa.Column("lease_until", sa.Float),
)

sa.Table(
    "workers",
    tables,
    sa.Column("id", sa.String(80), primary_key=True),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("machine", sa.String(64), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("device", sa.String(16), nullable=False),
    sa.Column("n_threads", sa.Integer, nullable=False),
    sa.Column("run_id", sa.String(16)),
    sa.Column("started_at", sa.Float, nullable=False),
    sa.Column("seen_at", sa.Float, nullable=False),
    sa.Column("ended_at", sa.Float),
)

sa.Table(
    "calibrations",
    tables,
    sa.Column("machine", sa.String(64), primary_key=True),
    sa.Column("device", sa.String(16), primary_key=True),
    sa.Column("n_threads", sa.Integer, primary_key=True),
    sa.Column("family", sa.String(8), primary_key=True),
    sa.Column("flops_per_second", sa.Float, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
)

sa.Table(
    "drawings",
    tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("label", sa.SmallInteger, nullable=False),
    sa.Column("pixels", sa.LargeBinary, nullable=False),
    sa.Column("strokes", sa.Text, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("deleted_at", sa.Float),
)


def upgrade() -> None:
    """Make the tables, or complete them: the first databases of this version kept one artifact of a kind and no test metrics by epoch."""
    tables.create_all(op.get_bind())
    add_missing_columns("artifacts", sa.Column("part", sa.String(32)))
    add_missing_columns(
        "epochs", sa.Column("test_loss", sa.Float), sa.Column("test_accuracy", sa.Float)
    )
