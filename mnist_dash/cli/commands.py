"""The commands, their options and the help that explains them; fast, because help must be."""

from __future__ import annotations

import argparse

from mnist_dash import __version__
from mnist_dash.cli.parameters import Commands, add_command, natural, positive, scale, seconds
from mnist_dash.cli.runs.archive_commands import add_archives
from mnist_dash.cli.runs.steer_commands import add_steering
from mnist_dash.cli.studies.commands import add_study

_DESCRIPTION = """\
Train networks on MNIST, with runs that survive whatever happens to the terminal.

Runs go through the same durable queue as those of the dashboard's pages and appear there. See `COMMAND --help` for examples."""

_EPILOG = """\
environment:
  MNIST_DASH_HOME          database, artifacts and locks (default: the user data folder)
  MNIST_DASH_DATA_DIR      data sets (default: HOME/data)
  MNIST_DASH_DATABASE_URL  another database than the SQLite file in HOME
  MNIST_DASH_THREADS       CPU threads that workers may use

exit codes: 0 done, 1 a run failed or a check found a problem, 2 invalid input and nothing was changed"""

_TRAIN = """\
Queue a run, follow it to its end and print its result.

Without --preset and --config the first preset is trained. A worker is started for the run when none is alive, and ends by itself
afterwards. Closing the terminal does not end the run. Ctrl+C stops it and keeps what it has; a second Ctrl+C leaves it to stop alone."""

_TRAIN_EXAMPLES = """\
examples:
  python -m mnist_dash train --preset mlp_512_256 --set epochs=8
  python -m mnist_dash train --preset cnn_32_64_5x5 --set epochs=2 --json
  python -m mnist_dash train --set optimizer.learning_rate=0.01 --set seed=7 --set device=cpu
  python -m mnist_dash train --set optimizer.kind=sgd --set optimizer.momentum=0.9 --set optimizer.nesterov=true
  python -m mnist_dash train --set early_stopping.patience=3 --set layers.1.units=256
  python -m mnist_dash presets mlp_512_256 > mine.json && python -m mnist_dash train --config mine.json

The keys of --set are paths into the configuration; docs/configuration.md lists them all with their bounds and defaults. Changing a `kind`
gives that part its defaults, `none` clears an optional part, layers count from 0.

With --json, standard output is one object on one line when the run has ended:
  run, state, test_accuracy (fraction), test_loss, parameters, epochs (finished), seconds (of training)

exit codes: 0 finished or stopped, 1 failed or diverged, 2 invalid input and nothing was queued"""

_REPRODUCE = """\
Train published experiments as their reports describe them and print our figures beside theirs.

All runs are queued at once; Ctrl+C stops those that have not ended. A run of exactly the same configuration and seed that has finished
before is shown instead of trained again. A sweep is one run a value."""

_REPRODUCE_EXAMPLES = """\
examples:
  python -m mnist_dash reproduce mlp_784 mlp_784_adam
  python -m mnist_dash reproduce --epochs-scale 0.1
  python -m mnist_dash reproduce --seeds 3 --json > published.jsonl

With --json, one object a line:
  preset, parameters, published_parameters, test_accuracy (fraction), published_test_accuracy, test_loss, published_test_loss, epochs,
  seconds_per_epoch (of training), seed, state, run, point (a sweep's value)

exit codes: 0 all finished, 1 a run failed or diverged, 2 invalid input and nothing was queued"""

_RUNS_EXAMPLES = """\
examples:
  python -m mnist_dash runs
  python -m mnist_dash runs --state running --state queued
  python -m mnist_dash runs --where 'optimizer == "adam" and test_accuracy > 98%' --sort test_accuracy
  python -m mnist_dash runs --where 'tag == "demo" and not leak' --sort=-seconds --json | jq -r .run

docs/runs.md explains the query language and lists every field. Archived runs are listed where the query asks: --where archived.

With --json, one object a line."""

_TAG_EXAMPLES = """\
examples:
  python -m mnist_dash tag 3f9c01ab 6b2c1445 --add demo --add baseline
  python -m mnist_dash tag 3f9c01ab --remove demo --name "the wide one" --star

docs/runs.md says what a tag and a name may be."""

_SHOW_EXAMPLES = """\
examples:
  python -m mnist_dash show 3f9c01ab
  python -m mnist_dash show 3f9c01ab --json | jq .config > mine.json"""

_STOP_EXAMPLES = """\
example:
  python -m mnist_dash stop 3f9c01ab

A queued run is stopped at once, a running one within about two seconds; its epochs, weights and test figures are kept."""

_WORKER = """\
Execute queued runs in this terminal until Ctrl+C or SIGTERM; a run in hand goes back to the queue and resumes from its last epoch.

The dashboard starts workers itself (MNIST_DASH_WORKERS of them); this is for machines of their own, with MNIST_DASH_DATABASE_URL naming
the common database and MNIST_DASH_ARTIFACT_DIR a folder that all can reach."""

_WORKER_EXAMPLES = """\
examples:
  python -m mnist_dash worker
  python -m mnist_dash worker --device cpu --threads 2
  MNIST_DASH_WORKERS=0 make run                     a dashboard that leaves the work to workers elsewhere"""

_DOCTOR = """\
Check data archives, database, artifacts (the hash of every file), queue, workers, device and disk, and say what to do about each thing
that is wrong. Changes nothing."""

_PRESETS_EXAMPLES = """\
examples:
  python -m mnist_dash presets
  python -m mnist_dash presets cnn_9_9_16 > mine.json     its configuration, to edit and to pass to train --config"""


def build_parser() -> argparse.ArgumentParser:
    """Build the parser; each command's function is imported when it is executed."""
    parser = argparse.ArgumentParser(
        prog="python -m mnist_dash",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"MNIST Dash {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_train(commands)
    _add_reproduce(commands)
    add_study(commands)
    _add_listings(commands)
    _add_tag(commands)
    _add_stop(commands)
    add_archives(commands)
    add_steering(commands)
    _add_worker(commands)
    _add_doctor(commands)
    return parser


def _add_train(commands: Commands) -> None:
    train = add_command(
        commands,
        "train",
        line="queue a run, follow it and print its result",
        description=_TRAIN,
        epilog=_TRAIN_EXAMPLES,
        target="mnist_dash.cli.runs.train:train",
    )
    source = train.add_mutually_exclusive_group()
    source.add_argument("--preset", metavar="NAME", help="a ready configuration; `presets` lists them")
    source.add_argument("--config", metavar="FILE", help="a configuration as JSON; - reads standard input")
    train.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="change one field of it; may be given many times")
    train.add_argument("--json", action="store_true", help="print one object on one line at the end")


def _add_reproduce(commands: Commands) -> None:
    reproduce = add_command(
        commands,
        "reproduce",
        line="train published experiments and hold them against their reports",
        description=_REPRODUCE,
        epilog=_REPRODUCE_EXAMPLES,
        target="mnist_dash.cli.runs.reproduce:reproduce",
    )
    reproduce.add_argument("names", metavar="NAME", nargs="*", help="an experiment; `presets` lists them (default: all)")
    reproduce.add_argument(
        "--epochs-scale", type=scale, default=1.0, metavar="F", help="train this part of the published epochs, at least one"
    )
    reproduce.add_argument("--seed", type=natural, default=0, metavar="N", help="the first seed (default: %(default)s)")
    reproduce.add_argument("--seeds", type=positive, default=1, metavar="N", help="how many seeds of each; three tell noise (default: 1)")
    reproduce.add_argument("--again", action="store_true", help="train what has been trained before as well, instead of showing that run")
    reproduce.add_argument("--json", action="store_true", help="print one object a line, each when its run has ended")


def _add_listings(commands: Commands) -> None:
    runs = add_command(
        commands,
        "runs",
        line="list runs, newest first",
        description="List runs, newest first.",
        epilog=_RUNS_EXAMPLES,
        target="mnist_dash.cli.runs.listing:runs",
    )
    runs.add_argument("--limit", type=positive, default=20, metavar="N", help="list at most this many (default: %(default)s)")
    runs.add_argument("--state", action="append", metavar="STATE", help="only runs in this state; may be given many times")
    runs.add_argument("--where", metavar="QUERY", default="", help="only runs that meet a query, such as 'test_accuracy > 98%%'")
    runs.add_argument(
        "--sort", metavar="FIELD", help="the largest of a field first; --sort=-FIELD for the smallest (default: newest first)"
    )
    runs.add_argument("--json", action="store_true", help="print one object a line")

    text = "Show one run: state, result, history, network, configuration."
    show = add_command(
        commands, "show", line="show one run", description=text, epilog=_SHOW_EXAMPLES, target="mnist_dash.cli.runs.listing:show"
    )
    show.add_argument("run", metavar="RUN", help="the run's id")
    show.add_argument("--json", action="store_true", help="print one object, configuration and history by epoch included")

    text = "List the ready configurations, or print one of them as JSON."
    presets = add_command(
        commands,
        "presets",
        line="list the ready configurations",
        description=text,
        epilog=_PRESETS_EXAMPLES,
        target="mnist_dash.cli.runs.listing:presets",
    )
    presets.add_argument("name", metavar="NAME", nargs="?", help="print this one's configuration as JSON")
    presets.add_argument("--json", action="store_true", help="print one object a line")


def _add_tag(commands: Commands) -> None:
    text = "Put tags, a name, a star on runs, take them off, or archive them."
    tag = add_command(
        commands,
        "tag",
        line="tag, name, star or archive runs",
        description=text,
        epilog=_TAG_EXAMPLES,
        target="mnist_dash.cli.runs.annotations:tag",
    )
    tag.add_argument("runs", metavar="RUN", nargs="+", help="a run's id")
    tag.add_argument("--add", metavar="TAG", action="append", default=[], help="put this tag on them; may be given many times")
    tag.add_argument("--remove", metavar="TAG", action="append", default=[], help="take this tag off them; may be given many times")
    tag.add_argument("--name", metavar="NAME", help="what one run is called; an empty one takes the name away")
    tag.add_argument("--star", action=argparse.BooleanOptionalAction, help="give them a star, or take it off")
    tag.add_argument("--archive", action=argparse.BooleanOptionalAction, help="put them out of the list, or into it again")


def _add_stop(commands: Commands) -> None:
    text = "Stop a run and keep what it has."
    stop = add_command(
        commands,
        "stop",
        line="stop a run and keep what it has",
        description=text,
        epilog=_STOP_EXAMPLES,
        target="mnist_dash.cli.control:stop",
    )
    stop.add_argument("run", metavar="RUN", help="the run's id")


def _add_worker(commands: Commands) -> None:
    worker = add_command(
        commands,
        "worker",
        line="execute queued runs in this terminal",
        description=_WORKER,
        epilog=_WORKER_EXAMPLES,
        target="mnist_dash.cli.control:worker",
    )
    worker.add_argument("--device", choices=("cpu", "cuda"), help="default: cuda where there is a device, else cpu")
    worker.add_argument("--threads", type=positive, metavar="N", help="CPU threads (default: MNIST_DASH_THREADS)")
    worker.add_argument(
        "--exit-when-idle", type=seconds, metavar="SECONDS", help="end after so long with nothing to do (default: wait for ever)"
    )


def _add_doctor(commands: Commands) -> None:
    examples = "exit codes: 0 no problem (warnings allowed), 1 at least one problem"
    doctor = add_command(
        commands,
        "doctor",
        line="check the whole installation",
        description=_DOCTOR,
        epilog=examples,
        target="mnist_dash.cli.control:doctor",
    )
    doctor.add_argument("--json", action="store_true", help="print one object: a list of checks and whether all is well")
