"""What Alembic executes for every command: the steps run on the caller's connection, in the caller's transaction."""

from __future__ import annotations

from alembic import context

from mnist_dash.runs.store import schema

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=schema.metadata,
    render_as_batch=True,  # SQLite changes a column by making the table anew
)
context.run_migrations()
