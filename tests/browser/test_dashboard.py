"""What a person does, in a real Chromium: train, watch, zoom, stop, reload, share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.numpy
from playwright.sync_api import Page, expect

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store.states import RunState
from tests.waiting import wait_until

from .conftest import READY, Dashboard

SHORT, LONG = "/?preset=mlp_quick&set=epochs%3D1", "/?preset=mlp_quick&set=epochs%3D500"
SIZES = [
    (1280, "light"),
    (390, "dark"),
    pytest.param(1280, "dark", marks=pytest.mark.slow),
    pytest.param(390, "light", marks=pytest.mark.slow),
]
DRAWN = '.st-key-run_curves_chart .live-plot[data-points]:not([data-points="0"])'


def press_train(page: Page, dashboard: Dashboard, link: str) -> str:
    """Open a composition, press Train and return the run's id."""
    page.goto(dashboard.url + link)
    page.wait_for_selector(READY)
    page.get_by_role("button", name="Train").click()
    page.wait_for_url("**/run?run=*")
    return page.url.split("run=")[1].split("&")[0]


def confusion_total(page: Page) -> int:
    """Add up the numbers printed in the confusion matrix."""
    cells = page.locator(".st-key-run_confusion_chart .heatmap-label text")
    expect(cells.first).to_be_visible()  # an empty cell prints nothing
    return sum(int(text) for text in cells.all_text_contents() if text)


def cell(page: Page, *, row: int, x: int) -> tuple[float, float]:
    """Say where a row of the table of runs lies, which is drawn on a canvas."""
    table = page.get_by_test_id("stDataFrame")
    expect(table.locator("canvas").first).to_be_visible()
    box = table.bounding_box()
    assert box is not None
    return box["x"] + x, box["y"] + 35 + 40 * row + 20


def test_first_minute(warm: Dashboard, page: Page) -> None:
    """Open, press Train untouched: a curve moves at once, a confusion matrix stands at the end, and a reload shows the same."""
    page.goto(f"{warm.url}/?set=epochs=2")  # the untouched network, not for as long
    page.get_by_role("button", name="Train").click()
    page.wait_for_selector(DRAWN)
    expect(page.get_by_text("Confusion matrix")).to_be_visible()
    assert confusion_total(page) == 10_000
    accuracy = (
        page.get_by_test_id("stMetric")
        .filter(has_text="Test accuracy")
        .get_by_test_id("stMetricValue")
    )
    shown = accuracy.inner_text()
    page.reload()
    expect(accuracy).to_have_text(shown)
    assert confusion_total(page) == 10_000


def test_zoom_and_hidden_lines_outlive_the_ticks(warm: Dashboard, page: Page) -> None:
    """A person's view of a live chart is theirs; then Stop ends the run and keeps what it has."""
    run_id = press_train(page, warm, LONG)
    wait_until(lambda: warm.store.run(run_id).epoch >= 1, "the first epoch")
    chart = page.locator(".st-key-run_curves_chart .live-plot")
    expect(chart.locator(".legendtoggle")).to_have_count(6)
    area = chart.locator(".nsewdrag").first.bounding_box()
    assert area is not None
    page.mouse.move(area["x"] + 40, area["y"] + 20)
    page.mouse.down()
    page.mouse.move(area["x"] + 160, area["y"] + 120, steps=4)
    page.mouse.up()
    chart.locator(".legendtoggle").nth(2).click()
    visible = (
        "node => node._fullData.filter(trace => !trace.meta?.edge).map(trace => trace.visible)"
    )
    page.wait_for_function(
        "() => document.querySelector('.st-key-run_curves_chart .live-plot')._fullData[2].visible === 'legendonly'"
    )
    zoomed, shown = chart.evaluate("node => node.layout.xaxis.range"), chart.evaluate(visible)
    draws = int(chart.get_attribute("data-draws") or 0)
    page.wait_for_function(
        f"() => Number(document.querySelector('.st-key-run_curves_chart .live-plot').dataset.draws) >= {draws + 5}"
    )
    assert chart.evaluate("node => node.layout.xaxis.range") == zoomed
    assert chart.evaluate(visible) == shown
    page.locator(".st-key-run_stop").get_by_role(
        "button"
    ).click()  # Streamlit has a Stop of its own in its header
    expect(page.get_by_text("Confusion matrix")).to_be_visible()
    assert warm.store.run(run_id).state is RunState.STOPPED
    assert chart.evaluate("node => node.layout.xaxis.range") == zoomed


def test_ctrl_enter_trains(warm: Dashboard, page: Page) -> None:
    """The button has a key of its own."""
    page.goto(warm.url + SHORT)
    expect(page.get_by_role("button", name="Train")).to_be_enabled()
    page.get_by_role("textbox", name="Epochs").fill("2")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/run?run=*")
    (run,) = warm.store.runs(limit=1)
    assert run.config.epochs == 2
    wait_until(lambda: warm.store.run(run.id).state is RunState.FINISHED, "the run's end")


def test_double_click_is_one_run(warm: Dashboard, page: Page) -> None:
    """A hasty person trains once."""
    before = warm.store.count()
    page.goto(warm.url + SHORT)
    page.wait_for_selector(READY)
    page.get_by_role("button", name="Train").dblclick()
    page.wait_for_url("**/run?run=*")
    page.wait_for_selector(READY)
    assert warm.store.count() == before + 1


def test_typed_layers_are_in_the_link(
    warm: Dashboard, page: Page, new_page: Callable[..., Page]
) -> None:
    """Shape and parameters follow while a person types, and the address brings the view back in another browser."""
    units = page.get_by_role("textbox", name="Units")
    expect(units).to_have_count(3)
    units.first.fill("77")
    expect(page.get_by_text("→ 77 · 60,445 parameters")).to_be_visible()
    page.wait_for_url("**set=layers.1.units*")
    other = new_page()
    other.goto(page.url)
    expect(other.get_by_role("textbox", name="Units").first).to_have_value("77")


def test_bad_input_is_answered_in_place(warm: Dashboard, page: Page) -> None:
    """The sentence stands on the page and the button is out of use."""
    page.get_by_role("textbox", name="Epochs").fill("1e9")
    expect(page.get_by_text("1000000000 is too large (1 to 10,000).")).to_be_visible()
    expect(page.get_by_role("button", name="Train")).to_be_disabled()


@pytest.mark.slow
def test_downloads_the_weights(warm: Dashboard, page: Page, tmp_path: Path) -> None:
    """The file that a person gets is a whole safetensors file of the network."""
    run_id = press_train(page, warm, SHORT)
    page.locator(".st-key-run_export").get_by_role("button").first.click()
    button = page.get_by_role("button", name="Weights")
    expect(button).to_be_enabled()
    with page.expect_download() as download:
        button.click()
    download.value.save_as(tmp_path / "weights.safetensors")
    weights = safetensors.numpy.load_file(tmp_path / "weights.safetensors")
    assert sum(value.size for value in weights.values()) == warm.store.run(run_id).n_parameters


def test_opens_a_run_from_the_list(warm: Dashboard, page: Page) -> None:
    """The list leads to the run that was clicked."""
    run_id = run_actions.submit(warm.store, RunConfig(epochs=1, seed=7))
    page.goto(warm.url + "/system")
    page.get_by_role("link", name="Runs").click()
    expect(page.get_by_role("heading", name="Runs", exact=True)).to_be_visible()
    page.mouse.click(*cell(page, row=0, x=75))
    page.wait_for_url(f"**/run?run={run_id}*")
    expect(page.get_by_role("heading", name=run_id)).to_be_visible()


def test_deletes_the_ticked_run_and_brings_it_back(warm: Dashboard, page: Page) -> None:
    """The run that is named is the run that was ticked, and the table keeps its place."""
    (newest,) = warm.store.runs(limit=1)
    page.goto(warm.url + "/runs")
    place = cell(page, row=0, x=17)
    page.mouse.click(*place)
    delete = page.get_by_role("button", name=f"Delete {newest.id}")
    expect(delete).to_be_visible()
    assert cell(page, row=0, x=17) == place
    delete.click()
    expect(page.get_by_text(f"Deleted {newest.id}")).to_be_visible()
    assert warm.store.run(newest.id).deleted_at is not None
    page.get_by_role("button", name="Undo").click()
    expect(
        page.get_by_text("tick rows to compare, tag, star, stop, archive or delete them")
    ).to_be_visible()
    assert warm.store.run(newest.id).deleted_at is None


@pytest.mark.parametrize(("width", "scheme"), SIZES)
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/runs",
        "/data",
        "/draw",
        "/system",
        "/run?run=LAST",
        "/run?run=nobody",
        "/run",
        "/?preset=nothing",
    ],
)
def test_every_page_is_whole(
    warm: Dashboard, new_page: Callable[..., Page], path: str, width: int, scheme: str
) -> None:
    """No page has an error or scrolls sideways, on a phone or a desk, by day or by night."""
    if "LAST" in path:
        finished = warm.store.runs(limit=1, states=[RunState.FINISHED])
        run_id = finished[0].id if finished else run_actions.submit(warm.store, RunConfig(epochs=1))
        wait_until(lambda: warm.store.run(run_id).state.is_terminal, "the run's end")
        path = path.replace("LAST", run_id)
    page = new_page(width=width, scheme=scheme)
    page.goto(warm.url + path)
    page.wait_for_selector(READY)
    expect(page.get_by_role("heading").first).to_be_visible()
    assert page.evaluate(
        "[...document.querySelectorAll('section, [data-testid=stMain]')].every(e => e.scrollWidth <= e.clientWidth + 1)"
    )
