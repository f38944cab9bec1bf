"""`stop`, `worker` and `doctor`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

from mnist_dash.cli.command import as_typed
from mnist_dash.cli.formatting import json_line
from mnist_dash.cli.store_opening import opened
from mnist_dash.settings import Settings

_SIGNS = {"ok": "ok      ", "warning": "WARNING ", "problem": "PROBLEM "}


def stop(run: str) -> int:
    """Stop a run and say what becomes of it."""
    from mnist_dash.runs.actions import run_actions
    from mnist_dash.runs.store.states import RunState

    with opened() as store:
        state = run_actions.stop(store, run)
    if state is RunState.STOPPED:
        print(f"Run {run} is stopped.")
    else:
        print(f"Run {run} stops within about two seconds. Its results are kept.")
    return 0


def worker(*, device: Literal["cpu", "cuda"] | None, threads: int | None, exit_when_idle: float | None) -> int:
    """Execute queued runs until asked to end."""
    from mnist_dash.core.hardware.devices import check_device
    from mnist_dash.runs.execution.worker import main

    check_device(device or "auto")
    main(Settings.from_environment(), exit_when_idle_seconds=exit_when_idle, device=device, n_threads=threads)
    return 0


def doctor(*, as_json: bool) -> int:
    """Check everything, print what was found, and return 1 if there is a problem."""
    from mnist_dash.runs.execution.doctor import Verdict, examine

    checks = examine(Settings.from_environment())
    well = all(check.verdict is not Verdict.PROBLEM for check in checks)
    if as_json:
        print(json_line({"well": well, "checks": [asdict(check) for check in checks]}))
    else:
        for check in checks:
            print(f"{_SIGNS[check.verdict]}{check.subject}: {check.finding}")
            if check.remedy:
                print(f"        -> {as_typed(check.remedy)}")
        print("\nAll is well." if well else "\nMend what is marked PROBLEM.")
    return 0 if well else 1
