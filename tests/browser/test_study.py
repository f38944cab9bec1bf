"""A search in a real Chromium: compose it from a preset, launch it, watch it, steer it, stop it, open its best run, reload."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from mnist_dash.search.actions import steering
from mnist_dash.search.definition.space import Choice
from mnist_dash.search.studies import study_store
from mnist_dash.search.studies.records import StudyState, TrialState
from tests.waiting import wait_until

from .conftest import READY, Dashboard

SLICES = ".st-key-study_slices .live-plot"


@pytest.fixture
def clean(warm: Dashboard) -> Iterator[Dashboard]:
    """The dashboard with an idle worker; studies that a test left running are stopped after it."""
    yield warm
    for study in study_store.all_studies(warm.store, live=True):
        steering.stop(warm.store, study.id, cancel=True)
        wait_until(
            lambda: not study_store.all_studies(warm.store, live=True), "the end of the study"
        )


def launch(page: Page, dashboard: Dashboard) -> str:
    """Compose a study of two settings from the first preset, launch it and return its id."""
    page.goto(f"{dashboard.url}/studies?new=1")
    page.wait_for_selector(READY)
    page.get_by_role(
        "button", name="Batch size", exact=True
    ).click()  # the learning rate is explored from the start
    expect(page.get_by_text("2 hyperparameters")).to_be_visible()
    page.get_by_role("textbox", name="Epochs per trial").fill("1")
    page.get_by_role("textbox", name="Epochs per trial").press("Enter")
    launching = page.get_by_role("button", name="Launch study")
    expect(launching).to_be_enabled()
    launching.click()
    page.wait_for_url("**/study?study=*")
    study_id = page.url.split("study=")[1].split("&")[0]
    assert study_store.find(dashboard.store, study_id).definition.space.base.epochs == 1
    return study_id


def click_centre(page: Page, point: Locator) -> None:
    """Click a drawn point, whatever lies above it."""
    box = point.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def drag(page: Page, selector: str, *, low: float, high: float) -> None:
    """Drag a box over the whole height of a chart's first plot, between two shares of its width."""
    plot = page.locator(f"{selector} .nsewdrag").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + low * box["width"], box["y"] + 5)
    page.mouse.down()
    page.mouse.move(
        box["x"] + 0.5 * (low + high) * box["width"], box["y"] + 0.5 * box["height"], steps=5
    )
    page.mouse.move(box["x"] + high * box["width"], box["y"] + box["height"] - 5, steps=5)
    page.mouse.up()


def test_search_from_launch_to_reload(clean: Dashboard, page: Page) -> None:
    """Trials appear by themselves; a brushed part is searched alone; more trials, stop, the best run, and a reload with all as left."""
    study_id = launch(page, clean)
    expect(page.get_by_text("running").first).to_be_visible()
    drawn = page.locator(".st-key-study_history .live-plot[data-draws]")
    expect(drawn).to_be_attached()
    wait_until(
        lambda: study_store.counts(clean.store, study_id).get(TrialState.COMPLETE, 0) >= 3,
        "three trials",
    )
    trials = (
        page.get_by_test_id("stMetric")
        .filter(has_text="Trials")
        .first.get_by_test_id("stMetricValue")
    )
    expect(trials).to_have_text(re.compile(r"[4-9]"))
    page.get_by_role("radio", name="hyperparameters").click()
    page.wait_for_selector(f"{SLICES}[data-draws]")
    drag(page, SLICES, low=0.3, high=0.7)
    page.get_by_role("button", name="Narrow the range").click()
    expect(page.get_by_text("Marked:")).to_be_hidden()
    narrowed = study_store.find(clean.store, study_id).definition.space.parameters[0]
    assert not isinstance(narrowed, Choice)
    former = next(
        event.former for event in study_store.events(clean.store, study_id) if event.former
    )
    assert f'"high":{narrowed.high}' not in former
    page.get_by_role("button", name="More trials").click()
    page.get_by_label("Number of trials").fill("3")
    page.get_by_role("button", name="Add trials").click()
    wait_until(
        lambda: study_store.find(clean.store, study_id).definition.budget.trials == 33,
        "33 trials wanted",
    )
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Stop running trials").click()
    wait_until(
        lambda: study_store.find(clean.store, study_id).state is StudyState.STOPPED,
        "the study is stopped",
    )
    expect(page.get_by_text("Stopped by hand.")).to_be_visible()
    page.reload()
    page.wait_for_selector(READY)
    expect(page.get_by_text("Stopped by hand.")).to_be_visible()
    expect(page.get_by_text("Single hyperparameters")).to_be_visible()  # the view that was left
    page.get_by_role("radio", name="time").click()
    expect(page.get_by_text("Searches only here").first).to_be_visible()
    page.get_by_role("link", name=re.compile(r"Trial \d+")).first.click()
    page.wait_for_url("**/run?run=*")
    expect(page.get_by_role("link", name=re.compile("of study"))).to_be_visible()
    best = max(
        trial.figures[0] for trial in study_store.trials(clean.store, study_id) if trial.figures
    )
    run_id = page.url.split("run=")[1].split("&")[0]
    assert clean.store.run(run_id).last_val_accuracy == best


@pytest.mark.slow
def test_selection_survives_charts_ticks_and_reload(clean: Dashboard, page: Page) -> None:
    """A clicked point is selected in every chart, while the study goes on, and after a reload."""
    study_id = launch(page, clean)
    wait_until(
        lambda: study_store.counts(clean.store, study_id).get(TrialState.COMPLETE, 0) >= 2,
        "two trials",
    )
    page.wait_for_selector(".st-key-study_history .live-plot[data-draws]")
    points = page.locator(".st-key-study_history .scatterlayer .point")
    expect(
        points.nth(1)
    ).to_be_visible()  # both, so that no tick moves them before the next trial ends
    plot = page.locator(".st-key-study_history .nsewdrag")
    place = plot.bounding_box()
    click_centre(page, points.last)
    expect(page.get_by_text("1 selected trial")).to_be_visible()
    assert plot.bounding_box() == place  # a click moves no chart
    n_before = len(study_store.trials(clean.store, study_id))
    wait_until(lambda: len(study_store.trials(clean.store, study_id)) > n_before, "another trial")
    expect(page.get_by_text("1 selected trial")).to_be_visible()
    page.get_by_role("radio", name="trials").click()
    expect(page.get_by_text("1 selected trial")).to_be_visible()
    page.reload()
    page.wait_for_selector(READY)
    expect(page.get_by_text("1 selected trial")).to_be_visible()
