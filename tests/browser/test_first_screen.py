"""What people came for is on the first screen: the charts of a run, live and ended, on a desk and on a phone; and whole ticks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from mnist_dash.core.config.run_config import RunConfig, TailSplit
from mnist_dash.core.layers import Dense, Flatten
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store.states import RunState
from tests.waiting import wait_until

from .conftest import READY, Dashboard

SMALL = RunConfig(
    layers=(Flatten(), Dense(units=16), Dense(units=10, activation="softmax")),
    split=TailSplit(fraction=0.5),
    batch_size=500,
    epochs=2,
)
# Later, because what a debugger evaluates at once is exempt from the policy.
MADE_OF_TEXT = """() => new Promise((resolve, reject) => setTimeout(() => {
    try { resolve(new Function("return 1")()); } catch (error) { reject(error); }
}))"""
CHART = ".st-key-run_curves_chart .live-plot"
PLOTS = f"{CHART} .nsewdrag"
"""The area of each of the two charts."""


def bottoms(page: Page) -> list[float]:
    """Say where the charts of loss and of accuracy end, in pixels from the top of the screen."""
    page.wait_for_selector(f'{CHART}[data-points]:not([data-points="0"])')
    expect(page.locator(PLOTS)).to_have_count(2)
    return sorted(
        page.locator(PLOTS).evaluate_all(
            "nodes => nodes.map(node => node.getBoundingClientRect().bottom)"
        )
    )


def open_run(page: Page, dashboard: Dashboard, run_id: str) -> None:
    """Open a run's page."""
    page.goto(f"{dashboard.url}/run?run={run_id}")
    page.wait_for_selector(READY)


@pytest.mark.parametrize("is_live", [True, False])
def test_the_charts_stand_on_the_first_screen(
    warm: Dashboard, new_page: Callable[..., Page], *, is_live: bool
) -> None:
    """Both at 1280 by 800, at least the first one at 390 by 844; and the page can be scrolled to the rest."""
    run_id = run_actions.submit(
        warm.store, SMALL.model_copy(update={"epochs": 500 if is_live else 2})
    )
    wait_until(lambda: warm.store.run(run_id).epoch >= 1, "an epoch")
    if not is_live:
        wait_until(lambda: warm.store.run(run_id).state is RunState.FINISHED, "the run's end")
    wide, phone = new_page(width=1280, height=800), new_page(width=390, height=844)
    for page, seen in ((wide, 2), (phone, 1)):
        open_run(page, warm, run_id)
        assert bottoms(page)[seen - 1] < page.viewport_size["height"]  # type: ignore[index]
    tops = wide.locator(CHART).evaluate(
        "node => [node.getBoundingClientRect().top, node.getBoundingClientRect().height]"
    )
    assert tops[1] > 400


@pytest.mark.parametrize("epochs", [2, 3, 7])
def test_ticks_of_epochs_are_whole(warm: Dashboard, page: Page, epochs: int) -> None:
    """As the browser prints them: each number once, none for half an epoch."""
    run_id = run_actions.submit(warm.store, SMALL.model_copy(update={"epochs": epochs}))
    wait_until(lambda: warm.store.run(run_id).state is RunState.FINISHED, "the run's end")
    open_run(page, warm, run_id)
    bottoms(page)
    assert page.locator(f"{CHART} .xtick text").all_text_contents() == [
        str(epoch) for epoch in range(epochs + 1)
    ]


def test_pages_may_draw_with_webgl(warm: Dashboard, page: Page) -> None:
    """Plotly makes functions of text for charts of many points; where the server's policy forbids that, they stay empty."""
    page.goto(warm.url)
    assert page.evaluate(MADE_OF_TEXT) == 1


@pytest.mark.slow
def test_full_range_shows_the_first_batches(warm: Dashboard, page: Page) -> None:
    """What the range leaves out is one click away, and one click back."""
    run_id = run_actions.submit(warm.store, RunConfig(epochs=3))
    wait_until(lambda: warm.store.run(run_id).state is RunState.FINISHED, "the run's end")
    open_run(page, warm, run_id)
    bottoms(page)
    high = f"() => document.querySelector('{CHART}')._fullLayout.yaxis.range[1]"
    highest = warm.store.history(run_id).steps["loss"].max()
    usual = page.evaluate(high)
    assert usual < highest
    page.get_by_role("button", name="Full range").click()
    page.wait_for_function(f"() => ({high})() >= {highest}")
    page.get_by_role("button", name="Usual range").click()
    page.wait_for_function(f"() => ({high})() === {usual}")
