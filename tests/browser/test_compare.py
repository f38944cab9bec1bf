"""Runs beside each other, in a real Chromium: eight trained runs with bands, who fixed which digit, and the same after a reload."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from mnist_dash.core.analysis.significance import compare_paired
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.layers import Dense, Flatten
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.query.comparison import answers
from mnist_dash.runs.store.states import RunState
from tests.waiting import wait_until

from .conftest import LIVE, READY, Dashboard

pytestmark = pytest.mark.slow

CURVES = ".st-key-compare_curves .live-plot"
LINEAR = RunConfig(
    layers=(Flatten(), Dense(units=10, activation="softmax")), epochs=2, batch_size=2000
)


def traces(page: Page) -> list[dict[str, Any]]:
    """Read what the chart of curves draws."""
    drawn: list[dict[str, Any]] = page.evaluate(
        f"""() => document.querySelector('{CURVES}').data.map(
            trace => ({{name: trace.name, fill: trace.fill, color: trace.line.color, n: trace.x.length}}))"""
    )
    return drawn


def zoomed(page: Page) -> list[float]:
    """Read the part of the bottom axis that the chart of curves shows."""
    ends: list[float] = page.evaluate(
        f"() => document.querySelector('{CURVES}').layout.xaxis.range"
    )
    return ends


def test_eight_runs_with_bands_and_who_fixed_my_digit(warm: Dashboard, page: Page) -> None:
    """Two settings with four seeds each: the zoom outlives ticks, a group is a mean and a band, and the pictures are the very images."""
    store = warm.store
    configs = [
        LINEAR.model_copy(update={"batch_size": batch, "seed": seed})
        for batch in (2000, 500)
        for seed in range(4)
    ]
    ids = [run_actions.submit(store, config) for config in configs]
    page.goto(f"{warm.url}/compare?runs={','.join(ids)}")
    page.wait_for_function(f"() => document.querySelector('{CURVES}')?.data?.length > 0")
    page.evaluate(
        f"() => Plotly.relayout(document.querySelector('{CURVES}'), {{'xaxis.range': [0.5, 1.5]}})"
    )
    wait_until(lambda: not store.count(states=LIVE), "the end of all runs")
    page.wait_for_function(
        f"() => document.querySelector('{CURVES}').data.filter(trace => trace.x.length === 2).length === 8"
    )
    assert zoomed(page) == [0.5, 1.5]
    assert {store.run(run_id).state for run_id in ids} == {RunState.FINISHED}
    assert len({trace["color"] for trace in traces(page)}) == 8

    page.get_by_label("Group by").click()
    page.get_by_role("option", name="all but the seed").click()
    page.wait_for_function(
        f"() => document.querySelector('{CURVES}').data.some(trace => trace.fill === 'tonexty')"
    )
    drawn = traces(page)
    assert [trace["name"] for trace in drawn if trace.get("name")] == [
        "A: batch size 2000",
        "B: batch size 500",
    ]
    assert sum(trace.get("fill") == "tonexty" for trace in drawn) == 2
    page.reload()
    page.wait_for_function(
        f"() => document.querySelector('{CURVES}')?.data?.some(trace => trace.fill === 'tonexty')"
    )
    assert traces(page) == drawn

    page.get_by_text("significance", exact=True).click()
    expect(page.get_by_text("B is better than A: its mean test accuracy")).to_be_visible()
    a, b = (answers(store, store.run(run_id)) for run_id in (ids[0], ids[4]))
    page.goto(f"{warm.url}/compare?runs={ids[0]},{ids[4]}&view=is+it+real%3F")
    page.wait_for_url("**view=significance*")  # that is what the view is called now
    page.wait_for_selector(READY)
    paired = compare_paired(a.right, b.right)
    sentence = f"predicts {paired.n_only_b:,} images correctly that"
    expect(page.get_by_text(sentence)).to_be_visible()
    expect(page.get_by_text(f"Corrected in B: {paired.n_only_b:,} images.")).to_be_visible()
    pictures = page.locator(".st-key-compare_fixed_right canvas")
    fixed = np.flatnonzero(b.right & ~a.right)
    expect(pictures).to_have_attribute(
        "aria-label",
        f"Corrected in B: test images {', '.join(map(str, fixed[:20].tolist()))} and more",
    )
    page.get_by_role("radio", name="5", exact=True).click()
    page.wait_for_url("**digit=5*")
    fives = np.flatnonzero(b.right & ~a.right & (a.labels == 5))
    expect(page.get_by_text(f"Corrected in B: {len(fives):,} images.")).to_be_visible()
    page.reload()
    expect(page.get_by_text(f"Corrected in B: {len(fives):,} images.")).to_be_visible()
