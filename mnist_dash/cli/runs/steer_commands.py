"""Commands that steer one run: `stop`, `pause`, `resume`, `change`, `fork` and `continue`."""

from __future__ import annotations

import click

from mnist_dash.cli import completion
from mnist_dash.cli.command import Command
from mnist_dash.cli.parameters import COUNT, RATE, Name, run

_CODES = (
    "Exit codes: 0 done, 2 the run's state does not allow it, or a value is invalid; nothing was changed.",
)


def _hyperparameters() -> tuple[click.Parameter, ...]:
    return (
        click.Option(
            ["--learning-rate"],
            type=RATE,
            metavar="F",
            help="the optimizer's learning rate; a schedule still scales it",
        ),
        click.Option(["--batch-size"], type=COUNT, metavar="N", help="images per update"),
        click.Option(
            ["--dropout-rate"], type=RATE, metavar="F", help="rate of every dropout layer"
        ),
    )


STEERING = (
    Command(
        "stop",
        target="mnist_dash.cli.control:stop",
        line="stop a run and keep its results",
        text="""\
Stop a run: a queued or paused one at once, a running one within about two seconds.

Its epochs, weights and test metrics are kept. A run that no worker had is not evaluated; `continue` goes on from its checkpoint.""",
        examples=("stop 3f9c01ab",),
        notes=_CODES,
        params=(run(),),
    ),
    Command(
        "pause",
        target="mnist_dash.cli.runs.steer:pause",
        line="pause a run at the end of its epoch",
        text="Pause a run: a queued one at once, a running one at the end of its epoch. Its worker is free then.",
        examples=("pause 3f9c01ab",),
        notes=_CODES,
        params=(run(),),
    ),
    Command(
        "resume",
        target="mnist_dash.cli.runs.steer:resume",
        line="resume a paused run",
        text="Put a paused run back into the queue. It resumes from its checkpoint.",
        examples=("resume 3f9c01ab",),
        notes=_CODES,
        params=(run(),),
    ),
    Command(
        "change",
        target="mnist_dash.cli.runs.steer:change",
        line="change hyperparameters of a run while it trains",
        text="""\
Change hyperparameters of a run that has not ended: of a paused one at once, of a running one at the end of its epoch.

The change becomes part of the run's configuration, so the run stays reproducible. Trials of studies keep the values of their study.""",
        examples=("change 3f9c01ab --learning-rate 1e-4",),
        notes=_CODES,
        params=(run(), *_hyperparameters()),
    ),
    Command(
        "fork",
        target="mnist_dash.cli.runs.steer:fork",
        line="branch off a run with other hyperparameters",
        text="""\
Queue a run that equals another until the end of an epoch and has other hyperparameters from there on.

It starts from the checkpoint of that epoch if there is one. Otherwise the epochs before are trained again, with the same result.""",
        examples=("fork 3f9c01ab --epoch 3 --learning-rate 1e-4 --epochs 10",),
        notes=_CODES,
        params=(
            run(),
            click.Option(
                ["--epoch"],
                type=COUNT,
                required=True,
                metavar="K",
                help="last epoch that both share",
            ),
            click.Option(
                ["--epochs"],
                type=COUNT,
                metavar="N",
                help="epochs of the new run in all (default: those of RUN)",
            ),
            click.Option(
                ["--optimizer"],
                type=Name(completion.optimizers),
                metavar="KIND",
                help="another optimizer, with its defaults and new state",
            ),
            *_hyperparameters(),
        ),
    ),
    Command(
        "continue",
        target="mnist_dash.cli.runs.steer:continue_run",
        line="train an ended run for more epochs",
        text="Queue a run that goes on where an ended one is, with the same configuration, to more epochs in all.",
        examples=("continue 3f9c01ab --epochs 20",),
        notes=_CODES,
        params=(
            run(),
            click.Option(
                ["--epochs"], type=COUNT, required=True, metavar="N", help="epochs in all"
            ),
        ),
    ),
)
