"""`export` and `import`: arguments, options and help."""

from __future__ import annotations

import click

from mnist_dash.cli.command import Command
from mnist_dash.cli.parameters import FILE, RUN, as_json

ARCHIVES = (
    Command(
        "export",
        target="mnist_dash.cli.runs.archive:export",
        line="write runs into one file",
        text="""\
Write runs that have ended into one new file: configuration, metrics, history, weights and all other artifacts, name, tags, notes and
events, with the SHA-256 of each file. `import` reads it into another database.""",
        examples=("export 3f9c01ab best.zip", "export 3f9c01ab 77aa01cd runs.tar"),
        notes=(
            "The name ends in .zip (compressed) or .tar (faster). With --json, one object: file, runs and bytes.",
        ),
        params=(
            click.Argument(
                ["run_ids"],
                nargs=-1,
                required=True,
                type=RUN,
                metavar="RUN...",
                help="ids of runs; `runs` lists them",
            ),
            click.Argument(["file"], type=FILE, metavar="FILE", help="a new file, .zip or .tar"),
            as_json("print one object"),
        ),
    ),
    Command(
        "import",
        target="mnist_dash.cli.runs.archive:import_",
        line="read runs from a file",
        text="""\
Read the runs of a file that `export` wrote, all or none. Names, sizes, hashes and values are checked before anything is written.

Runs keep their ids. A run that is here already with the same content is left alone.""",
        examples=("import best.zip", "import best.zip --as-new"),
        notes=(
            "With --json, one object: imported (id in the file -> id here) and known (runs that were here already).",
        ),
        params=(
            click.Argument(["file"], type=FILE, metavar="FILE", help="a file that `export` wrote"),
            click.Option(
                ["--as-new"],
                is_flag=True,
                help="give a run a new id if another run has its id here",
            ),
            as_json("print one object"),
        ),
    ),
)
