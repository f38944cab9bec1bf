"""The command line: the same actions, queue and workers as the pages, from a terminal.

Exit codes: 0 done (for `train`: the run finished or was stopped), 1 it went wrong (the run failed or diverged, `doctor` found a problem),
2 the input cannot be done and nothing was changed. Sentences for a person go to standard error wherever standard output is for a program.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from mnist_dash.cli.commands import build_parser
from mnist_dash.errors import MnistDashError

EXIT_DONE = 0
EXIT_WRONG = 1
EXIT_INVALID = 2
EXIT_INTERRUPTED = 130
"""What shells expect of a program that Ctrl+C ended."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; `arguments` are those of the process by default."""
    parsed = build_parser().parse_args(arguments)
    try:
        code: int = parsed.execute(parsed)
        sys.stdout.flush()
    except MnistDashError as error:
        print(error, file=sys.stderr)
        return EXIT_INVALID
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `runs | head` has read enough; the flush at exit must not fail
        return EXIT_DONE
    return code
