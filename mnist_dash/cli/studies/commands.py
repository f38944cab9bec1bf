"""`study` and its commands: arguments, options and help."""

from __future__ import annotations

import click

from mnist_dash.cli.command import Command, Group
from mnist_dash.cli.parameters import COUNT, FILE, MINUTES, SEED, as_json, study

_STEER = ("Exit codes: 0 done, 2 the study's state does not allow it.",)
_RUN = Command(
    "run",
    target="mnist_dash.cli.studies.study:run",
    line="run a study file to its end",
    text="""\
Run a study file to its end and follow it.

If a study of that name exists, it is followed: a paused one resumes, and one that has ended with fewer trials than the file or --trials
asks for runs again. A file with another space than the study of its name is refused.

Workers start if none is alive, as many as runs train at a time and at most one per thread, and end by themselves. The study goes on
when the terminal closes. Ctrl+C stops the study and its running trials and keeps their results; a second Ctrl+C returns at once.""",
    examples=(
        "study run studies/learning_rate_by_optimizer.yaml",
        "study run studies/cnn_search.yaml --trials 60 --parallel 4",
        "study run studies/ten_minutes.yaml --minutes 3 --name try-it --json",
        "study run studies/batch_size.yaml --detach",
    ),
    notes=(
        (
            "With --json: study (its id), name, state, trials (count by state), best (null if no trial is complete) and seconds (of "
            "running, pauses left out). best has trial, run, runs (one per seed), value (the first objective), values (by objective), "
            "parameters and test_accuracy, which no study optimizes. With several objectives, front lists the Pareto-optimal trials."
        ),
        (
            "Exit codes: 0 finished or stopped with a complete trial, 1 no trial is complete or an error paused the study, "
            "2 invalid input and nothing was changed."
        ),
    ),
    params=(
        click.Argument(
            ["file"],
            type=FILE,
            metavar="FILE",
            help="a study file; studies/NAME.yaml finds those of the package too",
        ),
        click.Option(
            ["--trials"],
            type=COUNT,
            metavar="N",
            help="end after N trials in all, earlier ones included",
        ),
        click.Option(
            ["--minutes"], type=MINUTES, metavar="F", help="end after F minutes of running in all"
        ),
        click.Option(["--parallel"], type=COUNT, metavar="N", help="trials that run at a time"),
        click.Option(
            ["--seed"],
            type=SEED,
            metavar="N",
            help="seed of the sampler; another one needs another --name",
        ),
        click.Option(["--name"], metavar="NAME", help="name of the study, instead of the file's"),
        click.Option(
            ["--detach"], is_flag=True, help="return once it runs, instead of following it"
        ),
        as_json("print one object on one line at the end"),
    ),
)
_LIST = Command(
    "list",
    target="mnist_dash.cli.studies.study:list_studies",
    line="list studies, newest first",
    examples=("study list", "study list --json | jq -r 'select(.state == \"running\") | .name'"),
    notes=("With --json, one object per line: that of `study run`, created_at and question.",),
    params=(as_json("print one object per line"),),
)
_SHOW = Command(
    "show",
    target="mnist_dash.cli.studies.study:show",
    line="show one study",
    text="Show one study: state, best trials with their runs, and events.",
    examples=(
        "study show batch-size",
        "study show batch-size --limit 50",
        "study show batch-size --json | jq '.trials[] | select(.state == \"diverged\")'",
    ),
    notes=(
        "With --json, one object: that of `study run`, counts (of trials by state), trials (best first), definition and events.",
    ),
    params=(
        study(),
        click.Option(
            ["--limit"],
            type=COUNT,
            metavar="N",
            help="show at most N trials, best first (default: 10, with --json all)",
        ),
        as_json("print one object, with definition, trials and events"),
    ),
)
_PAUSE = Command(
    "pause",
    target="mnist_dash.cli.studies.steering:pause",
    line="start no further trials; running ones go on",
    examples=("study pause batch-size",),
    notes=_STEER,
    params=(study(),),
)
_RESUME = Command(
    "resume",
    target="mnist_dash.cli.studies.steering:resume",
    line="resume a study that is paused or stopping",
    examples=("study resume batch-size",),
    notes=_STEER,
    params=(study(),),
)
_STOP = Command(
    "stop",
    target="mnist_dash.cli.studies.steering:stop",
    line="end a study and keep its results",
    text="End a study when its running trials have ended, and keep its results.",
    examples=("study stop batch-size", "study stop batch-size --cancel"),
    notes=_STEER,
    params=(study(), click.Option(["--cancel"], is_flag=True, help="stop running trials too")),
)
_EXTEND = Command(
    "extend",
    target="mnist_dash.cli.studies.steering:extend",
    line="give a study more trials",
    text="Give a study more trials. One that has ended runs again.",
    examples=("study extend batch-size 20",),
    notes=_STEER,
    params=(
        study(),
        click.Argument(["trials"], type=COUNT, metavar="N", help="number of further trials"),
    ),
)
_EXPORT = Command(
    "export",
    target="mnist_dash.cli.studies.steering:export",
    line="write a study for other programs",
    text="Write a study for other programs. A file that exists is never overwritten.",
    examples=(
        "study export batch-size --csv batch-size.csv",
        "study export batch-size --csv - | column -ts,",
        "study export batch-size --optuna batch-size.db && optuna-dashboard sqlite:///batch-size.db",
        "study export batch-size --yaml again.yaml",
    ),
    only_one_of=("csv", "optuna", "yaml"),
    needs_one=True,
    params=(
        study(),
        click.Option(
            ["--csv"],
            type=FILE,
            metavar="FILE",
            help="one row per trial; - writes to standard output",
        ),
        click.Option(
            ["--optuna"],
            type=FILE,
            metavar="FILE",
            help="an Optuna database (SQLite), which optuna-dashboard opens",
        ),
        click.Option(
            ["--yaml"],
            type=FILE,
            metavar="FILE",
            help="its definition as a study file; - writes to standard output",
        ),
    ),
)
_CONDUCT = Command(
    "conduct",
    target="mnist_dash.cli.studies.steering:conduct",
    line="advance studies in this terminal",
    text="""\
Advance studies until Ctrl+C: choose, start and prune trials. The process may be killed at any time.

The dashboard and `study run` do this themselves. This command is for other machines: MNIST_DASH_DATABASE_URL names the common database.
Any number may run; one at a time advances each study, and another takes over when it dies.""",
    examples=("study conduct",),
)
STUDY = Group(
    "study",
    line="search for hyperparameters",
    text="""\
Run, watch and steer searches for hyperparameters: the studies of the dashboard.

A study belongs to the database. Page and terminal can both follow and steer it, whoever started it. STUDY is its id or its name.""",
    notes=("Exit codes: 0 done, 1 no trial is complete, 2 invalid input and nothing was changed",),
    commands=(_RUN, _LIST, _SHOW, _PAUSE, _RESUME, _STOP, _EXTEND, _EXPORT, _CONDUCT),
)
