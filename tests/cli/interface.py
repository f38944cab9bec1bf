"""The interface of the command line as data: commands, arguments, options."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from mnist_dash.cli.command import Command
from mnist_dash.cli.commands import COMMANDS

FILE = Path(__file__).with_name("interface.json")
"""The interface as it was when argparse parsed it; scripts of users rely on it."""


def interface() -> dict[str, Any]:
    """Describe every command: the names, counts and defaults that scripts rely on, not the help texts."""
    return _commands(COMMANDS, "")


def parse(arguments: Sequence[str]) -> click.Context:
    """Parse a command line down to its last command, without executing it."""
    context = COMMANDS.make_context("mnist-dash", list(arguments))
    while isinstance(context.command, click.Group):
        name, command, rest = context.command.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        assert command is not None
        context = command.make_context(name, rest, parent=context)
    return context


def commands() -> Iterator[tuple[str, Command]]:
    """Give every command by its words, such as ``study run``."""
    for name, command in COMMANDS.commands.items():
        inner = command.commands.items() if isinstance(command, click.Group) else ()
        for path, each in ((name, command), *((f"{name} {verb}", one) for verb, one in inner)):
            if isinstance(each, Command):
                yield path, each


def _commands(command: click.Command, name: str) -> dict[str, Any]:
    context = command.make_context(name, [], resilient_parsing=True)
    inner = command.commands if isinstance(command, click.Group) else {}
    exclusive = command.only_one_of if isinstance(command, Command) else ()
    parameters = command.get_params(context)
    options = [parameter for parameter in parameters if isinstance(parameter, click.Option)]
    options.sort(key=lambda option: "--help" not in option.opts)  # first, as argparse had it
    described = {
        "needs_command": bool(inner),
        "arguments": [
            {"name": (one.metavar or "").strip("[].")} | {"count": _count(one), **_values(one)}
            for one in parameters
            if isinstance(one, click.Argument)
        ],
        "options": {_names(option)[-1]: _option(option) for option in options},
        "only_one_of": [
            {
                "options": [f"--{option}" for option in exclusive],
                "required": getattr(command, "needs_one", False),
            }
        ]
        if exclusive
        else [],
    }
    below = (_commands(child, f"{name} {verb}".strip()) for verb, child in inner.items())
    return {name: described} | {path: one for commands in below for path, one in commands.items()}


def _count(argument: click.Argument) -> str:
    counts = {(1, True): "1", (1, False): "?", (-1, True): "+", (-1, False): "*"}
    return counts[argument.nargs, argument.required]


def _option(option: click.Option) -> dict[str, Any]:
    if option.opts[-1] in ("--help", "--version"):
        return {"names": _names(option), "takes": "nothing, and ends"}
    takes = "nothing" if option.is_flag else "values" if option.multiple else "value"
    kind = {
        "names": _names(option),
        "takes": takes,
        "metavar": option.metavar,
        "required": option.required,
    }
    return kind | _values(option)


def _names(option: click.Option) -> list[str]:
    return [*option.opts, *option.secondary_opts]


def _values(parameter: click.Parameter) -> dict[str, Any]:
    default = parameter.to_info_dict()["default"]
    choices = list(parameter.type.choices) if isinstance(parameter.type, click.Choice) else None
    return {"default": None if default in ((), "") else default, "choices": choices}
