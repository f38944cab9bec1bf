"""How the layers of a run changed from epoch to epoch, as its trainer measured them."""

from __future__ import annotations

import sqlalchemy as sa

from mnist_dash.core.analysis.layer_statistics import LayerMeasurement, unpack
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.run_store import Store

LayerHistory = dict[int, dict[str, LayerMeasurement]]
"""Epoch -> layer's name -> what it was like after that epoch; ascending."""


def layer_history(store: Store, run_id: str) -> LayerHistory:
    """Read what was measured; empty for a run without a finished epoch, or one of an older version."""
    table = schema.epoch_layers
    with store.reading() as connection:
        rows = connection.execute(
            sa.select(table.c.epoch, table.c.layers)
            .where(table.c.run_id == run_id)
            .order_by(table.c.epoch)
        ).all()
    return {row.epoch: unpack(row.layers) for row in rows}
