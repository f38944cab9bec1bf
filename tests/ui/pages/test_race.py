"""A race from its form on the Train page to its view on the study's, without workers: the tests write what they would."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.layers import Dense, Flatten
from mnist_dash.runs.store.run_store import Store
from mnist_dash.search.actions import steering
from mnist_dash.search.definition.race import race_of
from mnist_dash.search.studies import study_store
from mnist_dash.search.studies.records import StudyState, TrialState
from mnist_dash.ui.forms import submission
from tests.search.conftest import Player
from tests.ui.conftest import texts
from tests.ui.pages.test_train import press, type_into

Open = Callable[..., AppTest]
BASE = RunConfig(
    layers=(Flatten(), Dense(units=10, activation="softmax")), epochs=3, batch_size=1000
)


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the test alone advance its studies."""
    monkeypatch.setattr(steering, "ensure_study_runner", lambda _settings: None)


def test_race_untouched_starts_eight_learning_rates(
    open_page: Open, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing has to be chosen; the page that opens is the race's, and a second press is the same race."""
    monkeypatch.setattr(submission, "DOUBLE_CLICK_SECONDS", 600.0)  # however busy the machine is
    app = press(open_page("train"), "Start race")
    (study,) = study_store.all_studies(store)
    assert (study.name, study.definition.race, study.definition.parallelism) == (
        "race-learning-rate",
        True,
        8,
    )
    assert app.query_params["study"] == study.id
    assert app.title[0].value.replace("\\", "") == "race-learning-rate"
    press(app.switch_page("../pages/train/train.py").run(), "Start race")
    assert len(study_store.all_studies(store)) == 1


def test_another_hyperparameter_brings_its_own_values(open_page: Open, store: Store) -> None:
    """Values, seeds and the rule are the race's."""
    app = open_page("train")
    select(app, "Hyperparameter", "Batch size")
    assert (
        next(field.value for field in app.text_input if field.label == "Values")
        == "32, 64, 128, 256, 512"
    )
    type_into(app, "Values", "64, 256")
    select(app, "Drop losers", "halving")
    press(app, "Start race")
    (study,) = study_store.all_studies(store)
    assert study.definition.space.parameters[0].all_values() == (64, 256)
    assert study.definition.pruner.kind == "halving"


def select(app: AppTest, label: str, value: str) -> None:
    """Choose in the select box with this label."""
    next(box for box in app.selectbox if box.label == label).set_value(value).run()


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("0.1", "One value has nobody to race against (2 to 16). Add values, separated by commas."),
        (", ".join(map(str, range(1, 501))), "500 values are too many for a race (2 to 16)."),
        ("-1, 0.1", "-1 is too small (above 0 and at most 100)."),
    ],
)
def test_values_that_make_no_race_are_said(
    open_page: Open, store: Store, typed: str, sentence: str
) -> None:
    """Beside the field, and the button cannot be pressed; the Train button can."""
    app = type_into(open_page("train"), "Values", typed)
    assert sentence in texts(app)
    disabled = {button.label: button.disabled for button in app.button}
    assert disabled["Start race"]
    assert not disabled["Train"]
    assert not study_store.all_studies(store)


def test_name_of_a_former_race_is_counted_up(open_page: Open, store: Store) -> None:
    """Two races of one hyperparameter have two names."""
    steering.create(store, race_of(BASE, "optimizer.learning_rate", "0.1, 0.01"))
    press(open_page("train"), "Start race")
    assert {study.name for study in study_store.all_studies(store)} == {
        "race-learning-rate",
        "race-learning-rate-2",
    }


def test_view_of_a_race_from_its_start_to_its_end(open_page: Open, store: Store) -> None:
    """First nothing, then every value with its state and a way to drop it, then the outcome with the best marked."""
    player = Player(store, race_of(BASE, "optimizer.learning_rate", "0.001, 0.01, 0.1"))
    app = open_page("study", study=player.id)
    assert not app.error
    player.advancer.step()
    app.run()
    assert [button.label for button in app.button].count("Stop") == 3
    stop = next(button for button in app.button if button.key == "study_race_stop_2")
    stop.click().run()
    player.go()
    assert study_store.counts(store, player.id) == {TrialState.COMPLETE: 2, TrialState.STOPPED: 1}
    app.run()
    assert not app.error
    assert study_store.find(store, player.id).state is StudyState.FINISHED
    assert ":material/emoji_events: **0.01**" in texts(app)
    for view in ("accuracy", "loss"):
        assert not open_page("study", study=player.id, race=view, outcome="final").error


def test_studies_of_one_hyperparameter_can_be_looked_at_as_a_race(
    open_page: Open, store: Store
) -> None:
    """A grid that was no race has the view too, behind the others; a search over a range has none."""
    player = Player(
        store,
        race_of(BASE, "batch_size", "500, 1000").model_copy(update={"race": False, "name": "grid"}),
    )
    player.go()
    app = open_page("study", study=player.id, view="race")
    assert not app.error
    assert "**500**" in texts(app)
