"""A race in a real Chromium: the click, all curves that move on one chart, a value that is dropped, the outcome of the rest."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from mnist_dash.runs.store.states import RunState
from mnist_dash.search.studies import study_store
from mnist_dash.search.studies.records import StudyState, TrialState
from tests.waiting import wait_until

from .conftest import READY, Dashboard

pytestmark = pytest.mark.slow
MOVING = """node => (node.data ?? []).filter(
    trace => trace.mode === "lines" && trace.meta?.shade !== undefined && trace.x.filter(place => place !== null).length > 1).length"""
POINTS = """node => (node.data ?? []).filter(trace => trace.mode === "markers" && trace.meta?.shade !== undefined).length"""
COLORS = """node => node.data
    .filter(trace => trace.meta?.shade !== undefined && trace.mode === "markers")
    .map(trace => trace.marker.color)"""


def test_race_from_the_click_to_its_outcome(warm: Dashboard, page: Page) -> None:
    """Four learning rates move at the same time; one is dropped; the others' outcome stands on its chart, and a reload brings it back."""
    page.goto(
        f"{warm.url}/?preset=mlp_quick&set=epochs=3&set=layers.1.units=64&set=layers.2.units=64"
    )
    page.wait_for_selector(READY)
    page.get_by_role("button", name="Race").click()
    page.get_by_role("textbox", name="Values").fill("0.0001, 0.001, 0.01, 0.1")
    page.get_by_role("textbox", name="Values").press("Enter")
    starting = page.get_by_role("button", name="Start race")
    expect(page.get_by_text("4 runs train in turns")).to_be_visible()
    starting.click()
    page.wait_for_url("**/study?study=*")
    study_id = page.url.split("study=")[1].split("&")[0]
    curves = page.locator(".st-key-study_race .live-plot")
    wait_until(
        lambda: curves.count() == 1 and curves.evaluate(MOVING) == 4, "four curves that move"
    )
    running = warm.store.runs(states=[RunState.RUNNING])
    assert len(running) == 4
    page.get_by_role("button", name="Stop", exact=True).last.click()
    wait_until(
        lambda: study_store.counts(warm.store, study_id).get(TrialState.STOPPED) == 1,
        "the end of the dropped one",
    )
    wait_until(
        lambda: study_store.find(warm.store, study_id).state is StudyState.FINISHED,
        "the end of the race",
    )
    expect(page.get_by_text("All 4 points of the grid are done.")).to_be_visible()
    outcome = page.locator(".st-key-study_outcome .live-plot")
    wait_until(lambda: outcome.evaluate(POINTS) >= 3, "the outcome")
    assert len(set(outcome.evaluate(COLORS))) == outcome.evaluate(POINTS)  # a colour a value
    page.reload()
    page.wait_for_selector(".st-key-study_outcome .live-plot[data-draws]")
    wait_until(lambda: outcome.evaluate(POINTS) >= 3, "the outcome again")
    expect(page.locator(".st-key-study_outcome")).to_contain_text(re.compile(r"0\.001"))
