"""The command line: the same actions, queue and workers as the pages, from a terminal; without a command it opens the dashboard.

Exit codes: 0 done (for `train`: the run finished or was stopped), 1 it went wrong (the run failed or diverged, `doctor` found a problem),
2 the input is invalid and nothing was changed. Sentences for a person go to standard error where standard output is for a program.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from mnist_dash.cli.command import as_typed, explain, program
from mnist_dash.cli.commands import COMMANDS
from mnist_dash.cli.completion import VARIABLE, complete
from mnist_dash.errors import MnistDashError
from mnist_dash.redaction import guard_output, redact

EXIT_DONE = 0
EXIT_INVALID = 2
EXIT_INTERRUPTED = 130
"""What shells expect of a program that Ctrl+C ended."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, `dashboard` if none is named, and return its exit code; `arguments` are those of the process by default."""
    if VARIABLE in os.environ:
        return complete(COMMANDS, os.environ[VARIABLE])
    guard_output()
    try:
        with COMMANDS.make_context(
            program(), list(sys.argv[1:] if arguments is None else arguments) or ["dashboard"]
        ) as context:
            code: int = COMMANDS.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.UsageError as error:
        print(explain(error), file=sys.stderr)
        return EXIT_INVALID
    except MnistDashError as error:
        print(redact(as_typed(str(error))), file=sys.stderr)
        return EXIT_INVALID
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # `runs | head` has read enough; the flush at exit must not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE
    return code
