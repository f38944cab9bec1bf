"""Version 5: epochs without test metrics are the same in every database."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Let an epoch have no test metrics: the first version evaluated the test set at a run's end alone."""
    known = {
        column["name"]: column["nullable"]
        for column in sa.inspect(op.get_bind()).get_columns("epochs")
    }
    fixed = [name for name in ("test_loss", "test_accuracy") if not known[name]]
    if not fixed:
        return
    with op.batch_alter_table("epochs") as batch:
        for name in fixed:
            batch.alter_column(name, existing_type=sa.Float(), nullable=True)
