"""Version 4: several artifacts of a kind in every database."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
artifacts = sa.Table(
    "artifacts",
    sa.MetaData(),
    sa.Column("run_id", sa.String(16), primary_key=True),
    sa.Column("kind", sa.String(32), primary_key=True),
    sa.Column("part", sa.String(32), primary_key=True),
    sa.Column("path", sa.String(255), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("n_bytes", sa.BigInteger, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
)


def upgrade() -> None:
    """Take an artifact's part into the key, which databases of the first version had got as a column only."""
    key = sa.inspect(op.get_bind()).get_pk_constraint("artifacts")
    columns = artifacts.primary_key.columns.keys()
    if set(key["constrained_columns"]) == set(columns):
        return
    op.execute(artifacts.update().where(artifacts.c.part.is_(None)).values(part=""))
    if op.get_bind().dialect.name == "sqlite":  # it has no other way to change a key
        with op.batch_alter_table("artifacts", recreate="always", copy_from=artifacts):
            return
    op.alter_column("artifacts", "part", existing_type=sa.String(32), nullable=False)
    name = key["name"] or "artifacts_pkey"
    op.drop_constraint(name, "artifacts", type_="primary")
    op.create_primary_key(name, "artifacts", columns)
