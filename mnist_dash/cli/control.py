"""`stop`, `worker`, `doctor`, `backup` and `restore`."""

from __future__ import annotations

import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from mnist_dash.cli.command import as_typed
from mnist_dash.cli.formatting import json_line
from mnist_dash.cli.store_opening import opened
from mnist_dash.following.follow import shown
from mnist_dash.following.view import View
from mnist_dash.settings import Settings
from mnist_dash.text import plural, verb

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


def worker(
    *,
    device: Literal["cpu", "cuda"] | None,
    threads: int | None,
    exit_when_idle: float | None,
    for_seconds: float | None,
) -> int:
    """Execute queued runs until asked to end, or until the time is up."""
    from mnist_dash.core.hardware.devices import check_device
    from mnist_dash.runs.execution.worker import main

    check_device(device or "auto")
    main(
        Settings.from_environment(),
        exit_when_idle_seconds=exit_when_idle,
        for_seconds=math.inf if for_seconds is None else for_seconds,
        device=device,
        n_threads=threads,
    )
    return 0


def doctor(*, repair: bool, as_json: bool) -> int:
    """Check everything, print what was found, and return 1 if there is a problem; mend first what can be mended, where asked to."""
    from mnist_dash.runs.execution.doctor import Verdict, examine

    done = _repair() if repair else []
    checks = examine(Settings.from_environment())
    well = all(check.verdict is not Verdict.PROBLEM for check in checks)
    if as_json:
        print(
            json_line(
                {"well": well, "checks": [asdict(check) for check in checks], "repaired": done}
            )
        )
    else:
        for sentence in done or (["Nothing had to be repaired."] if repair else []):
            print(f"repair  {sentence}")
        for check in checks:
            print(f"{_SIGNS[check.verdict]}{check.subject}: {check.finding}")
            if check.remedy:
                print(f"        -> {as_typed(check.remedy)}")
        print("\nAll is well." if well else "\nMend what is marked PROBLEM.")
    return 0 if well else 1


def _repair() -> list[str]:
    from mnist_dash.runs.execution.repair import repair

    with opened() as store:
        return repair(store)


def backup(*, file: str, as_json: bool) -> int:
    """Write a backup, with a progress bar on a terminal."""
    from mnist_dash.runs.transfer.backup import back_up

    with opened() as store, shown(quiet=True) as show:
        done = back_up(
            store,
            Path(file),
            report=lambda fraction, what: show(View(f"backup · {what}", fraction)),
        )
    if as_json:
        print(json_line({"file": file} | asdict(done)))
        return 0
    print(
        f"{plural(done.n_runs, 'run')} and {plural(done.n_files, 'file')} written to {file}, {done.n_bytes:,} bytes."
    )
    if done.n_missing:
        print(
            f"{plural(done.n_missing, 'file')} that the database names {verb(done.n_missing, 'were')} not there.",
            file=sys.stderr,
        )
    return 0


def restore(*, file: str, as_json: bool) -> int:
    """Put back what a backup holds."""
    from mnist_dash.runs.transfer.backup import restore

    settings = Settings.from_environment()
    with shown(quiet=True) as show:
        done = restore(
            settings,
            Path(file),
            report=lambda fraction, what: show(View(f"restore · {what}", fraction)),
        )
    if as_json:
        print(json_line({"home": str(settings.home)} | asdict(done)))
    else:
        print(
            f"{plural(done.n_runs, 'run')} and {plural(done.n_files, 'file')} restored to {settings.home}."
        )
    return 0
