"""How long the first person waits: from the server's start to the first page, and from the first click ever to the first point of a curve.

    python -m tests.benchmarks.bench_first_click [--rounds N] [--up SECONDS ...] [--entry FILE]

Each round serves an empty home with a new server, so nothing is warm: no database, no worker, no benchmark of the device. The browser
runs already. Train is clicked without choosing anything, when the server has answered for so many seconds and nobody has visited it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import FLAGS, READY, free_port
from tests.browser.test_dashboard import DRAWN
from tests.source_tree import ROOT

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")


@contextmanager
def serve(home: Path, port: int, entry: str) -> Iterator[float]:
    """Start a server and give the moment of its start as soon as it answers."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("MNIST_DASH")
    } | {"MNIST_DASH_HOME": str(home)}
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        entry,
        "--server.port",
        str(port),
        "--server.headless",
        "true",
    ]
    started = time.perf_counter()
    with (
        (home / "server.log").open("wb") as log,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log) as server,
    ):
        try:
            while not answers(port):
                time.sleep(0.02)
            yield started
        finally:
            family = psutil.Process(server.pid).children(recursive=True)
            server.terminate()
            server.wait(30)
            for process in psutil.wait_procs(family, timeout=20)[1]:
                process.kill()


def answers(port: int) -> bool:
    """Say whether the server answers."""
    try:
        with urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def measure(browser: Browser, seconds_up: float, entry: str) -> tuple[float, float, float]:
    """Give the seconds from the start to the first answer, from opening the page to the page, and from the click to the first point."""
    with (
        tempfile.TemporaryDirectory(prefix="first-click-") as home,
        serve(Path(home), port := free_port(), entry) as started,
    ):
        answered = time.perf_counter() - started
        time.sleep(seconds_up)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        opened = time.perf_counter()
        page.goto(f"http://localhost:{port}/")
        train = page.get_by_role("button", name="Train")
        train.wait_for(timeout=60_000)
        shown = time.perf_counter() - opened
        page.wait_for_selector(READY, timeout=60_000)
        clicked = time.perf_counter()
        train.click()
        page.wait_for_selector(DRAWN, timeout=60_000)
        moved = time.perf_counter() - clicked
        page.close()
        return answered, shown, moved


def main() -> None:
    """Print each round and the medians."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench_first_click")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--up", type=float, nargs="+", default=[0.0, 5.0], metavar="SECONDS")
    parser.add_argument("--entry", default="streamlit_app.py")
    parsed = parser.parse_args()
    print("up, s  start -> answer, s  opened -> page, s  click -> first point, s")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for seconds_up in parsed.up:
            rounds = [measure(browser, seconds_up, parsed.entry) for _ in range(parsed.rounds)]
            for name, row in (
                *((str(number + 1), one) for number, one in enumerate(rounds)),
                ("median", middle(rounds)),
            ):
                print(
                    f"{seconds_up:5.1f}  {row[0]:18.2f}  {row[1]:17.2f}  {row[2]:23.2f}  {name}",
                    flush=True,
                )
        browser.close()


def middle(rounds: list[tuple[float, float, float]]) -> tuple[float, float, float]:
    """Give the median of each column."""
    answered, shown, moved = (statistics.median(column) for column in zip(*rounds, strict=True))
    return answered, shown, moved


if __name__ == "__main__":
    main()
