"""Every page as it is drawn, with no runs, one and many, each view: no text has a word that the field does not use."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from mnist_dash.core.config.published import EXPERIMENTS
from mnist_dash.core.data.drawing import encode_strokes
from mnist_dash.reports.run_report import comparison_html, run_html
from mnist_dash.reports.study_report import study_html
from mnist_dash.runs.actions import drawings
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.runs.transfer.model_bundle import model_card
from mnist_dash.search.actions import steering
from mnist_dash.ui.app.navigation import pages
from tests.runs.many import fill
from tests.search.conftest import Player, define
from tests.trained import train_into
from tests.ui.conftest import CONFIG
from tests.vocabulary import faults, spoken

Open = Callable[..., AppTest]
EMPTY = (
    "train",
    "runs",
    "compare",
    "studies",
    "published",
    "data",
    "draw",
    "system",
    "run",
    "study",
)
LINE = (((0.5, 0.1), (0.5, 0.9)),)
RUN_VIEWS = ("summary", "errors", "layers", "embedding")
COMPARE_VIEWS = ("curves", "settings", "metrics", "confusion", "significance")
STUDY_VIEWS = ("progress", "hyperparameters", "trials", "time", "steer")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the test alone advance its studies."""
    monkeypatch.setattr(steering, "ensure_study_runner", lambda _settings: None)


def check(app: AppTest, *, of_study: bool = False) -> None:
    """Look at every text of a page; a page without any would be no page."""
    # Says something of runs' settings, which is not about the study.
    menu = {page.help for page in pages()}
    texts = [text for text in spoken(app) if not (of_study and text in menu)]
    assert len(texts) > 20
    assert [fault for text in texts for fault in faults(text, of_study=of_study)] == []


@pytest.mark.parametrize("page", EMPTY)
def test_pages_without_runs(open_page: Open, page: str) -> None:
    """The first visit: each page says what it is for."""
    check(open_page(page))


@pytest.mark.parametrize("state", [None, RunState.FINISHED, RunState.STOPPED, RunState.DIVERGED])
def test_run_in_each_state(
    train: Callable[..., Run], open_page: Open, state: RunState | None
) -> None:
    """A run that trains, and one that has ended well or not."""
    run = train(state=state)
    check(open_page("run", run=run.id))


@pytest.mark.parametrize("view", RUN_VIEWS)
def test_views_of_a_run(store: Store, open_page: Open, view: str) -> None:
    """A run that was really trained, with a selected cell of its confusion matrix and a selected image."""
    run = train_into(store)
    check(open_page("run", run=run.id, view=view, true="4", pred="9", image="7"))


def test_pages_with_one_run(store: Store, open_page: Open) -> None:
    """One of everything is where a wrong plural shows."""
    run = train_into(store)
    drawings.keep(store, LINE, 1)
    for page, query in (
        ("runs", {}),
        ("runs", {"as": "groups"}),
        ("runs", {"as": "parameters"}),
        ("compare", {"runs": run.id}),
        ("published", {"experiment": EXPERIMENTS[0].name}),
        ("draw", {"drawing": encode_strokes(LINE)}),
        ("system", {}),
    ):
        check(open_page(page, **query))


@pytest.mark.parametrize("shape", ["table", "groups", "parameters"])
def test_many_runs(store: Store, open_page: Open, shape: str) -> None:
    """The list, its groups and its picture with a hundred and twenty runs."""
    fill(store, 120, n_epochs=3)
    check(open_page("runs", **{"as": shape}))


@pytest.mark.parametrize("view", COMPARE_VIEWS)
def test_views_of_a_comparison(train: Callable[..., Run], open_page: Open, view: str) -> None:
    """Three runs, two of which differ in the seed alone, and an address with runs that are not there."""
    configs = (
        CONFIG,
        CONFIG.model_copy(update={"seed": 1}),
        CONFIG.model_copy(update={"batch_size": 250}),
    )
    ids = [train(config).id for config in configs]
    check(open_page("compare", runs=",".join([*ids, "a0", "a1"]), view=view))


@pytest.mark.parametrize("view", STUDY_VIEWS)
def test_views_of_a_study(store: Store, open_page: Open, view: str) -> None:
    """A study without a trial and one with some, one of which is selected."""
    empty = steering.create(store, define("empty"))
    player = Player(store, define("played", trials=12))
    player.go(steps=12)
    check(open_page("study", study=empty, view=view), of_study=True)
    check(open_page("study", study=player.id, view=view, trials="1"), of_study=True)


def test_composer_of_studies(open_page: Open) -> None:
    """What a study is made of."""
    check(open_page("studies", new="1"))


def test_exported_pages_and_cards(store: Store, train: Callable[..., Run]) -> None:
    """What is downloaded speaks the same language."""
    runs = [train(), train(CONFIG.model_copy(update={"seed": 1}))]
    player = Player(store, define("played", trials=12))
    player.go(steps=12)
    exported = [
        run_html(store, runs[0].id),
        comparison_html(store, [run.id for run in runs]),
        study_html(store, player.id),
    ]
    bodies = [content.decode().split("<h1>")[1].split("<script>")[0] for content in exported]
    texts = [
        *(line for body in bodies for line in body.splitlines()),
        *model_card(runs[0]).splitlines(),
    ]
    assert len(texts) > 100
    assert [fault for text in texts for fault in faults(text)] == []
