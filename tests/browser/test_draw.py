"""A 3 drawn with the mouse is recognised, undone, kept, and in the link."""

from __future__ import annotations

import math

import pytest
from playwright.sync_api import Page, expect

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.runs.actions import drawings, run_actions
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.states import RunState
from tests.waiting import wait_until

from .conftest import READY, Dashboard

pytestmark = pytest.mark.slow


@pytest.fixture
def trained(warm: Dashboard) -> Run:
    """A run that has trained long enough to know a 3."""
    run_id = run_actions.submit(warm.store, RunConfig(epochs=1))
    wait_until(lambda: warm.store.run(run_id).state.is_terminal, "the run's end")
    run = warm.store.run(run_id)
    assert run.state is RunState.FINISHED
    return run


def draw_three(page: Page) -> None:
    """Draw two arcs with the mouse, as one stroke."""
    box = page.locator(".st-key-draw_canvas canvas").bounding_box()
    assert box is not None
    x, y, size = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, 0.32 * box["height"]
    steps = [index / 14 for index in range(15)]
    upper = [
        (0.4 * math.sin(t), -0.5 - 0.5 * math.cos(t))
        for t in (-1.1 + step * (math.pi + 1.1) for step in steps)
    ]
    lower = [
        (0.5 * math.sin(t), 0.5 - 0.5 * math.cos(t))
        for t in (step * (math.pi + 1.1) for step in steps)
    ]
    points = [(x + size * right, y + size * down) for right, down in upper + lower]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point)
    page.mouse.up()


def test_a_drawn_three_is_recognised_and_kept(warm: Dashboard, trained: Run, page: Page) -> None:
    """The answer comes when the stroke ends; undo takes it back; the link holds it; kept, it scores the runs."""
    page.goto(warm.url)
    page.get_by_role("link", name="Draw").click()
    expect(page.get_by_role("heading", name="Draw a digit")).to_be_visible()
    page.wait_for_selector(READY)
    answer = page.get_by_test_id("stMetricValue")
    expect(answer).to_have_count(0)
    draw_three(page)
    expect(answer).to_have_text("3")
    expect(page.locator(".st-key-draw_nearest button")).to_have_count(10)
    page.get_by_role("button", name="Undo stroke").click()
    expect(answer).to_have_count(0)
    draw_three(page)
    expect(answer).to_have_text("3")
    page.wait_for_url("**drawing=*")
    page.reload()
    expect(answer).to_have_text("3")
    page.locator(".st-key-draw_label").get_by_text("3", exact=True).click()
    expect(page.get_by_text("Accuracy on your 1 drawing")).to_be_visible()
    expect(answer).to_have_count(0)
    assert [drawing.label for drawing in drawings.kept(warm.store)] == [3]
    page.locator(".st-key-draw_kept button").click()
    page.get_by_role("button", name="Delete drawing").click()
    expect(page.get_by_role("button", name="Undo", exact=True)).to_be_visible()
    assert drawings.kept(warm.store) == ()
