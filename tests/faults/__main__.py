"""A real worker whose trainer computes nothing: ``python -m tests.faults [NAME]``, with the name of a function of `tests.faults.noop`."""

import sys

from mnist_dash.runs.execution.worker import Worker
from mnist_dash.settings import Settings
from tests.faults import noop

NAME = sys.argv[1] if len(sys.argv) > 1 else "finish_at_once"
Worker(Settings.from_environment(), device="cpu", n_threads=1, training=getattr(noop, NAME)).run()
