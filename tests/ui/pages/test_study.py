"""A study's page: every view with no trials, some and many, and everything that steers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from mnist_dash.formatting import percent
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.search.actions import steering
from mnist_dash.search.engine.artifact_policy import discard_files
from mnist_dash.search.studies import study_store
from mnist_dash.search.studies.records import StudyState, TrialState
from tests.search.conftest import Player, define
from tests.search_rows import fill
from tests.ui.conftest import CONFIG, texts
from tests.ui.gestures import tick_rows, touch

VIEWS = ("progress", "hyperparameters", "trials", "time", "steer")
Open = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the test alone advance its studies."""
    monkeypatch.setattr(steering, "ensure_study_runner", lambda _settings: None)


@pytest.mark.parametrize("view", VIEWS)
def test_views_of_any_size(store: Store, open_page: Open, view: str) -> None:
    """Each view of a study with no trial, a few and three hundred is drawn without an error."""
    empty = steering.create(store, define("empty"))
    few = Player(store, define("few"))
    few.go(steps=4)
    fill(store, 300)
    for study_id in (empty, few.id, "many0000"):
        app = open_page("study", study=study_id, view=view)
        assert not app.error
        assert app.title[0].value in ("empty", "few", "many")


def test_head_says_how_far_it_is(store: Store, open_page: Open) -> None:
    """State, progress and the best trial with its run stand at the top."""
    player = Player(store, define(trials=6))
    player.go(steps=3)
    app = open_page("study", study=player.id)
    assert "running" in texts(app)
    metrics = {metric.label: metric.value for metric in app.metric}
    best = max(trial.figures[0] for trial in study_store.trials(store, player.id) if trial.figures)
    assert metrics["Best validation accuracy"] == percent(best)
    assert metrics["Trials"] == "4"
    player.go()
    app.run()
    assert "All 6 trials are done." in texts(app)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [({"study": "nothing"}, "No study 'nothing'"), ({}, "The address names no study")],
)
def test_unknown_study(open_page: Open, query: dict[str, str], sentence: str) -> None:
    """A wrong address says so and offers the list."""
    assert sentence in texts(open_page("study", **query))


def test_pause_resume_and_more(store: Store, open_page: Open) -> None:
    """The buttons do what they say, to the row."""
    player = Player(store, define(trials=4))
    player.go(steps=1)
    app = open_page("study", study=player.id)
    app.button(key="study_pause").click().run()
    assert study_store.find(store, player.id).state is StudyState.PAUSED
    app.button(key="study_resume").click().run()
    assert study_store.find(store, player.id).state is StudyState.RUNNING
    player.go()
    app.run()
    app.number_input(key="study_more").set_value(7).run()
    app.button(key="study_extend").click().run()
    study = study_store.find(store, player.id)
    assert (study.state, study.definition.budget.trials) == (StudyState.RUNNING, 11)
    app.button(key="study_cancel").click().run()
    player.advancer.step()
    assert study_store.find(store, player.id).state is StudyState.STOPPED


def test_marked_part_is_searched_alone(store: Store, open_page: Open) -> None:
    """What was brushed becomes the range, no wider than it was; the change can be taken back."""
    player = Player(store, define())
    player.go(steps=3)
    app = open_page("study", study=player.id, view="hyperparameters")
    box = [
        {"axis": "optimizer.learning_rate", "low": 0.001, "high": 7.0},
        {"axis": "optimizer.kind", "choices": ["adam"]},
    ]
    touch(app, "study_contour", "brushed", box)
    assert "Marked: **learning rate** 0.001 to 7" in texts(app)
    app.button(key="study_narrow").click().run()
    space = study_store.find(store, player.id).definition.space
    rate = space.parameter("optimizer.learning_rate")
    assert (rate.kind, rate.low, rate.high) == ("float", 0.001, 1.0)  # type: ignore[union-attr]
    assert space.parameter("optimizer.kind").values == ("adam",)  # type: ignore[union-attr]
    assert "Marked:" not in texts(app)
    app.segmented_control(key="view").set_value("steer").run()
    app.button(key="study_undo").click().run()
    app.button(key="study_undo").click().run()
    assert study_store.find(store, player.id).definition == define()


def test_empty_place_is_tried_next(store: Store, open_page: Open) -> None:
    """A clicked place is tried with the rest of the best trial's configuration, and its trial is selected."""
    player = Player(store, define())
    player.go(steps=4)
    app = open_page(
        "study", study=player.id, view="hyperparameters", x="learning rate", y="batch size"
    )
    best = max(
        (trial for trial in study_store.trials(store, player.id) if trial.figures),
        key=lambda trial: trial.figures or (),
    )
    touch(app, "study_contour", "placed", [0.0123, 300])
    app.button(key="study_try_place").click().run()
    waiting = study_store.trials(store, player.id, states=[TrialState.WAITING])
    assert [dict(trial.parameters) for trial in waiting] == [
        {**best.parameters, "optimizer.learning_rate": 0.0123, "batch_size": 300}
    ]
    assert app.query_params["trials"] in (str(waiting[0].number), [str(waiting[0].number)])


def test_typed_configuration_is_tried(store: Store, open_page: Open) -> None:
    """The form gives every setting that applies, and a value beyond the field's own bounds is refused with the rule."""
    player = Player(store, define())
    player.go(steps=4)
    app = open_page("study", study=player.id, view="steer")
    edition = study_store.find(store, player.id).edition
    app.number_input(key=f"study_value_optimizer.learning_rate_{edition}").set_value(500.0)
    submit = next(button for button in app.button if button.label == "Enqueue trial")
    submit.click().run()
    assert any("at most 100" in toast.value for toast in app.toast)
    app.number_input(key=f"study_value_optimizer.learning_rate_{edition}").set_value(0.5)
    next(button for button in app.button if button.label == "Enqueue trial").click().run()
    (waiting,) = study_store.trials(store, player.id, states=[TrialState.WAITING])
    assert waiting.parameters["optimizer.learning_rate"] == 0.5


def test_value_is_banned_and_proposed(store: Store, open_page: Open) -> None:
    """A ban leaves the value out; a proposal comes with what is expected of it and can be tried."""
    player = Player(store, define())
    player.go(steps=6)
    app = open_page("study", study=player.id, view="steer")
    app.button(key="study_ban_optimizer.kind_sgd").click().run()
    assert study_store.find(store, player.id).definition.space.parameter(
        "optimizer.kind"
    ).values == ("adam",)  # type: ignore[union-attr]
    app.button(key="study_suggest").click().run()
    assert "Expected" in texts(app)
    app.button(key="study_try_proposal").click().run()
    assert len(study_store.trials(store, player.id, states=[TrialState.WAITING])) == 1


def test_selection_is_in_the_address(store: Store, open_page: Open) -> None:
    """Selected trials are shown with what differs, and a trial that does not exist is left out."""
    player = Player(store, define())
    player.go(steps=4)
    app = open_page("study", study=player.id, trials="1,2,999,x")
    assert "2 selected trials" in texts(app)
    app.button(key="study_clear").click().run()
    assert "trials" not in app.query_params


def test_run_of_a_trial_leads_to_its_study(store: Store, open_page: Open) -> None:
    """A trial's run names its study; where its files were not kept it can be trained once more, once."""
    player = Player(store, define(trials=2, keep="none"))
    player.go()
    discard_files(store, study_store.find(store, player.id), study_store.trials(store, player.id))
    (run_id,) = study_store.runs_of(store, player.id)[1]
    app = open_page("run", run=run_id)
    assert "This study keeps no files of its trials." in texts(app)
    n_before = store.count()
    app.button(key="steer_again").click().run()
    assert store.count() == n_before + 1
    assert store.runs(limit=1)[0].config == store.run(run_id).config


def test_selected_runs_suggest_the_next(
    store: Store, open_page: Open, train: Callable[..., Run]
) -> None:
    """Three runs that differ in a setting give a proposal for it; one alone gives none."""
    for size in (100, 200, 500):
        train(CONFIG.model_copy(update={"batch_size": size}))
    app = open_page("runs")
    tick_rows(app, 0)
    assert not [button for button in app.button if button.key == "runs_suggest"]
    tick_rows(app, 0, 1, 2)
    app.button(key="runs_suggest").click().run()
    assert "Suggested configuration: **batch_size**" in texts(app)


def test_names_are_shown_as_typed(store: Store, open_page: Open) -> None:
    """Markdown in a name is not interpreted."""
    study_id = steering.create(store, define("played").model_copy(update={"name": "*a* <b>"}))
    assert open_page("study", study=study_id).title[0].value == r"\*a\* \<b\>"
