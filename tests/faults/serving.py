"""What of a dashboard's server keeps workers and a study runner alive; run as ``python -m tests.faults.serving``."""

import time

from mnist_dash.runs.execution.supervisor import ensure_workers
from mnist_dash.search.engine.study_runner import MODULE
from mnist_dash.settings import Settings

if __name__ == "__main__":
    ensure_workers(Settings.from_environment(), companions=[MODULE])
    time.sleep(3600)  # it serves until it is killed
