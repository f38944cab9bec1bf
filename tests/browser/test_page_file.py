"""Pages that were taken along, opened from the disk by a Chromium without a network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page

from mnist_dash.reports.run_report import comparison_html, run_html
from mnist_dash.reports.study_report import study_html
from mnist_dash.runs.store.run_store import Store, update
from mnist_dash.settings import Settings
from tests.search_rows import fill
from tests.trained import TINY, train_into

pytestmark = pytest.mark.slow


@pytest.fixture
def pages(tmp_path: Path) -> dict[str, bytes]:
    """A run with a harmful name, a comparison and a study."""
    store = Store.open(Settings.from_environment({"MNIST_DASH_HOME": str(tmp_path / "home")}))
    try:
        runs = [train_into(store, TINY.model_copy(update={"seed": seed})).id for seed in (0, 1)]
        with store.writing() as connection:
            update(
                connection,
                runs[0],
                name="</script><script>alert(1)</script><img src=x onerror=alert(2)>\x07",
            )
        makers: dict[str, Callable[[], bytes]] = {
            "run": lambda: run_html(store, runs[0]),
            "comparison": lambda: comparison_html(store, runs),
            "study": lambda: study_html(store, fill(store, 100)),
        }
        return {name: make() for name, make in makers.items()}
    finally:
        store.close()


def watch(page: Page) -> tuple[list[str], list[str]]:
    """Note what goes wrong on a page, dialogs included, and what it asks for."""
    wrong: list[str] = []
    asked: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error":
            wrong.append(message.text)

    def answer(dialog: Dialog) -> None:
        wrong.append(dialog.message)
        dialog.dismiss()

    page.on("console", hear)
    page.on("dialog", answer)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    return wrong, asked


def test_opens_without_a_network(browser: Browser, pages: dict[str, bytes], tmp_path: Path) -> None:
    """Every chart is drawn, on a phone in the dark too; nothing is fetched, no console error, and no script of a name runs."""
    for name, content in pages.items():
        path = tmp_path / f"{name}.html"
        path.write_bytes(content)
        context = browser.new_context(
            offline=True, color_scheme="dark", viewport={"width": 390, "height": 844}
        )
        try:
            page = context.new_page()
            wrong, asked = watch(page)
            page.goto(path.as_uri())
            n_charts = page.locator(".chart").count()
            assert n_charts >= 4
            page.wait_for_function(
                "n => document.querySelectorAll('.chart .main-svg:first-child').length >= n",
                arg=n_charts,
            )
            assert page.evaluate("document.documentElement.scrollWidth") == 390, (
                "it scrolls sideways"
            )
            page.emulate_media(color_scheme="light")
            page.emulate_media(media="print")
            assert wrong == []
            assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
        finally:
            context.close()
