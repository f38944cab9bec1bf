"""Commands that train, list and annotate runs: arguments, options and help."""

from __future__ import annotations

import click

from mnist_dash.cli import completion
from mnist_dash.cli.command import Command
from mnist_dash.cli.parameters import COUNT, EPOCHS_SCALE, FILE, RUN, SEED, Name, as_json, run

_TRAIN = Command(
    "train",
    target="mnist_dash.cli.runs.train:train",
    line="train a network and print its result",
    text="""\
Queue a run, follow it to its end and print its result. Without --preset and --config the first preset is trained.

A worker starts if none is alive, and ends by itself afterwards. The run goes on when the terminal closes. Ctrl+C stops the run and keeps
its epochs and weights; a second Ctrl+C returns at once.""",
    examples=(
        "train --preset mlp_512_256 --set epochs=8",
        "train --preset cnn_32_64_5x5 --set epochs=2 --json",
        "train --set optimizer.learning_rate=0.01 --set seed=7 --set device=cpu",
        "train --set optimizer.kind=sgd --set optimizer.momentum=0.9 --set optimizer.nesterov=true",
        "train --set early_stopping.patience=3 --set layers.1.units=256",
        "train --config mine.json",
    ),
    notes=(
        (
            "The keys of --set are paths into the configuration; docs/configuration.md lists them with bounds and defaults. Another `kind` "
            "gives that part its defaults, `none` clears an optional part, and layers count from 0."
        ),
        (
            "With --json: run, state, test_accuracy (fraction), test_loss, parameters, epochs (finished) and seconds (of training); "
            "null if there is no value."
        ),
        "Exit codes: 0 finished or stopped, 1 failed or diverged, 2 invalid input and nothing was queued.",
    ),
    only_one_of=("preset", "config"),
    params=(
        click.Option(
            ["--preset"],
            type=Name(completion.presets),
            metavar="NAME",
            help="a preset; `presets` lists them",
        ),
        click.Option(
            ["--config"],
            type=FILE,
            metavar="FILE",
            help="a configuration as JSON; - reads standard input",
        ),
        click.Option(
            ["--set", "changes"],
            type=Name(completion.changes),
            multiple=True,
            metavar="KEY=VALUE",
            help="change one field; repeatable",
        ),
        as_json("print one object on one line when the run has ended"),
    ),
)
_REPRODUCE = Command(
    "reproduce",
    target="mnist_dash.cli.runs.reproduce:reproduce",
    line="train published experiments and compare the results",
    text="""\
Train published experiments as their reports describe them, and print our results beside the published ones.

All runs are queued at once; Ctrl+C stops those that have not ended. A finished run of the same configuration and seed is shown instead of
trained again. A sweep is one run per value.""",
    examples=(
        "reproduce mlp_784 mlp_784_adam",
        "reproduce --epochs-scale 0.1",
        "reproduce --seeds 3 --json > published.jsonl",
    ),
    notes=(
        (
            "With --json, one object per line: preset, parameters, published_parameters, test_accuracy (fraction), "
            "published_test_accuracy, test_loss, published_test_loss, epochs, "
            "seconds_per_epoch (of training), seed, state, run and point (a sweep's value)."
        ),
        "Exit codes: 0 all finished, 1 a run failed or diverged, 2 invalid input and nothing was queued.",
    ),
    params=(
        click.Argument(
            ["names"],
            nargs=-1,
            type=Name(completion.experiments),
            metavar="[NAME]...",
            help="experiments; `presets` lists them (default: all)",
        ),
        click.Option(
            ["--epochs-scale"],
            type=EPOCHS_SCALE,
            default=1.0,
            metavar="F",
            help="fraction of the published epochs (default: 1)",
        ),
        click.Option(["--seed"], type=SEED, default=0, metavar="N", help="first seed (default: 0)"),
        click.Option(
            ["--seeds"],
            type=COUNT,
            default=1,
            metavar="N",
            help="seeds per experiment; 3 or more show noise (default: 1)",
        ),
        click.Option(["--again"], is_flag=True, help="train again what has finished before"),
        as_json("print one object per line, each when its run has ended"),
    ),
)
TRAINING = (_TRAIN, _REPRODUCE)

_RUNS = Command(
    "runs",
    target="mnist_dash.cli.runs.listing:runs",
    line="list runs, newest first",
    examples=(
        "runs",
        "runs --state running --state queued",
        "runs --where 'optimizer == \"adam\" and test_accuracy > 98%' --sort test_accuracy",
        "runs --where 'tag == \"demo\" and not leak' --sort=-seconds --json",
    ),
    notes=(
        (
            "docs/runs.md explains queries and lists every field. Archived runs appear if the query asks for them: --where archived. "
            "Times are UTC, in tables and in queries."
        ),
        (
            "With --json, one object per line: run, state, metrics, times (ISO 8601, UTC), name, tags, the studies that it belongs to, and "
            "waits_for, a sentence where no living worker can take it."
        ),
    ),
    params=(
        click.Option(
            ["--limit"],
            type=COUNT,
            default=20,
            metavar="N",
            help="list at most N runs (default: 20)",
        ),
        click.Option(
            ["--state", "states"],
            type=Name(completion.states),
            multiple=True,
            metavar="STATE",
            help="only runs in this state; repeatable",
        ),
        click.Option(
            ["--where"],
            default="",
            metavar="QUERY",
            help="only runs that match, such as 'test_accuracy > 98%'",
        ),
        click.Option(
            ["--sort"],
            type=Name(completion.fields),
            metavar="FIELD",
            help="largest first; --sort=-FIELD for smallest (default: newest)",
        ),
        as_json("print one object per line"),
    ),
)
_SHOW = Command(
    "show",
    target="mnist_dash.cli.runs.listing:show",
    line="show one run",
    text="Show one run: state, result with its 95 % interval (Wilson), metrics by epoch, network and configuration.",
    examples=("show 3f9c01ab", "show 3f9c01ab --json | jq .config > mine.json"),
    params=(run(), as_json("print one object, with configuration and metrics by epoch")),
)
_PRESETS = Command(
    "presets",
    target="mnist_dash.cli.runs.listing:presets",
    line="list presets, or print one as JSON",
    text="List the presets with their published results, or print the configuration of one as JSON, for `train --config`.",
    examples=("presets", "presets cnn_9_9_16 > mine.json"),
    params=(
        click.Argument(
            ["name"],
            required=False,
            type=Name(completion.presets),
            metavar="[NAME]",
            help="print the configuration of this preset",
        ),
        as_json("print one object per line"),
    ),
)
LISTINGS = (_RUNS, _SHOW, _PRESETS)

_TAG = Command(
    "tag",
    target="mnist_dash.cli.runs.annotations:tag",
    line="tag, name, star or archive runs",
    text="Tag, name, star or archive runs, or undo that. docs/runs.md says what a tag and a name may be.",
    examples=(
        "tag 3f9c01ab 6b2c1445 --add demo --add baseline",
        'tag 3f9c01ab --remove demo --name "the wide one" --star',
    ),
    params=(
        click.Argument(
            ["run_ids"],
            nargs=-1,
            required=True,
            type=RUN,
            metavar="RUN...",
            help="ids of runs; `runs` lists them",
        ),
        click.Option(
            ["--add"],
            multiple=True,
            type=Name(completion.tags),
            metavar="TAG",
            help="add this tag; repeatable",
        ),
        click.Option(
            ["--remove"],
            multiple=True,
            type=Name(completion.tags),
            metavar="TAG",
            help="remove this tag; repeatable",
        ),
        click.Option(
            ["--name"], metavar="NAME", help="name of one run; an empty one removes the name"
        ),
        click.Option(["--star/--no-star"], default=None, help="add or remove the star"),
        click.Option(
            ["--archive/--no-archive"],
            default=None,
            help="hide them from the list, or show them again",
        ),
    ),
)
ANNOTATIONS = (_TAG,)
