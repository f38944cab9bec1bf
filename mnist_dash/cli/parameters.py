"""What the commands' parsers are made of: a command whose function is imported late, and numbers that are refused with a sentence."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - it has no public name
"""Where commands are added."""


def add_command(commands: Commands, name: str, *, line: str, description: str, epilog: str, target: str) -> argparse.ArgumentParser:
    """Add a command whose function, `module:name`, is imported when it is executed."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=line,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(execute=_deferred(target))
    return parser


def _deferred(target: str) -> Callable[[argparse.Namespace], int]:
    module, function = target.split(":")

    def execute(arguments: argparse.Namespace) -> int:
        code: int = getattr(importlib.import_module(module), function)(arguments)
        return code

    return execute


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number of at least 1; got {text!r}. Type 20, say.")
    return int(text)


def natural(text: str) -> int:
    """Read a seed."""
    if not text.isdigit() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"a whole number from 0 to {2**32 - 1:,}; got {text!r}. Type 0, say.")
    return int(text)


def scale(text: str) -> float:
    """Read a factor."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= 10:
        raise argparse.ArgumentTypeError(f"a factor above 0 and at most 10; got {text!r}. Type 0.1, say.")
    return value


def seconds(text: str) -> float:
    """Read a number of seconds."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"a number of seconds of at least 0; got {text!r}. Type 30, say.")
    return value


def minutes(text: str) -> float:
    """Read a number of minutes."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= 100_000:
        raise argparse.ArgumentTypeError(f"a number of minutes above 0 and at most 100,000; got {text!r}. Type 10, say.")
    return value
