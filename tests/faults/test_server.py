"""The server, really killed while its worker trains, and started again."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable
from urllib.error import URLError
from urllib.request import urlopen

import psutil
import pytest
from playwright.sync_api import Browser

from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from tests.browser.conftest import READY, browser  # noqa: F401 - a fixture
from tests.faults.outcomes import assert_whole, wait_for_end
from tests.faults.test_kills import CONFIG, wait_for_mid_epoch
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

Start = Callable[..., subprocess.Popen[bytes]]


def serve(start: Start, port: int) -> subprocess.Popen[bytes]:
    """Start the dashboard and wait until it answers."""
    server = start(
        "streamlit",
        "run",
        "streamlit_app.py",
        "--server.port",
        str(port),
        "--server.headless",
        "true",
        stdout=subprocess.DEVNULL,
    )

    def answers() -> bool:
        try:
            return bool(urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1).status == 200)
        except (URLError, OSError):
            return False

    wait_until(answers, what="the server answers")
    return server


def visit(browser: Browser, port: int) -> None:  # noqa: F811 - the fixture's value
    """Open the dashboard as a person does; the first visit starts the workers."""
    page = browser.new_page()
    page.goto(f"http://localhost:{port}/")
    page.wait_for_selector(READY, timeout=60_000)
    page.close()


def test_run_survives_its_server(store: Store, start: Start, browser: Browser) -> None:  # noqa: F811 - a fixture
    """The server is killed in mid-epoch: its workers end and return the run; the next server's go on with it to a whole result."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = serve(start, port)
    visit(browser, port)
    run_id = run_actions.submit(store, CONFIG)
    holder = wait_for_mid_epoch(store, run_id, after_epoch=1)
    family = psutil.Process(holder.pid).children(recursive=True)
    server.kill()
    server.wait()
    wait_until(
        lambda: store.run(run_id).state is RunState.QUEUED, what="the run is back in the queue"
    )
    wait_until(
        lambda: (
            not any(process.is_running() for process in family)
            and not psutil.pid_exists(holder.pid)
        ),
        what="the killed server's workers and trainers are gone",
    )
    kept = store.run(run_id).epoch
    assert kept >= 1
    serve(start, port)
    visit(browser, port)
    run = wait_for_end(store, run_id)
    assert_whole(store, run)
    assert run.attempt == 2
