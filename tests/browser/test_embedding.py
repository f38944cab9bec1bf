"""The embedding in a real Chromium: computed beside the page, and one selection with the confusion matrix."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from mnist_dash.core.analysis.evaluation import confusion_matrix, ranked_images
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.data.idx import read_labels
from mnist_dash.figures.run.embedding import FADED
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.states import RunState
from tests.waiting import wait_until

from .conftest import READY, Dashboard

pytestmark = pytest.mark.slow

CHART = ".st-key-emb_chart .live-plot"
BRIGHT = f"""node => node.data.flatMap(trace =>
    trace.customdata.filter((_, index) => trace.marker.opacity[index] > {FADED})).sort((a, b) => a - b)"""
PLACE = """(node, image) => {
    const trace = node.data.find(candidate => candidate.customdata.includes(image))
    const index = trace.customdata.indexOf(image), box = node.getBoundingClientRect(), { xaxis, yaxis } = node._fullLayout
    return [box.left + xaxis._offset + xaxis.l2p(trace.x[index]), box.top + yaxis._offset + yaxis.l2p(trace.y[index])]
}"""


def test_embedding_is_computed_and_linked(warm: Dashboard, page: Page) -> None:
    """Pressing Compute brings the picture; a cell's images are its bright dots; a clicked dot is selected, and the address keeps it."""
    run_id = run_actions.submit(warm.store, RunConfig(epochs=1, batch_size=1000))
    wait_until(lambda: warm.store.run(run_id).state is RunState.FINISHED, "the run's end")
    labels = read_labels("mnist", "test", warm.store.settings.data_dir)
    probabilities = artifacts.read_probabilities(
        warm.store, run_id, ArtifactKind.TEST_PROBABILITIES
    )
    confusion = confusion_matrix(labels[:500], probabilities[:500])
    confusion[range(10), range(10)] = 0
    true, predicted = divmod(int(confusion.argmax()), 10)

    page.goto(f"{warm.url}/run?run={run_id}&view=embedding&emb_n=500&true={true}&pred={predicted}")
    page.wait_for_selector(READY)
    page.get_by_role("button", name="Compute").click()
    chart = page.locator(CHART)
    expect(chart).to_have_attribute("data-points", "500")
    wanted = [
        image
        for image in sorted(
            ranked_images(labels, probabilities, true=true, predicted=predicted).tolist()
        )
        if image < 500
    ]
    assert wanted
    assert chart.evaluate(BRIGHT) == wanted

    chart.scroll_into_view_if_needed()
    page.mouse.move(*[place + 1 for place in chart.evaluate(PLACE, wanted[0])])
    expect(page.locator(".thumbnail")).to_be_visible()
    page.mouse.click(*chart.evaluate(PLACE, wanted[0]))
    expect(page.get_by_text("10 nearest neighbours")).to_be_visible()
    chosen = int(page.url.split("image=")[1].split("&")[0])
    expect(page.get_by_text(f"Test image {chosen:,}: true")).to_be_visible()
    page.reload()
    expect(page.get_by_text(f"Test image {chosen:,}: true")).to_be_visible()
    expect(chart).to_have_attribute("data-points", "500")
    assert chart.evaluate(BRIGHT) == wanted
