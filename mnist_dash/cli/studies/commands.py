"""`study` and what it can do: options, and the help that explains them."""

from __future__ import annotations

import argparse

from mnist_dash.cli.parameters import Commands, add_command, minutes, natural, positive

_STUDY = """\
Launch, watch and steer searches over hyperparameters: the same studies as on the dashboard's pages.

A study belongs to the database: whoever started it, a page or a terminal, it can be followed and steered from both."""

_STUDY_EXAMPLES = """\
examples:
  python -m mnist_dash study run studies/batch_size.yaml
  python -m mnist_dash study list
  python -m mnist_dash study show batch-size
  python -m mnist_dash study COMMAND --help

exit codes: 0 done, 1 no trial completed, 2 invalid input and nothing was changed"""

_RUN = """\
Run a study file to its end, following it.

Where a study of that name exists already, it is followed: a paused one is resumed, and one that has ended with fewer trials than the file
or --trials wants in all runs again. A file that explores something else than the study of its name is refused.

When no worker is alive, workers are started, as many as runs are in flight at a time and at most one a thread; they end by themselves.
The study goes on when the terminal closes. Ctrl+C stops the study, its running trials too, and keeps what it has; a second Ctrl+C leaves
at once."""

_RUN_EXAMPLES = """\
examples:
  python -m mnist_dash study run studies/learning_rate_by_optimizer.yaml
  python -m mnist_dash study run studies/cnn_search.yaml --trials 60 --parallel 4
  python -m mnist_dash study run studies/ten_minutes.yaml --minutes 3 --name try-it --json
  python -m mnist_dash study run mine.yaml --detach && python -m mnist_dash study show mine

With --json, standard output is one object on one line at the end:
  study (its id), name, state, trials (how many by state), best (null when no trial is complete), seconds (of running, pauses left out)
of best: trial, run, runs (one a seed), value (the first objective), values (by objective), parameters, test_accuracy (not chosen by);
with several objectives there is also front, the trials that no other one beats in all of them

exit codes: 0 finished or stopped, 1 no trial completed or the study broke, 2 invalid input and nothing was changed"""

_LIST_EXAMPLES = """\
examples:
  python -m mnist_dash study list
  python -m mnist_dash study list --json | jq -r 'select(.state == "running") | .name'

With --json, one object a line: that of `study run`, created_at and question."""

_SHOW_EXAMPLES = """\
examples:
  python -m mnist_dash study show batch-size
  python -m mnist_dash study show batch-size --limit 50
  python -m mnist_dash study show batch-size --json | jq '.trials[] | select(.state == "diverged")'

With --json, one object: that of `study run` with counts (of trials by state) and trials (each of them, best first), definition, events."""

_STEER = "STUDY is its id or its name; `study list` lists them.\n\nexit codes: 0 done, 2 the study's state does not allow it"

_EXPORT = """\
Write a study for other programs. A file that exists is never overwritten."""

_EXPORT_EXAMPLES = """\
examples:
  python -m mnist_dash study export batch-size --csv batch-size.csv
  python -m mnist_dash study export batch-size --csv - | column -ts,
  python -m mnist_dash study export batch-size --optuna batch-size.db && optuna-dashboard sqlite:///batch-size.db
  python -m mnist_dash study export batch-size --yaml again.yaml"""

_CONDUCT = """\
Advance studies in this terminal until Ctrl+C: choose trials, prune them, begin the next ones. May be killed anywhere.

The dashboard and `study run` see to this themselves; this is for machines of their own, with MNIST_DASH_DATABASE_URL naming the common
database. Any number may run; one at a time advances each study, and another takes over when it dies."""


def add_study(commands: Commands) -> None:
    """Add `study` and its own commands."""
    study = commands.add_parser(
        "study",
        help="launch, watch and steer searches over hyperparameters",
        description=_STUDY,
        epilog=_STUDY_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verbs = study.add_subparsers(metavar="COMMAND", required=True)
    _add_run(verbs)
    _add_listings(verbs)
    _add_steering(verbs)
    _add_export(verbs)
    example = "example:\n  python -m mnist_dash study conduct"
    add_command(
        verbs,
        "conduct",
        line="advance studies in this terminal",
        description=_CONDUCT,
        epilog=example,
        target="mnist_dash.cli.studies.steering:conduct",
    )


def _add_run(verbs: Commands) -> None:
    run = add_command(
        verbs,
        "run",
        line="run a study file to its end",
        description=_RUN,
        epilog=_RUN_EXAMPLES,
        target="mnist_dash.cli.studies.study:run",
    )
    run.add_argument("file", metavar="FILE", help="a study file; docs/studies.md explains every word of it")
    run.add_argument("--trials", type=positive, metavar="N", help="end when there are this many trials in all")
    run.add_argument("--minutes", type=minutes, metavar="F", help="end after so many minutes of running in all")
    run.add_argument("--parallel", type=positive, metavar="N", help="trials in flight at a time")
    run.add_argument("--seed", type=natural, metavar="N", help="of the sampler; another seed is another study")
    run.add_argument("--name", metavar="NAME", help="another name than the file's, for a study of its own")
    run.add_argument("--detach", action="store_true", help="leave it to itself once it runs, instead of following it")
    run.add_argument("--json", action="store_true", help="print one object on one line at the end")


def _add_listings(verbs: Commands) -> None:
    listing = add_command(
        verbs,
        "list",
        line="list studies, newest first",
        description="List studies, newest first.",
        epilog=_LIST_EXAMPLES,
        target="mnist_dash.cli.studies.study:list_studies",
    )
    listing.add_argument("--json", action="store_true", help="print one object a line")
    show = add_command(
        verbs,
        "show",
        line="show one study",
        description="Show one study: state, best trials with their runs, what was done when.",
        epilog=_SHOW_EXAMPLES,
        target="mnist_dash.cli.studies.study:show",
    )
    _add_name(show)
    show.add_argument(
        "--limit", type=positive, metavar="N", help="show at most this many trials, best first (default: 10, with --json all)"
    )
    show.add_argument("--json", action="store_true", help="print one object, definition, trials and events included")


def _add_steering(verbs: Commands) -> None:
    sentences = {
        "pause": ("begin no further trials; those in flight go on", "python -m mnist_dash study pause batch-size"),
        "resume": ("go on with a paused study, or with one about to stop", "python -m mnist_dash study resume batch-size"),
        "stop": ("end a study and keep what it has", "python -m mnist_dash study stop batch-size --cancel"),
        "extend": ("give a study more trials; one that has ended runs again", "python -m mnist_dash study extend batch-size 20"),
    }
    for verb, (line, example) in sentences.items():
        added = add_command(
            verbs,
            verb,
            line=line,
            description=f"{line[0].upper()}{line[1:]}.",
            epilog=f"example:\n  {example}\n\n{_STEER}",
            target=f"mnist_dash.cli.studies.steering:{verb}",
        )
        _add_name(added)
        if verb == "stop":
            added.add_argument("--cancel", action="store_true", help="stop the trials in flight too, instead of letting them end")
        if verb == "extend":
            added.add_argument("trials", type=positive, metavar="N", help="how many trials more")


def _add_export(verbs: Commands) -> None:
    export = add_command(
        verbs,
        "export",
        line="write a study for other programs",
        description=_EXPORT,
        epilog=_EXPORT_EXAMPLES,
        target="mnist_dash.cli.studies.steering:export",
    )
    _add_name(export)
    target = export.add_mutually_exclusive_group(required=True)
    target.add_argument("--csv", metavar="FILE", help="one row a trial; - writes to standard output")
    target.add_argument("--optuna", metavar="FILE", help="a standard Optuna database (SQLite), which optuna-dashboard opens")
    target.add_argument("--yaml", metavar="FILE", help="its definition as a study file, as it is now; - writes to standard output")


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", metavar="STUDY", help="the study's id or name")
