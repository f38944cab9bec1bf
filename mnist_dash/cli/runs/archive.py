"""`export` and `import`: whole runs as one file, from database to database."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mnist_dash.cli.formatting import json_line
from mnist_dash.cli.store_opening import opened
from mnist_dash.text import plural


def export(*, run_ids: Sequence[str], file: str, as_json: bool) -> int:
    """Write runs into an archive."""
    from mnist_dash.runs.transfer.archive_export import export_runs

    with opened() as store:
        n_bytes = export_runs(store, run_ids, Path(file))
    ids = list(dict.fromkeys(run_ids))
    if as_json:
        print(json_line({"file": file, "runs": ids, "bytes": n_bytes}))
    else:
        print(f"{plural(len(ids), 'run')} written to {file}, {n_bytes:,} bytes.")
    return 0


def import_(*, file: str, as_new: bool, as_json: bool) -> int:
    """Import the runs of an archive, all or none."""
    from mnist_dash.runs.transfer.archive_import import import_runs

    with opened() as store:
        done = import_runs(store, Path(file), as_new=as_new)
    if as_json:
        print(json_line({"imported": done.taken, "known": list(done.known)}))
        return 0
    for former, run_id in done.taken.items():
        print(
            f"Run {run_id} imported." if former == run_id else f"Run {former} imported as {run_id}."
        )
    for run_id in done.known:
        print(f"Run {run_id} is here already, with the same content.")
    return 0
