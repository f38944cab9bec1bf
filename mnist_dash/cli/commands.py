"""The commands: names, arguments, options and help. What a command does is imported when it is executed, so that help is fast."""

from __future__ import annotations

import click

from mnist_dash import __version__
from mnist_dash.cli import completion
from mnist_dash.cli.command import Command, Group
from mnist_dash.cli.parameters import COUNT, DAYS, DURATION, FILE, GIGABYTES, PORT, SECONDS, as_json
from mnist_dash.cli.runs.archive_commands import ARCHIVES
from mnist_dash.cli.runs.commands import ANNOTATIONS, LISTINGS, TRAINING
from mnist_dash.cli.runs.steer_commands import STEERING
from mnist_dash.cli.studies.commands import STUDY

_ABOUT = """\
Train networks on MNIST, compare runs and search for hyperparameters.

Runs and studies are those of the dashboard: what starts here appears there. A run goes on when the terminal closes."""

_DASHBOARD = """\
Open the dashboard:
  python -m mnist_dash"""

_ENVIRONMENT = """\
Environment:
  MNIST_DASH_HOME          database, artifacts and locks (default: the user data folder)
  MNIST_DASH_DATA_DIR      data sets (default: HOME/data)
  MNIST_DASH_DATABASE_URL  another database than the SQLite file in HOME
  MNIST_DASH_THREADS       CPU threads of all workers together"""

_CODES = """\
Exit codes:
  0  done
  1  a run failed or diverged, or a check found a problem
  2  invalid input; nothing was changed"""

DASHBOARD = Command(
    "dashboard",
    target="mnist_dash.cli.dashboard:dashboard",
    line="open the dashboard in the browser",
    text="""\
Serve the dashboard on this machine and open it in the browser; Ctrl+C ends it.

It listens on localhost alone. Runs go on in their workers when the dashboard ends. Without any command, this one is meant.""",
    examples=("dashboard", "dashboard --port 8600 --no-browser"),
    notes=(
        "Streamlit's other settings are environment variables, such as STREAMLIT_SERVER_ADDRESS.",
    ),
    params=(
        click.Option(
            ["--port"],
            type=PORT,
            metavar="N",
            help="port to listen on (default: 8501, or the next one that is free)",
        ),
        click.Option(
            ["--browser/--no-browser"],
            default=True,
            help="open a browser window, or do not (default: do)",
        ),
    ),
)
WORKER = Command(
    "worker",
    target="mnist_dash.cli.control:worker",
    line="execute queued runs in this terminal",
    text="""\
Execute queued runs until Ctrl+C or SIGTERM. The run in training then returns to the queue and resumes from its last epoch.

The dashboard starts workers itself (MNIST_DASH_WORKERS of them). This command is for other machines: MNIST_DASH_DATABASE_URL names the
common database, and MNIST_DASH_ARTIFACT_DIR a folder that all of them reach.""",
    examples=(
        "worker",
        "worker --device cpu --threads 2",
        "worker --exit-when-idle 60",
        "worker --for 55m",
    ),
    notes=(
        (
            "--for is for machines that are lent for a time, as by a job scheduler. The worker ends before the time is up: it gives its "
            "run back after an epoch behind which another one would not fit, so nothing is trained twice. Lend it several epochs' time."
        ),
    ),
    params=(
        click.Option(
            ["--device"],
            type=click.Choice(("cpu", "cuda")),
            help="device to train on (default: cuda if there is one, else cpu)",
        ),
        click.Option(
            ["--threads"], type=COUNT, metavar="N", help="CPU threads (default: MNIST_DASH_THREADS)"
        ),
        click.Option(
            ["--exit-when-idle"],
            type=SECONDS,
            metavar="SECONDS",
            help="end after so long without a run (default: never)",
        ),
        click.Option(
            ["--for", "for_seconds"],
            type=DURATION,
            metavar="TIME",
            help="end within this time, such as 55m (default: never)",
        ),
    ),
)
DOCTOR = Command(
    "doctor",
    target="mnist_dash.cli.control:doctor",
    line="check the whole installation",
    text="""\
Check data archives, database, artifacts (the hash of every file), queue, workers, device and disk, and say how to mend what is wrong.

It changes nothing, unless --repair is given.""",
    examples=("doctor", "doctor --repair", "doctor --json"),
    notes=(
        "Exit codes: 0 no problem (warnings allowed), 1 at least one problem.",
        (
            "--repair removes files of no run, gives queued runs without a job another, forgets earlier checkpoints that cannot be read, "
            "and builds damaged indexes anew. Results are never touched."
        ),
    ),
    params=(
        click.Option(["--repair"], is_flag=True, help="mend first what needs no choice of yours"),
        as_json("print one object: the list of checks, whether all is well, and what was repaired"),
    ),
)
BACKUP = Command(
    "backup",
    target="mnist_dash.cli.control:backup",
    line="save everything in one file",
    text="""\
Write the database as it is at one moment, and every file that it names, into a new tar file. Dashboard and workers may go on.

`restore` puts it back. A PostgreSQL database is saved by `pg_dump`, which has to be installed.""",
    examples=("backup mnist_dash-backup.tar",),
    notes=("With --json, one object: file, n_runs, n_files, n_missing and n_bytes.",),
    params=(
        click.Argument(["file"], type=FILE, metavar="FILE", help="a new file"),
        as_json("print one object"),
    ),
)
RESTORE = Command(
    "restore",
    target="mnist_dash.cli.control:restore",
    line="put back what `backup` saved",
    text="""\
Put back what a backup holds, all of it or nothing: into a MNIST_DASH_HOME without a database, or an empty PostgreSQL database.

The hash of every file is checked first. Runs that were in training go on from their last finished epoch.""",
    examples=("restore mnist_dash-backup.tar",),
    notes=("With --json, one object: home, n_runs, n_files, n_missing and n_bytes.",),
    params=(
        click.Argument(["file"], type=FILE, metavar="FILE", help="a file that `backup` wrote"),
        as_json("print one object"),
    ),
)
RETENTION = Command(
    "retention",
    target="mnist_dash.cli.retention:retention",
    line="remove the files of old runs",
    text="""\
Remove weights, checkpoints, probabilities and embeddings of ended runs by age and by size, the oldest first.
Their rows, curves and metrics stay.

It only shows what would go, unless --apply is given.""",
    examples=(
        "retention --older-than 90d",
        "retention --older-than 90d --max-gb 20 --apply",
        "retention --max-gb 5 --no-keep-starred",
    ),
    notes=(
        "Runs in the bin, runs that have not ended and those that an open run goes on from keep theirs.",
        "Files that were removed cannot be brought back: make a backup before, or train the run again. The run's page says what went.",
        "With --json, one object: applied, n_bytes, and runs with run, ended_at, n_files and n_bytes.",
    ),
    params=(
        click.Option(
            ["--older-than"],
            type=DAYS,
            metavar="AGE",
            help="runs that ended longer ago, such as 90d or 12w",
        ),
        click.Option(
            ["--max-gb"],
            type=GIGABYTES,
            metavar="N",
            help="the oldest runs, until the artifacts of all have at most N GB",
        ),
        click.Option(
            ["--keep-starred/--no-keep-starred"],
            default=True,
            help="leave starred runs alone, or do not (default: do)",
        ),
        click.Option(["--apply"], is_flag=True, help="remove them; without it nothing is changed"),
        as_json("print one object"),
    ),
)
COMPLETION = Command(
    "completion",
    target="mnist_dash.cli.completion:script",
    line="print what makes your shell complete commands",
    text="""\
Print a script that makes your shell complete `mnist-dash`: commands, options, presets, runs, studies, tags and the keys of --set.

It works for the script `mnist-dash`, which pip installs.""",
    examples=(
        "completion bash >> ~/.bashrc",
        "completion zsh >> ~/.zshrc",
        "completion fish > ~/.config/fish/completions/mnist-dash.fish",
    ),
    params=(
        click.Argument(
            ["shell"],
            type=click.Choice(completion.SHELLS),
            metavar="SHELL",
            help="bash, zsh or fish",
        ),
    ),
)
COMMANDS = Group(
    "mnist-dash",
    line="train networks on MNIST",
    text=_ABOUT,
    notes=(_DASHBOARD, _ENVIRONMENT, _CODES),
    commands=(
        DASHBOARD,
        *TRAINING,
        STUDY,
        *LISTINGS,
        *ANNOTATIONS,
        *STEERING,
        *ARCHIVES,
        WORKER,
        DOCTOR,
        BACKUP,
        RESTORE,
        RETENTION,
        COMPLETION,
    ),
)
"""All commands, in the order in which the help lists them."""
click.version_option(
    __version__, message=f"MNIST Dash {__version__}", help="show the version and exit"
)(COMMANDS)
