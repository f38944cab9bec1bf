"""A real worker whose trainer computes nothing; run as ``python -m tests.faults``."""

from mnist_dash.runs.execution.worker import Worker
from mnist_dash.settings import Settings
from tests.faults.noop import finish_at_once

Worker(Settings.from_environment(), device="cpu", n_threads=1, training=finish_at_once).run()
