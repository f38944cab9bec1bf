"""The parsers of `export` and `import`."""

from __future__ import annotations

from mnist_dash.cli.parameters import Commands, add_command

_EXPORT = """\
Write runs that have ended into one new file: configuration, figures, history, weights and all other files, name, tags, notes and events,
with the SHA-256 of each file. `import` takes them over into another store."""

_EXPORT_EXAMPLES = """\
examples:
  python -m mnist_dash export 3f9c01ab best.zip
  python -m mnist_dash export 3f9c01ab 77aa01cd runs.tar

The name ends in .zip (packed) or .tar (faster). With --json, one object: file, runs, bytes."""

_IMPORT = """\
Take over the runs of a file that `export` wrote. Names, sizes, hashes and every value are checked before anything is written; a file that
breaks a rule is refused whole. Runs keep their ids; a run that is here already with the same content is left alone."""

_IMPORT_EXAMPLES = """\
examples:
  python -m mnist_dash import best.zip
  python -m mnist_dash import best.zip --as-new     where the ids are other runs' here

With --json, one object: imported (id in the file -> id here), known (runs that were here already)."""


def add_archives(commands: Commands) -> None:
    """Add `export` and `import`."""
    export = add_command(
        commands,
        "export",
        line="write runs into one file",
        description=_EXPORT,
        epilog=_EXPORT_EXAMPLES,
        target="mnist_dash.cli.runs.archive:export",
    )
    export.add_argument("runs", metavar="RUN", nargs="+", help="the run's id")
    export.add_argument("file", metavar="FILE", help="a new file, .zip or .tar")
    export.add_argument("--json", action="store_true", help="print one object")
    take = add_command(
        commands,
        "import",
        line="take over the runs of a file",
        description=_IMPORT,
        epilog=_IMPORT_EXAMPLES,
        target="mnist_dash.cli.runs.archive:import_",
    )
    take.add_argument("file", metavar="FILE", help="a file that `export` wrote")
    take.add_argument("--as-new", action="store_true", help="give a run a new id where another run has its id here")
    take.add_argument("--json", action="store_true", help="print one object")
