"""`export` and `import`: whole runs as one file, from store to store."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from mnist_dash.cli.formatting import json_line
from mnist_dash.cli.store_opening import opened


def export(arguments: Namespace) -> int:
    """Write runs into an archive."""
    from mnist_dash.runs.transfer.archive_export import export_runs

    with opened() as store:
        n_bytes = export_runs(store, arguments.runs, Path(arguments.file))
    n_runs = len(set(arguments.runs))
    if arguments.json:
        print(json_line({"file": arguments.file, "runs": list(dict.fromkeys(arguments.runs)), "bytes": n_bytes}))
    else:
        print(f"{n_runs:,} run{'' if n_runs == 1 else 's'} written to {arguments.file}, {n_bytes:,} bytes.")
    return 0


def import_(arguments: Namespace) -> int:
    """Take over the runs of an archive, all or none."""
    from mnist_dash.runs.transfer.archive_import import import_runs

    with opened() as store:
        done = import_runs(store, Path(arguments.file), as_new=arguments.as_new)
    if arguments.json:
        print(json_line({"imported": done.taken, "known": list(done.known)}))
        return 0
    for former, run_id in done.taken.items():
        print(f"Run {run_id} imported." if former == run_id else f"Run {former} imported as {run_id}.")
    for run_id in done.known:
        print(f"Run {run_id} is here already, with the same content.")
    return 0
