"""Why a run errs, in a real Chromium: a clicked cell, its images, the same view after a reload, and a threshold that is dragged."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from mnist_dash.core.analysis.evaluation import confusion_matrix, ranked_images
from mnist_dash.core.analysis.thresholds import threshold_figures, threshold_images
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.data.idx import read_labels
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.states import RunState
from tests.waiting import wait_until

from .conftest import READY, Dashboard

pytestmark = pytest.mark.slow

CHART = ".st-key-run_confusion_chart"
NUDGES = 20


def click_cell(page: Page, true: int, predicted: int) -> None:
    """Click the middle of a cell of the confusion matrix."""
    expect(page.locator(f"{CHART} .heatmap-label").first).to_be_visible()
    area = page.locator(f"{CHART} .nsewdrag")
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    assert box is not None
    page.mouse.click(
        box["x"] + (predicted + 0.5) * box["width"] / 10,
        box["y"] + (true + 0.5) * box["height"] / 10,
    )


def images(page: Page, key: str, n: int) -> list[int]:
    """List the n images of a grid in their order."""
    tiles = page.locator(f".st-key-{key} .tile")
    expect(tiles).to_have_count(n)
    return [int(tile.get_attribute("data-image") or -1) for tile in tiles.all()]


def figure(page: Page, label: str) -> Locator:
    """Find a figure of the page."""
    metric = page.get_by_test_id("stMetric").filter(has=page.get_by_text(label, exact=True))
    return metric.get_by_test_id("stMetricValue")


def test_cell_images_and_threshold(warm: Dashboard, page: Page) -> None:
    """The images of a clicked cell are exactly its own and the address brings them back; the figures follow the threshold."""
    run_id = run_actions.submit(warm.store, RunConfig(epochs=1, batch_size=1000))
    wait_until(lambda: warm.store.run(run_id).state is RunState.FINISHED, "the run's end")
    labels = read_labels("mnist", "test", warm.store.settings.data_dir)
    probabilities = artifacts.read_probabilities(
        warm.store, run_id, ArtifactKind.TEST_PROBABILITIES
    )
    confusion = confusion_matrix(labels, probabilities)
    wanted = ranked_images(labels, probabilities, true=4, predicted=9)
    assert len(wanted) == confusion[4, 9] > 0

    page.goto(f"{warm.url}/run?run={run_id}")
    page.wait_for_selector(READY)
    click_cell(page, 4, 9)
    expect(page.get_by_text(f"4 predicted as 9: {len(wanted)} image")).to_be_visible()
    assert images(page, "cell_images", len(wanted)) == wanted.tolist()
    assert "true=4" in page.url
    assert "pred=9" in page.url
    page.locator(".st-key-cell_images .tile").first.click()
    expect(page.get_by_text(f"Test image {wanted[0]:,}")).to_be_visible()
    page.reload()
    expect(page.get_by_text(f"Test image {wanted[0]:,}")).to_be_visible()
    assert images(page, "cell_images", len(wanted)) == wanted.tolist()

    page.get_by_role("button", name="Rank by margin").click()
    expect(page.get_by_role("heading", name="Worst errors")).to_be_visible()
    assert images(page, "worst_errors", min(6, len(wanted))) == wanted[:6].tolist()

    page.get_by_role("slider", name="Decision threshold for class 0").focus()
    for _ in range(NUDGES):
        page.keyboard.press("ArrowLeft")
    page.wait_for_url("**threshold=0.3*")
    found = threshold_figures(labels, probabilities, 0, 0.3)
    expect(
        page.get_by_text(f"of {found.true_positives + found.false_positives:,} predicted 0")
    ).to_be_visible()
    expect(figure(page, "False positives")).to_have_text(f"{found.false_positives:,}")
    expect(figure(page, "False negatives")).to_have_text(f"{found.false_negatives:,}")
    expect(page.locator(".st-key-threshold_images .tile")).to_have_count(
        len(threshold_images(labels, probabilities, 0, 0.3).flipped)
    )
    page.wait_for_function(
        "() => document.querySelector('.st-key-probability_chart .live-plot').layout.shapes[0].x0 === 0.3"
    )

    page.goto(f"{warm.url}/run?run={run_id}&true=4&pred=9")
    page.wait_for_selector(READY)
    click_cell(page, 4, 9)
    expect(page.locator(".st-key-cell_images")).to_have_count(0)
    page.wait_for_function("() => !location.search.includes('true=')")
