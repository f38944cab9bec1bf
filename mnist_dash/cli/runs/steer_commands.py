"""`pause`, `resume`, `change`, `fork` and `continue`: options, and the help that explains them."""

from __future__ import annotations

import argparse

from mnist_dash.cli.parameters import Commands, add_command, positive

_CHANGE = """\
Change settings of a run that has not ended: of a paused one at once, of one in training at the end of its epoch.

The change becomes part of the run's configuration, so the run stays reproducible. Trials of studies keep what their study gave them."""

_FORK = """\
Begin a new run that is the same as another until the end of an epoch, and has other settings from there on.

It begins from the checkpoint of that epoch where one is kept; else the epochs before are trained again, to the same figures."""

_CODES = "exit codes: 0 done, 2 the run's state does not allow it, or a value breaks a rule; nothing was changed"


def add_steering(commands: Commands) -> None:
    """Add the commands that steer one run."""
    for name, line, text in (
        ("pause", "set a run aside at the end of its epoch", "Set a run aside: a waiting one at once, one in training after its epoch."),
        ("resume", "let a paused run go on", "Put a paused run back into the queue; it goes on from its checkpoint."),
    ):
        epilog = f"example:\n  python -m mnist_dash {name} 3f9c01ab\n\n{_CODES}"
        parser = add_command(commands, name, line=line, description=text, epilog=epilog, target=f"mnist_dash.cli.runs.steer:{name}")
        parser.add_argument("run", metavar="RUN", help="the run's id")

    example = "example:\n  python -m mnist_dash change 3f9c01ab --learning-rate 1e-4\n\n"
    change = add_command(
        commands,
        "change",
        line="change settings of a run while it trains",
        description=_CHANGE,
        epilog=example + _CODES,
        target="mnist_dash.cli.runs.steer:change",
    )
    change.add_argument("run", metavar="RUN", help="the run's id")
    _add_settings(change)

    example = "example:\n  python -m mnist_dash fork 3f9c01ab --epoch 3 --learning-rate 1e-4 --epochs 10\n\n"
    fork = add_command(
        commands,
        "fork",
        line="begin a branch of a run with other settings",
        description=_FORK,
        epilog=example + _CODES,
        target="mnist_dash.cli.runs.steer:fork",
    )
    fork.add_argument("run", metavar="RUN", help="the run's id")
    fork.add_argument("--epoch", type=positive, required=True, metavar="K", help="the last epoch that both share")
    fork.add_argument("--epochs", type=positive, metavar="N", help="of the new run in all (default: those of RUN)")
    fork.add_argument("--optimizer", metavar="KIND", help="another optimizer, with its defaults and fresh state")
    _add_settings(fork)

    example = "example:\n  python -m mnist_dash continue 3f9c01ab --epochs 20\n\n"
    text = "Begin a new run that goes on where an ended one is, with the same settings, to more epochs in all."
    further = add_command(
        commands,
        "continue",
        line="train an ended run for more epochs",
        description=text,
        epilog=example + _CODES,
        target="mnist_dash.cli.runs.steer:continue_run",
    )
    further.add_argument("run", metavar="RUN", help="the run's id")
    further.add_argument("--epochs", type=positive, required=True, metavar="N", help="how many there will be in all")


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--learning-rate", type=_number, metavar="F", help="the optimizer's rate; a schedule goes on scaling it")
    parser.add_argument("--batch-size", type=positive, metavar="N", help="images in one update")
    parser.add_argument("--dropout-rate", type=_number, metavar="F", help="of every dropout layer")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"a number; got {text!r}. Type 0.001 or 1e-3, say.") from error
