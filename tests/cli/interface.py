"""The interface of the command line as data: commands, arguments, options. ``python -m tests.cli.interface`` writes it down."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from mnist_dash.cli.commands import build_parser

FILE = Path(__file__).with_name("interface.json")


def interface() -> dict[str, Any]:
    """Describe every command: the names, counts and defaults that scripts rely on, not the help texts."""
    return _commands(build_parser(), "")


def _commands(parser: argparse.ArgumentParser, name: str) -> dict[str, Any]:
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    actions = [action for action in parser._actions if action not in groups]
    described: dict[str, Any] = {
        "needs_command": any(group.required for group in groups),
        "arguments": [
            {"name": action.metavar, "count": "1" if action.nargs is None else str(action.nargs), **_values(action)}
            for action in actions
            if not action.option_strings
        ],
        "options": {action.option_strings[-1]: _option(action) for action in actions if action.option_strings},
        "only_one_of": [
            {"options": [action.option_strings[-1] for action in group._group_actions], "required": group.required}
            for group in parser._mutually_exclusive_groups
        ],
    }
    inner = {
        key: value
        for group in groups
        for verb, child in group.choices.items()
        for key, value in _commands(child, f"{name} {verb}".strip()).items()
    }
    return {name: described} | inner


def _option(action: argparse.Action) -> dict[str, Any]:
    if isinstance(action, argparse._HelpAction | argparse._VersionAction):
        return {"names": list(action.option_strings), "takes": "nothing, and ends"}
    takes = "nothing" if action.nargs == 0 else "values" if isinstance(action, argparse._AppendAction) else "value"
    return {"names": list(action.option_strings), "takes": takes, "metavar": action.metavar, "required": action.required, **_values(action)}


def _values(action: argparse.Action) -> dict[str, Any]:
    default = action.default if action.default not in ([], "") else None
    return {"default": default, "choices": None if action.choices is None else list(action.choices)}


if __name__ == "__main__":
    FILE.write_text(json.dumps(interface(), indent=1) + "\n")
