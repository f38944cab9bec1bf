"""Jumping anywhere with the keyboard alone, in a real Chromium; a text field keeps its letters."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store.run_store import update

from .conftest import READY, Dashboard

OPEN = ".jump-palette[open]"
CHOSEN = ".jump-palette li[aria-selected=true]"
TICK_AGAIN = """
const Native = window.WebSocket;
window.WebSocket = class extends Native {
  send(message) {
    super.send(message);
    if (window.leaving) setTimeout(tick => super.send(tick), 200, window.last);
    window.leaving = false;
    window.last = message;
  }
};
"""
"""Sends a page's last message once more, a fifth of a second after the one with which a person leaves it."""


def test_keyboard_alone_leads_to_a_run_a_page_and_a_network(warm: Dashboard, page: Page) -> None:
    """Type a name with markup in it, choose with the arrows, open with Enter; then a page by two letters, and a network."""
    run_id = run_actions.submit(warm.store, RunConfig(epochs=1, batch_size=1000, seed=77))
    with warm.store.writing() as connection:
        update(connection, run_id, name="<b>zebra</b> *one*")
    page.goto(f"{warm.url}/data")
    page.wait_for_selector(READY)
    page.wait_for_selector(".jump-open")
    page.keyboard.press("Control+k")
    page.wait_for_selector(OPEN)
    page.keyboard.type("zebra")
    expect(page.locator(f"{CHOSEN} .title")).to_have_text(f"<b>zebra</b> *one* ({run_id})")
    page.keyboard.press("ArrowDown")  # one place only: round to itself
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/run?run={run_id}")
    page.wait_for_selector(READY)
    expect(page.locator(OPEN)).to_have_count(0)
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/runs*")
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("two dense layers")
    expect(page.locator(f"{CHOSEN} .title")).to_contain_text("Two dense layers")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?preset=mlp_quick*")


@pytest.mark.slow
def test_leaving_a_page_that_draws_itself_anew(warm: Dashboard, page: Page) -> None:
    """A live run's page asks for news every second; that it asks while a person leaves is no answer for the page that comes."""
    run_id = run_actions.submit(warm.store, RunConfig(epochs=100, batch_size=500))
    page.add_init_script(TICK_AGAIN)
    page.goto(f"{warm.url}/run?run={run_id}")
    page.wait_for_selector(".st-key-run_curves_chart .live-plot[data-draws]")
    page.wait_for_timeout(2500)  # its last message asks for news
    page.evaluate("window.leaving = true")
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/runs*")
    page.wait_for_timeout(3000)  # the list asks for news, too
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()


@pytest.mark.slow
def test_sheet_opens_and_closes_and_typing_is_typing(warm: Dashboard, page: Page) -> None:
    """The sheet lists what the table has; in a text field letters are letters, and only Ctrl+K works there."""
    page.goto(warm.url)
    page.wait_for_selector(READY)
    page.wait_for_selector(".jump-open")
    page.keyboard.press("?")
    expect(page.locator(".jump-sheet[open]")).to_contain_text("Go to Studies")
    page.keyboard.press("Escape")
    expect(page.locator(".jump-sheet[open]")).to_have_count(0)
    field = page.get_by_role("textbox", name="Learning rate")
    field.fill("")
    field.press_sequentially("/?gs")
    expect(field).to_have_value("/?gs")
    expect(page.locator("dialog[open]")).to_have_count(0)
    assert "/studies" not in page.url
    field.press("Control+k")
    page.wait_for_selector(OPEN)
    page.keyboard.type("no such thing anywhere")
    expect(page.locator(".jump-status")).to_have_text("No results. Try fewer words.")
    page.keyboard.press("Enter")  # nothing to open
    expect(page.locator(OPEN)).to_have_count(0)


def test_a_phone_has_a_button(warm: Dashboard, new_page: Callable[..., Page]) -> None:
    """It opens the same palette, which fits the screen."""
    phone = new_page(width=390, height=844, scheme="dark")
    phone.goto(f"{warm.url}/runs")
    phone.wait_for_selector(READY)
    phone.locator(".jump-open").click()  # the table of runs has a button of that name too
    phone.wait_for_selector(OPEN)
    box = phone.locator(OPEN).bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    phone.get_by_role("option").filter(has_text="System").click()
    phone.wait_for_url("**/system*")
