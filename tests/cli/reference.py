"""The reference part of docs/command-line.md, made of the commands themselves. ``python -m tests.cli.reference`` rewrites it."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator

import click

from mnist_dash.cli.command import MODULE, Command
from tests.cli.interface import commands, parse
from tests.source_tree import ROOT

FILE = ROOT / "docs" / "command-line.md"
BEGIN = "<!-- What follows is made of the commands: python -m tests.cli.reference -->"
OPERATORS = ("|", ">", ">>", "&&", "#")
"""Words of a shell that end a command line."""


def reference() -> str:
    """Write all commands in Markdown: what they do, examples, arguments, options, notes."""
    return "\n".join(line for path, command in commands() for line in _section(path, command))


def is_command_line(line: str) -> bool:
    """Whether the words after the program's name are a command with its arguments; words in capitals stand for values."""
    words = shlex.split(line)
    end = next(
        (index for index, word in enumerate(words) if word in OPERATORS or word.startswith("#")),
        len(words),
    )
    if words[end - 1] == "COMMAND" or words[:end] == ["study"]:
        return True
    try:
        parse(words[:end])
    except click.exceptions.Exit:  # --help
        return True
    except click.MissingParameter:
        return "`" not in line  # a sentence may name a command without its arguments
    except click.UsageError:
        return False
    return True


def _section(path: str, command: Command) -> Iterator[str]:
    context = command.make_context(path, [], resilient_parsing=True)
    yield f"\n### {path}\n"
    yield f"{command.help}\n"
    yield from (f"    {MODULE} {example}" for example in command.examples)
    arguments = [one for one in command.params if isinstance(one, click.Argument)]
    options = [one for one in command.params if isinstance(one, click.Option)]
    if arguments or options:
        yield "\n| | |\n|---|---|"
        yield from (f"| `{argument.metavar}` | {argument.help} |" for argument in arguments)
        yield from (
            f"| `{names}` | {about} |"
            for names, about in (option.get_help_record(context) or ("", "") for option in options)
        )
    yield from (f"\n{textwrap.fill(note, 140, break_on_hyphens=False)}" for note in command.notes)


if __name__ == "__main__":
    text = FILE.read_text()
    FILE.write_text(f"{text.partition(BEGIN)[0]}{BEGIN}\n{reference()}\n")
