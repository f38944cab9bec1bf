"""Every chart that the pages draw has a text with its figures, and it changes with them."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from typing import Any

import numpy as np
from streamlit.testing.v1 import AppTest

from mnist_dash.core.data.idx import read_labels
from mnist_dash.formatting import percent
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.ui.elements import live_plot
from tests.source_tree import sources

CHARTS = {"live_plot", "interactive_plot"}
BUILT_IN = {
    "plotly_chart",
    "line_chart",
    "bar_chart",
    "area_chart",
    "scatter_chart",
    "altair_chart",
    "vega_lite_chart",
    "pyplot",
}


def alts(app: AppTest) -> dict[str, str]:
    """The text of each chart on a page, by the chart's key."""
    found: dict[str, str] = {}
    for element in app.get("bidi_component"):
        proto: Any = element.proto
        if proto.component_name == "mnist_dash_live_plot":
            found[proto.id.rsplit("-", 1)[1]] = json.loads(proto.json or proto.mixed.json).get(
                "alt", ""
            )
    return found


def test_every_chart_and_image_is_given_a_text() -> None:
    """Charts go through the live plot, which adds the figures; each call says what its chart is, and each image what it shows."""
    calls = [
        (
            source.path.name,
            node,
            node.func.attr
            if isinstance(node.func, ast.Attribute)
            else getattr(node.func, "id", ""),
        )
        for source in sources()
        if source.layer == "ui"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
    ]
    drawn = [(where, node) for where, node, name in calls if name in CHARTS or name == "image"]
    assert len(drawn) > 30
    given = {
        id(node): {keyword.arg: keyword.value for keyword in node.keywords} for _, node in drawn
    }
    assert [
        f"{where}:{node.lineno}"
        for where, node in drawn
        if not _says_something(given[id(node)].get("alt"))
    ] == []
    assert [
        f"{where}:{node.lineno} {name}" for where, node, name in calls if name in BUILT_IN
    ] == []


def test_a_run_s_charts_say_its_figures(
    store: Store, train: Callable[..., Run], open_page: Callable[..., AppTest]
) -> None:
    """The curves' first, best and last value, the matrix's counts: those that the store has."""
    run = train()
    accuracies = store.history(run.id).epochs["val_accuracy"].tolist()
    said = alts(open_page("run", run=run.id))
    first, best, last = accuracies[0], max(accuracies), accuracies[-1]
    at = accuracies.index(best) + 1
    wanted = f"accuracy, validation: {percent(first)} at epoch 1, best {percent(best)} at epoch {at}, last {percent(last)} at epoch 3."
    assert wanted in said["run_curves_chart"]
    assert "loss, best epoch: loss" in said["run_curves_chart"]
    labels = read_labels("mnist", "test", store.settings.data_dir)
    # As the fixture has it: one in fifty is predicted as the next class.
    wrong = np.bincount(labels[::50], minlength=10)
    worst = int(wrong.argmax())
    assert (
        f"true {worst}, predicted {(worst + 1) % 10}: {wrong[worst]}" in said["run_confusion_chart"]
    )
    assert said["run_confusion_chart"].startswith("Confusion matrix on 10,000 test images")


def test_figures_are_read_once_a_figure() -> None:
    """The same figure again, as on a tick without news, is not read again; another one is."""
    figure = '{"data":[{"type":"scatter","x":[1,2],"y":[0.5,0.75],"name":"a"}],"layout":{}}'
    assert live_plot.spoken(figure, "two values") == "Two values. a: 0.5 at 1, last 0.75 at 2."
    n_known = len(live_plot._FIGURES)
    assert live_plot.spoken(figure, "the same.") == "The same. a: 0.5 at 1, last 0.75 at 2."
    assert len(live_plot._FIGURES) == n_known
    assert "last 0.8 at 2" in live_plot.spoken(figure.replace("0.75", "0.8"), "news")
    assert len(live_plot._FIGURES) == n_known + 1


def _says_something(alt: ast.expr | None) -> bool:
    return alt is not None and not (isinstance(alt, ast.Constant) and not str(alt.value).strip())
