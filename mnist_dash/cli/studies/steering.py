"""`study pause`, `resume`, `stop`, `extend`, `export` and `conduct`."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_dash.cli.store_opening import opened

if TYPE_CHECKING:
    from mnist_dash.runs.store.run_store import Store


def pause(arguments: Namespace) -> int:
    """Begin no further trials."""
    from mnist_dash.search.actions import steering
    from mnist_dash.search.studies import study_store

    with opened() as store:
        study = study_store.find(store, arguments.study)
        steering.pause(store, study.id)
    print(f"Study {study.name} is paused; trials in flight go on. Resume it: python -m mnist_dash study resume {study.name}")
    return 0


def resume(arguments: Namespace) -> int:
    """Go on with a paused study."""
    from mnist_dash.search.actions import steering
    from mnist_dash.search.studies import study_store

    with opened() as store:
        study = study_store.find(store, arguments.study)
        steering.resume(store, study.id)
        _say_if_nobody_works(store)
    print(f"Study {study.name} runs again.")
    return 0


def stop(arguments: Namespace) -> int:
    """End a study."""
    from mnist_dash.search.actions import steering
    from mnist_dash.search.studies import study_store

    with opened() as store:
        study = study_store.find(store, arguments.study)
        steering.stop(store, study.id, cancel=arguments.cancel)
    print(f"Study {study.name} stops; trials in flight are {'stopped too' if arguments.cancel else 'let to end'}.")
    return 0


def extend(arguments: Namespace) -> int:
    """Give a study more trials."""
    from mnist_dash.search.actions import steering
    from mnist_dash.search.studies import study_store

    with opened() as store:
        study = study_store.find(store, arguments.study)
        steering.extend(store, study.id, arguments.trials)
        wanted = study_store.find(store, study.id).definition.budget.trials
        _say_if_nobody_works(store)
    print(f"Study {study.name} goes on to {wanted:,} trials in all.")
    return 0


def export(arguments: Namespace) -> int:
    """Write a study for other programs."""
    from mnist_dash.runs.transfer.new_file import new_file
    from mnist_dash.search.definition.study_files import write_study
    from mnist_dash.search.studies import study_store
    from mnist_dash.search.studies.export import export_csv, export_optuna

    with opened() as store:
        study = study_store.find(store, arguments.study)
        name = arguments.csv or arguments.optuna or arguments.yaml
        if arguments.yaml is not None:
            text = write_study(study.definition)
            if arguments.yaml == "-":
                print(text, end="")
            else:
                with new_file(Path(name)) as temporary:
                    temporary.write_text(text, encoding="utf-8")
            what = "the definition"
        elif arguments.csv is not None:
            what = f"{export_csv(store, study, sys.stdout if arguments.csv == '-' else Path(name)):,} trials"
        else:
            what = f"{export_optuna(store, study, Path(name)):,} trials"
    if name != "-" or arguments.optuna is not None:
        print(f"Wrote {what} of study {study.name} to {name}.")
    return 0


def conduct(_arguments: Namespace) -> int:
    """Advance studies until Ctrl+C."""
    import logging

    from mnist_dash.search.engine.study_runner import StudyRunner

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    with opened() as store:
        runner = StudyRunner(store)
        print(f"Advances studies as {runner.name}; Ctrl+C ends it, and whoever is there takes them over.", file=sys.stderr)
        try:
            runner.run()
        except KeyboardInterrupt:
            return 0  # the way to end it
    return 0


def _say_if_nobody_works(store: Store) -> None:
    if all(worker.state == "gone" for worker in store.workers()):
        remedy = "Open the dashboard, or start one with `python -m mnist_dash worker`."
        print(f"No worker is alive, so its runs wait in the queue. {remedy}", file=sys.stderr)
