"""The server, asked to end as systemd and Kubernetes do: it ends when its runs are back in the queue, and soon enough."""

from __future__ import annotations

from pathlib import Path

import psutil

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store.states import RunState
from tests.browser.conftest import free_port, serve
from tests.waiting import wait_until


def test_server_gives_its_runs_back_before_it_ends(tmp_path: Path) -> None:
    """After SIGTERM the process waits for its workers: when it is gone they are, and the run is queued, with no death counted."""
    with serve(tmp_path, free_port(), MNIST_DASH_THREADS="1") as served:
        run_id = run_actions.submit(served.store, RunConfig(epochs=500, batch_size=1000))
        wait_until(lambda: served.store.run(run_id).epoch >= 1, "the first epoch")
        (worker,) = [one for one in served.store.workers() if one.state == "running"]
        (server,) = [
            one
            for one in psutil.process_iter(["cmdline"])
            if str(served.url).rpartition(":")[2] in (one.info["cmdline"] or ())
        ]
        server.terminate()
        server.wait(30)
        run = served.store.run(run_id)
        assert run.state is RunState.QUEUED
        assert "shut down" in run.reason
        assert not psutil.pid_exists(worker.pid)
