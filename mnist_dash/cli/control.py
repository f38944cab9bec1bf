"""`stop`, `worker` and `doctor`."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict

from mnist_dash.cli.formatting import json_line
from mnist_dash.cli.store_opening import opened
from mnist_dash.settings import Settings

_SIGNS = {"ok": "ok      ", "warning": "WARNING ", "problem": "PROBLEM "}


def stop(arguments: Namespace) -> int:
    """Stop a run and say what becomes of it."""
    from mnist_dash.runs.actions import run_actions
    from mnist_dash.runs.store.states import RunState

    with opened() as store:
        state = run_actions.stop(store, arguments.run)
    if state is RunState.STOPPED:
        print(f"Run {arguments.run} is stopped.")
    else:
        print(f"Run {arguments.run} has been asked to stop; its worker ends it within about two seconds and keeps what it has.")
    return 0


def worker(arguments: Namespace) -> int:
    """Execute queued runs until asked to end."""
    from mnist_dash.core.hardware.devices import check_device
    from mnist_dash.runs.execution.worker import main

    check_device(arguments.device or "auto")
    main(
        Settings.from_environment(),
        exit_when_idle_seconds=arguments.exit_when_idle,
        device=arguments.device,
        n_threads=arguments.threads,
    )
    return 0


def doctor(arguments: Namespace) -> int:
    """Check everything, print what was found, and return 1 if there is a problem."""
    from mnist_dash.runs.execution.doctor import Verdict, examine

    checks = examine(Settings.from_environment())
    well = all(check.verdict is not Verdict.PROBLEM for check in checks)
    if arguments.json:
        print(json_line({"well": well, "checks": [asdict(check) for check in checks]}))
    else:
        for check in checks:
            print(f"{_SIGNS[check.verdict]}{check.subject}: {check.finding}")
            if check.remedy:
                print(f"        -> {check.remedy}")
        print("\nAll is well." if well else "\nSee to what is marked PROBLEM.")
    return 0 if well else 1
