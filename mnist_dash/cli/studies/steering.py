"""`study pause`, `resume`, `stop`, `extend`, `export` and `conduct`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_dash.cli.command import program
from mnist_dash.cli.store_opening import opened
from mnist_dash.text import plural

if TYPE_CHECKING:
    from mnist_dash.runs.store.run_store import Store


def pause(study: str) -> int:
    """Start no further trials."""
    from mnist_dash.search.actions import steering
    from mnist_dash.search.studies import study_store

    with opened() as store:
        found = study_store.find(store, study)
        steering.pause(store, found.id)
    print(
        f"Study {found.name} is paused; running trials go on. Resume it with `{program()} study resume {found.name}`."
    )
    return 0


def resume(study: str) -> int:
    """Resume a paused study."""
    from mnist_dash.search.actions import steering
    from mnist_dash.search.studies import study_store

    with opened() as store:
        found = study_store.find(store, study)
        steering.resume(store, found.id)
        _warn_without_workers(store)
    print(f"Study {found.name} is running again.")
    return 0


def stop(study: str, *, cancel: bool) -> int:
    """End a study."""
    from mnist_dash.search.actions import steering
    from mnist_dash.search.studies import study_store

    with opened() as store:
        found = study_store.find(store, study)
        steering.stop(store, found.id, cancel=cancel)
    print(
        f"Study {found.name} is stopping. Its running trials {'stop too' if cancel else 'train to their end'}."
    )
    return 0


def extend(study: str, *, trials: int) -> int:
    """Give a study more trials."""
    from mnist_dash.search.actions import steering
    from mnist_dash.search.studies import study_store

    with opened() as store:
        found = study_store.find(store, study)
        steering.extend(store, found.id, trials)
        wanted = study_store.find(store, found.id).definition.budget.trials
        _warn_without_workers(store)
    assert wanted is not None
    print(f"Study {found.name} goes on to {plural(wanted, 'trial')} in all.")
    return 0


def export(study: str, *, csv: str | None, optuna: str | None, yaml: str | None) -> int:
    """Write a study for other programs."""
    from mnist_dash.runs.transfer.new_file import new_file
    from mnist_dash.search.definition.study_files import write_study
    from mnist_dash.search.studies import study_store
    from mnist_dash.search.studies.export import export_csv, export_optuna

    with opened() as store:
        found = study_store.find(store, study)
        if yaml is not None:
            name, written, text = yaml, "the definition", write_study(found.definition)
            if yaml == "-":
                print(text, end="")
            else:
                with new_file(Path(yaml)) as temporary:
                    temporary.write_text(text, encoding="utf-8")
        elif csv is not None:
            name, written = (
                csv,
                plural(export_csv(store, found, sys.stdout if csv == "-" else Path(csv)), "trial"),
            )
        else:
            assert optuna is not None  # one of the three is given
            name, written = optuna, plural(export_optuna(store, found, Path(optuna)), "trial")
    if name != "-" or optuna is not None:
        print(f"Wrote {written} of study {found.name} to {name}.")
    return 0


def conduct() -> int:
    """Advance studies until Ctrl+C."""
    from mnist_dash import logs
    from mnist_dash.search.engine.study_runner import StudyRunner

    with opened() as store:
        logs.set_up(store.settings)
        runner = StudyRunner(store)
        print(
            f"{runner.name} advances studies until Ctrl+C; then another study runner takes over.",
            file=sys.stderr,
        )
        try:
            runner.run()
        except KeyboardInterrupt:
            return 0  # the way to end it
    return 0


def _warn_without_workers(store: Store) -> None:
    if all(worker.state == "gone" for worker in store.workers()):
        remedy = f"Open the dashboard, or start one with `{program()} worker`."
        print(f"No worker is running, so runs wait in the queue. {remedy}", file=sys.stderr)
