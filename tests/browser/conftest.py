"""A real dashboard with real workers in a folder of its own, and a real Chromium that looks at it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.errors import IllegalTransition
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.settings import Settings
from tests.source_tree import ROOT
from tests.waiting import PATIENCE_MS, wait_until

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LIVE = [RunState.QUEUED, RunState.RUNNING]
READY = '[data-testid="stApp"][data-test-script-state="notRunning"]'
_BASE_PROBE = re.compile(r"/\w+/_stcore/(health|host-config)$")
"""Streamlit's own search for its base address: on a page's address it asks there first and gets a 404."""


@dataclass(frozen=True)
class Dashboard:
    """A server that serves, and its store."""

    url: str
    store: Store
    pid: int
    """Of the process that serves the pages."""


@pytest.fixture(scope="package")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """The dashboard as `streamlit run` serves it; everything that it started is gone afterwards."""
    with serve(tmp_path_factory.mktemp("home"), free_port()) as served:
        yield served


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serve(home: Path, port: int, *options: str, **settings: str) -> Iterator[Dashboard]:
    """Serve a dashboard from a home, with more options of Streamlit and more settings."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MNIST_DASH", "OMP_"))
    }
    environment |= {"MNIST_DASH_HOME": str(home), "MNIST_DASH_WORKERS": "1"} | settings
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        "streamlit_app.py",
        "--server.port",
        str(port),
        "--server.headless",
        "true",
    ]
    command += options
    url = f"http://localhost:{port}"
    store = Store.open(Settings.from_environment({"MNIST_DASH_HOME": str(home)}))
    with (
        (home / "server.log").open("wb") as log,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log) as server,
    ):
        try:
            wait_until(lambda: _is_healthy(url), "the server to answer")
            yield Dashboard(url, store, server.pid)
        finally:
            _end(server)
            store.close()


expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A Chromium: the one named by CHROMIUM, one on the path, or Playwright's own."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    path = os.environ.get("CHROMIUM") or next(
        (found for name in names if (found := shutil.which(name))), None
    )
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def new_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open pages; at the end of the test none of them may have had an error."""
    pages: list[Page] = []
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and not _BASE_PROBE.search(message.location.get("url", "")):
            errors.append(f"{message.text} ({message.location.get('url', '')})")

    def opened(
        *, width: int = 1280, height: int = 900, scheme: Literal["light", "dark"] = "light"
    ) -> Page:
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", note)
        page.on("pageerror", lambda error: errors.append(str(error)))
        pages.append(page)
        return page

    yield opened
    boxes = [page.locator('[data-testid="stException"]').count() for page in pages]
    for page in pages:
        page.close()
    assert errors == []
    assert sum(boxes) == 0


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    """One page of usual size."""
    return new_page()


@pytest.fixture
def warm(dashboard: Dashboard, page: Page) -> Iterator[Dashboard]:
    """The dashboard with a worker that has trained before and waits for work; what a test left running is stopped after it."""
    page.goto(dashboard.url)
    page.wait_for_selector(READY)
    store = dashboard.store
    if not store.count():
        run_actions.submit(store, RunConfig(epochs=1, batch_size=1000))
    wait_until(lambda: not store.count(states=LIVE), "the end of all runs")
    wait_until(lambda: any(worker.state == "idle" for worker in store.workers()), "an idle worker")
    yield dashboard
    for run in store.runs(states=LIVE):
        with contextlib.suppress(IllegalTransition):  # it ended by itself
            run_actions.stop(store, run.id)


def _is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=1) as answer:  # noqa: S310 - an address of this machine
            return bool(answer.status == 200)
    except OSError:
        return False


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server as Ctrl+C does, and whatever of its children is still there after that."""
    family = psutil.Process(server.pid).children(recursive=True) if server.poll() is None else []
    server.terminate()
    server.wait(30)
    _, left = psutil.wait_procs(family, timeout=20)
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=10)
