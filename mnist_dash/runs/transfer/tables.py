"""Runs and their histories as tables for other programs: CSV and Parquet."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence

import pandas as pd
import sqlalchemy as sa

from mnist_dash.runs.store import schema
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store

_TYPED = ("name", "notes", "tags", "reason", "owner")
"""Columns of text that people may have typed."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings that spreadsheets take for a formula."""
_LEFT_OUT = ("config", "revision", "stop_requested", "deleted_at", "worker")


def runs_table(store: Store, run_ids: Sequence[str]) -> pd.DataFrame:
    """List runs, one a row, in the order of the ids: figures, names and tags, then every setting as ``config.PATH``.

    Accuracies are fractions, times in UTC, losses in nats. A list in a configuration (its layers) is JSON.

    Raises:
        UnknownRun: no run has one of the ids.
    """
    runs = [store.run(run_id) for run_id in dict.fromkeys(run_ids)]
    tags: dict[str, list[str]] = {run.id: [] for run in runs}
    table = schema.run_tags
    with store.reading() as connection:
        for run_id, tag in connection.execute(
            sa.select(table).where(table.c.run_id.in_(tags)).order_by(table.c.tag)
        ):
            tags[run_id].append(tag)
    return pd.DataFrame([_row(run, tags[run.id]) for run in runs])


def epochs_table(store: Store, run_ids: Sequence[str]) -> pd.DataFrame:
    """Give the history by epoch of runs, one row an epoch, the run's id in ``run``."""
    return _stacked({run_id: store.history(run_id).epochs for run_id in dict.fromkeys(run_ids)})


def steps_table(store: Store, run_ids: Sequence[str]) -> pd.DataFrame:
    """Give the recorded steps of runs, one row a step, the run's id in ``run``."""
    return _stacked({run_id: store.history(run_id).steps for run_id in dict.fromkeys(run_ids)})


def to_csv(table: pd.DataFrame) -> bytes:
    """Write a table as CSV in UTF-8; what people typed gets an apostrophe where a spreadsheet would take it for a formula."""
    safe = table.assign(
        **{name: [_harmless(value) for value in table[name]] for name in _TYPED if name in table}
    )
    return str(safe.to_csv(index=False, lineterminator="\n")).encode("utf-8", "replace")


def to_parquet(table: pd.DataFrame) -> bytes:
    """Write a table as the content of a Parquet file; text is as it was typed."""
    import pyarrow as pa
    from pyarrow import parquet

    target = io.BytesIO()
    parquet.write_table(
        pa.Table.from_pandas(table, preserve_index=False), target, compression="zstd"
    )
    return target.getvalue()


def _row(run: Run, tags: Sequence[str]) -> dict[str, object]:
    values: dict[str, object] = {
        name: getattr(run, name) for name in Run.__dataclass_fields__ if name not in _LEFT_OUT
    }
    values |= {"state": run.state.value, "tags": ", ".join(tags)}
    return {
        "run": values.pop("id"),
        **values,
        **_settings("config", run.config.model_dump(mode="json")),
    }


def _settings(path: str, value: object) -> dict[str, object]:
    if isinstance(value, dict):
        return {
            name: leaf
            for key, inner in value.items()
            for name, leaf in _settings(f"{path}.{key}", inner).items()
        }
    return {path: json.dumps(value, separators=(",", ":")) if isinstance(value, list) else value}


def _stacked(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    own = [table.assign(run=run_id)[["run", *table.columns]] for run_id, table in tables.items()]
    filled = [table for table in own if len(table)]
    return pd.concat(filled or own[:1], ignore_index=True)


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
