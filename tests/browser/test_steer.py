"""Steering a run in a real Chromium: fork it and see the branch, pause it and let it go on, take the coach's advice."""

from __future__ import annotations

import re

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
    batch_size=100,
    epochs=5,
)
CHART = ".st-key-run_curves_chart .live-plot"


def open_run(page: Page, dashboard: Dashboard, run_id: str) -> None:
    """Open a run's page."""
    page.goto(f"{dashboard.url}/run?run={run_id}")
    page.wait_for_selector(READY)


def test_fork_at_epoch_3_shows_its_branch(warm: Dashboard, page: Page) -> None:
    """A tenth of the rate from epoch 3 on: the child's line lies on the parent's until there, the branch is marked, both are linked."""
    parent = run_actions.submit(warm.store, SMALL)
    wait_until(lambda: warm.store.run(parent).state is RunState.FINISHED, "the parent's end")
    open_run(page, warm, parent)
    page.locator(".st-key-steer_fork").get_by_role("button").first.click()
    epoch = page.get_by_role("spinbutton", name="Fork after epoch")
    epoch.fill("3")
    epoch.press("Enter")
    expect(page.get_by_text("starts from the checkpoint of epoch 3")).to_be_visible()
    rate = page.get_by_role("textbox", name="Learning rate")
    rate.fill("1e-4")
    rate.press("Enter")
    page.get_by_role("button", name="Start fork").click()
    page.wait_for_url(lambda url: "run=" in url and parent not in url)
    child = page.url.split("run=")[1].split("&")[0]
    wait_until(lambda: warm.store.run(child).state is RunState.FINISHED, "the fork's end")
    page.reload()
    page.wait_for_selector(READY)
    page.wait_for_selector(f'{CHART}[data-points]:not([data-points="0"])')
    lines = {
        line["name"]: line["y"]
        for line in page.locator(CHART).evaluate(
            "node => node._fullData.map(({name, y}) => ({name, y: [...y]}))"
        )
    }
    before = next(
        y
        for name, y in lines.items()
        if name.endswith(f"{warm.store.run(parent).title}, validation")
    )
    own = lines["validation"]
    assert own[:3] == before[:3]
    assert own[3] != before[3]
    assert page.locator(CHART).evaluate("node => node.layout.shapes.map(shape => shape.x0)") == [3]
    said = page.locator(CHART).evaluate("node => node.layout.annotations[0].hovertext")
    assert "learning rate 0.001 → 0.0001" in said
    expect(
        page.get_by_role("link", name=f"From {warm.store.run(parent).title} after epoch 3")
    ).to_be_visible()
    open_run(page, warm, parent)
    expect(
        page.get_by_role(
            "link", name=re.compile(rf"{re.escape(warm.store.run(child).title)} after epoch 3")
        )
    ).to_be_visible()


@pytest.mark.slow
def test_pause_and_resume(warm: Dashboard, page: Page) -> None:
    """Pause frees the worker at the end of the epoch, Resume lets the run go on to its end with every epoch once."""
    run_id = run_actions.submit(warm.store, SMALL.model_copy(update={"epochs": 500}))
    wait_until(lambda: warm.store.run(run_id).epoch >= 1, "an epoch")
    open_run(page, warm, run_id)
    page.get_by_role("button", name="Pause", exact=True).click()
    resume = page.get_by_role("button", name="Resume")
    expect(resume).to_be_visible()
    paused = warm.store.run(run_id)
    assert paused.state is RunState.PAUSED
    wait_until(
        lambda: any(worker.state == "idle" for worker in warm.store.workers()), "a free worker"
    )
    page.wait_for_selector(READY)
    resume.click()
    wait_until(lambda: warm.store.run(run_id).epoch > paused.epoch, "an epoch after the pause")
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    page.locator(".st-key-run_stop").get_by_role("button").click()
    wait_until(lambda: warm.store.run(run_id).state is RunState.STOPPED, "the stop")
    epochs = warm.store.history(run_id).epochs["epoch"].tolist()
    assert epochs == list(range(1, len(epochs) + 1))
    expect(page.get_by_text("History of the configuration")).to_be_visible()
