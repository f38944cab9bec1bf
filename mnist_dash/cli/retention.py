"""`retention`: remove the files of old runs, after showing which."""

from __future__ import annotations

import sys

from mnist_dash import formatting
from mnist_dash.cli.formatting import json_line
from mnist_dash.cli.store_opening import opened
from mnist_dash.text import plural


def retention(
    *,
    older_than: float | None,
    max_gb: float | None,
    keep_starred: bool,
    apply: bool,
    as_json: bool,
) -> int:
    """Print which runs lose their files, and remove them where asked to."""
    from mnist_dash.runs.actions import retention as rules

    rule = rules.Rule(older_than, None if max_gb is None else max_gb * 1e9, keep_starred)
    with opened() as store:
        found = rules.preview(store, rule)
        done = rules.apply(store, rule, found) if apply else found
        titles = {candidate.run_id: store.run(candidate.run_id).title for candidate in done}
    n_bytes = sum(candidate.n_bytes for candidate in done)
    if as_json:
        rows = [
            {
                "run": one.run_id,
                "ended_at": one.ended_at.isoformat(),
                "n_files": one.n_files,
                "n_bytes": one.n_bytes,
            }
            for one in done
        ]
        print(json_line({"applied": apply, "n_bytes": n_bytes, "runs": rows}))
        return 0
    for one in done:
        print(
            f"{one.run_id}  {one.ended_at:%Y-%m-%d}  {one.n_bytes / 1e6:>9,.1f} MB  {titles[one.run_id]}"
        )
    what = f"{plural(sum(one.n_files for one in done), 'file')} of {plural(len(done), 'run')}, {formatting.size(n_bytes)}"
    print(
        f"{what}, {'removed' if apply else 'would be removed'}. Metrics and curves stay.",
        file=sys.stderr,
    )
    if found and not apply:
        print(
            "Nothing was changed. Add --apply to remove them; they cannot be brought back but by training again.",
            file=sys.stderr,
        )
    return 0
