"""What the commands are made of: help with examples, options that exclude each other, and a sentence for what cannot be parsed."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from mnist_dash.text import did_you_mean, listed

MODULE = "python -m mnist_dash"
"""How the program is started wherever the package is."""
SCRIPT = "mnist-dash"
"""What pip installs."""
_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 120}


def program() -> str:
    """Give the program as this process was started: the installed script, or the module."""
    return SCRIPT if Path(sys.argv[0]).stem == SCRIPT else MODULE


def as_typed(text: str) -> str:
    """Name the program in a text as this process was started, so that its commands can be copied."""
    return text.replace(f"`{SCRIPT} ", f"`{program()} ").replace(MODULE, program())


class Command(click.Command):
    """A command whose function is imported when it is executed.

    Args:
        name: of the command.
        target: ``module:function``; the function takes the parameters by name and returns the exit code.
        line: what it does, for the list of commands.
        text: the same in full; `line` as a sentence by default.
        examples: what follows the program's name on a command line, one each.
        notes: paragraphs below the examples, such as the fields of ``--json`` and the exit codes.
        only_one_of: names of parameters that exclude each other.
        needs_one: one of them has to be given.
        params: arguments and options.
    """

    def __init__(
        self,
        name: str,
        *,
        target: str,
        line: str,
        text: str = "",
        examples: Sequence[str],
        notes: Sequence[str] = (),
        only_one_of: Sequence[str] = (),
        needs_one: bool = False,
        params: Sequence[click.Parameter] = (),
    ) -> None:
        self.target = target
        self.line = line
        self.examples = tuple(examples)
        self.notes = tuple(notes)
        self.only_one_of = tuple(only_one_of)
        self.needs_one = needs_one
        super().__init__(
            name,
            callback=_deferred(target),
            params=list(params),
            help=text or f"{line[0].upper()}{line[1:]}.",
            short_help=line,
            context_settings=_SETTINGS,
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, and refuse options that exclude each other."""
        rest = super().parse_args(ctx, args)
        given = [name for name in self.only_one_of if ctx.params.get(name) is not None]
        if not ctx.resilient_parsing and (len(given) > 1 or (self.needs_one and not given)):
            options = [f"--{name}" for name in given or self.only_one_of]
            wrong = (
                f"{listed(options, last='and')} exclude each other"
                if given
                else f"None of {listed(options)} is given"
            )
            raise click.UsageError(f"{wrong}. Give one of them.", ctx)
        return rest

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Describe ``--help`` as the other options are."""
        return _described(super().get_help_option(ctx))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write the examples as they are typed, then the notes."""
        with formatter.section("Examples"):
            for example in self.examples:
                formatter.write(as_typed(f"{'':>{formatter.current_indent}}{MODULE} {example}\n"))
        for note in self.notes:
            formatter.write_paragraph()
            formatter.write_text(as_typed(note))


class Group(click.Group):
    """A command that has commands of its own, listed in the order in which they were added."""

    def __init__(
        self,
        name: str,
        *,
        line: str,
        text: str,
        notes: Sequence[str],
        commands: Sequence[click.Command],
    ) -> None:
        self.line = line
        self.notes = tuple(notes)
        super().__init__(
            name,
            commands=commands,
            help=text,
            short_help=line,
            no_args_is_help=True,
            context_settings=_SETTINGS,
            subcommand_metavar="COMMAND ...",
        )

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Describe ``--help`` as the other options are."""
        return _described(super().get_help_option(ctx))

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        """Name the commands in their order."""
        return list(self.commands)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write the notes; their lines stay as they are."""
        for note in self.notes:
            formatter.write_paragraph()
            formatter.write(as_typed(note) + "\n")


def explain(error: click.UsageError) -> str:
    """Say what cannot be parsed, what is allowed and what to do."""
    context = error.ctx
    path = context.command_path if context is not None else program()
    commands = _commands(context)
    match error:
        case click.exceptions.NoArgsIsHelpError():
            return error.message
        case click.NoSuchCommand():
            hint = (
                did_you_mean(error.command_name, commands)
                or f"Commands are {listed(commands, last='and')}."
            )
            return f"No such command {error.command_name!r}. {hint}"
        case click.NoSuchOption():
            hint = (
                did_you_mean(error.option_name, _options(context))
                or f"`{path} --help` lists its options."
            )
            return f"No such option {error.option_name!r}. {hint}"
        case click.MissingParameter() if error.param is not None:
            what = f": {error.param.help}" if error.param.help else ""
            return f"{name_of(error.param)} is missing{what}. `{path} --help` has examples."
        case click.BadParameter() if error.param is not None:
            return f"{name_of(error.param)}: {error.message}"
    return f"{error.message.rstrip('.')}. `{path} --help` has examples."


def name_of(parameter: click.Parameter) -> str:
    """Name a parameter as the help does: ``--limit`` or ``RUN``."""
    return (
        parameter.opts[-1] if isinstance(parameter, click.Option) else parameter.human_readable_name
    )


def _described(option: click.Option | None) -> click.Option | None:
    if option is not None:
        option.help = "show this help and exit"
    return option


def _commands(context: click.Context | None) -> tuple[str, ...]:
    command = None if context is None else context.command
    return tuple(command.commands) if isinstance(command, click.Group) else ()


def _options(context: click.Context | None) -> list[str]:
    if context is None:
        return []
    return [
        option
        for parameter in context.command.get_params(context)
        for option in (*parameter.opts, *parameter.secondary_opts)
    ]


def _deferred(target: str) -> Callable[..., int]:
    module, function = target.split(":")

    def execute(**parameters: Mapping[str, Any]) -> int:
        code: int = getattr(importlib.import_module(module), function)(**parameters)
        return code

    return execute
