"""The Studies page: the list with no study, one and many, and composing one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import ButtonGroup

from mnist_dash.core.config.presets import PRESETS
from mnist_dash.core.config.run_config import with_overrides
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.search.actions import steering
from mnist_dash.search.definition.space import Choice, Condition, FloatRange, IntRange
from mnist_dash.search.definition.study_definition import canonical
from mnist_dash.search.definition.study_files import parse_study, write_study
from mnist_dash.search.studies import study_store
from mnist_dash.search.studies.records import StudyState, Trial, TrialState
from mnist_dash.ui.forms import submission
from mnist_dash.ui.forms.study_draft import StudyDraft
from mnist_dash.ui.pages.studies import listing
from mnist_dash.ui.pages.studies.listing import PAGE_SIZE
from tests.ui.conftest import CONFIG, texts
from tests.ui.gestures import click_cell
from tests.waiting import PATIENCE_SECONDS

FILE = """
name: tried
question: Which of two rates is better?
base: mlp_quick
space:
  optimizer.learning_rate: [0.001, 0.01]
objective: val_accuracy
sampler: grid
budget: 2
"""


@pytest.fixture(autouse=True)
def no_conductor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing advance the studies; the tests write what a study runner would."""
    monkeypatch.setattr(steering, "ensure_study_runner", lambda _settings: None)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of study files: one that is well, and one that is not."""
    folder = tmp_path / "studies"
    folder.mkdir()
    (folder / "two_rates.yaml").write_text(FILE)
    (folder / "broken.yaml").write_text("space: 3")
    monkeypatch.setattr(listing, "FILES_FOLDER", folder)
    return folder


def press(app: AppTest, label: str) -> AppTest:
    """Press the button with this label."""
    return next(button for button in app.button if button.label == label).click().run()


def type_into(app: AppTest, label: str, text: str, *, nth: int = 0) -> AppTest:
    """Type into the nth field with this label."""
    return [field for field in app.text_input if field.label == label][nth].set_value(text).run()


def choose(app: AppTest, label: str, value: str) -> AppTest:
    """Choose from the box with this label."""
    return next(box for box in app.selectbox if box.label == label).set_value(value).run()


def tick(app: AppTest, group: str, *paths: str) -> AppTest:
    """Tick settings of a group besides those that are ticked."""
    pills = next(
        each for each in app.get("pills") if isinstance(each, ButtonGroup) and each.label == group
    )
    ticked: AppTest = pills.set_value([*list(pills.value or ()), *paths]).run()
    return ticked


def is_ready(app: AppTest) -> bool:
    """Say whether the study can be launched."""
    return not next(button for button in app.button if button.label == "Launch study").disabled


def played(
    store: Store,
    name: str,
    figures: list[float | None],
    *,
    state: StudyState = StudyState.RUNNING,
    seconds: float = 60.0,
) -> str:
    """Write a study with trials that have ended, pruned where there is no figure."""
    study_id = steering.create(
        store,
        parse_study(
            FILE.replace("tried", name).replace("budget: 2", "budget: 40").replace("grid", "tpe")
        ),
    )
    with store.writing() as connection:
        revision = study_store.write_study(connection, study_id, state=state, seconds_used=seconds)
        for number, figure in enumerate(figures):
            reached = TrialState.PRUNED if figure is None else TrialState.COMPLETE
            row = {
                "study_id": study_id,
                "number": number,
                "state": reached,
                "origin": "sampler",
                "parameters": "{}",
                "revision": revision,
            }
            row |= {"figures": None if figure is None else f"[{figure}]", "created_at": 0.0}
            connection.execute(schema.trials.insert().values(row))
    return study_id


# the list


def test_no_studies_says_what_one_is_and_offers_files(
    open_page: Callable[..., AppTest], files: Path
) -> None:
    """One click fills the composer in from a file."""
    app = open_page("studies")
    assert "A study searches for good hyperparameters" in texts(app)
    assert "Which of two rates is better?" in texts(app).replace("\\", "")
    assert not app.dataframe
    app = press(app, "Two rates")
    assert app.title[0].value == "New study"
    assert app.session_state["study_draft"].check().definition == parse_study(FILE)
    assert files.exists()


def test_the_files_of_the_repository_can_be_begun_with(open_page: Callable[..., AppTest]) -> None:
    """Each of them is a draft with nothing wrong."""
    ready = listing.ready_studies()
    assert len(ready) >= 3
    for each in ready:
        assert each.problem == ""
        assert each.definition is not None
        assert (
            StudyDraft.from_definition(each.definition, origin=f"file:{each.name}")
            .check()
            .definition
            == each.definition
        )
    offered = [button.label for button in open_page("studies").button]
    assert (
        len(
            [
                label
                for label in offered
                if label.lower().replace(" ", "_") in {each.name for each in ready}
            ]
        )
        == 3
    )


def test_one_study_is_listed_with_its_figures(
    open_page: Callable[..., AppTest], store: Store
) -> None:
    """Progress, the best with its trial, the pace and what is left of it."""
    played(store, "tried", [0.9, 0.97, None, 0.95])
    (row,) = open_page("studies").dataframe[0].value.to_dict("records")
    assert (row["Study"], row["State"], row["Progress"], row["Trials"]) == (
        "tried",
        ["running"],
        10.0,
        "4 of 40",
    )
    assert (row["Best value"], row["Trials per hour"], row["Time left"]) == (
        "97.00 % (trial 1)",
        240.0,
        "9 min 0 s",
    )
    assert row["Question"] == "Which of two rates is better?"


def test_the_list_follows_a_live_study(open_page: Callable[..., AppTest], store: Store) -> None:
    """A trial that has ended since is counted, and may be the best."""
    study_id = played(store, "tried", [0.9])
    app = open_page("studies")
    with store.writing() as connection:
        revision = study_store.write_study(connection, study_id)
        trial = Trial(
            1,
            TrialState.COMPLETE,
            "sampler",  # type: ignore[arg-type]
            {},
            (0.99,),
            None,
            (),
            {},
            "",
            0.0,
            None,
            None,
            None,
        )
        row = {
            "study_id": study_id,
            "number": 1,
            "state": trial.state,
            "origin": "sampler",
            "parameters": "{}",
            "revision": revision,
        }
        connection.execute(
            schema.trials.insert().values(row | {"figures": "[0.99]", "created_at": 0.0})
        )
    (row,) = app.run().dataframe[0].value.to_dict("records")
    assert (row["Trials"], row["Best value"]) == ("2 of 40", "99.00 % (trial 1)")


def test_ended_and_paused_studies_have_nothing_left(
    open_page: Callable[..., AppTest], store: Store
) -> None:
    """What does not run has no estimate."""
    played(store, "done", [0.9], state=StudyState.FINISHED)
    played(store, "waits", [], state=StudyState.PAUSED)
    waits, done = open_page("studies").dataframe[0].value.to_dict("records")
    assert (waits["State"], waits["Progress"], done["State"], done["Progress"]) == (
        ["paused"],
        0.0,
        ["finished"],
        100.0,
    )
    assert [
        pd.isna(value) for value in (waits["Time left"], waits["Best value"], done["Time left"])
    ] == [True, True, True]


@pytest.fixture
def two_hundred(store: Store) -> list[str]:
    """Names of as many studies, oldest first."""
    definition = canonical(parse_study(FILE))
    names = [f"study-{index}" for index in range(200)]
    with store.writing() as connection:
        for index, name in enumerate(names):
            row = {
                "name": name,
                "definition": definition,
                "state": StudyState.FINISHED,
                "created_at": 1e9 + index,
            }
            connection.execute(schema.studies.insert().values(row | {"id": f"{index:08x}"}))
        study_store.write_study(connection, f"{0:08x}")
    return names


def test_two_hundred_studies_are_paged_newest_first(
    open_page: Callable[..., AppTest], two_hundred: list[str]
) -> None:
    """A page holds its share."""
    assert (
        open_page("studies").dataframe[0].value["Study"].tolist() == two_hundred[::-1][:PAGE_SIZE]
    )


def test_the_address_says_which_page(
    open_page: Callable[..., AppTest], two_hundred: list[str]
) -> None:
    """A link to the last page opens the last page."""
    assert (
        open_page("studies", page="4").dataframe[0].value["Study"].tolist()
        == two_hundred[:PAGE_SIZE][::-1]
    )


def test_the_list_leads_to_a_study(open_page: Callable[..., AppTest], store: Store) -> None:
    """A click on its name opens its page."""
    study_id = played(store, "tried", [0.9], state=StudyState.FINISHED)
    app = click_cell(open_page("studies"), "Study", 0)
    assert app.title[0].value == "tried"
    assert app.query_params["study"] == study_id


# composing


def test_composed_from_a_preset_and_launched(
    open_page: Callable[..., AppTest], store: Store
) -> None:
    """Two ticks, a range, methods and a budget end up in the row's definition."""
    app = open_page("studies", new="1", preset="cnn_30_15")
    app = tick(tick(app, "Optimization", "optimizer.kind"), "Optimization", "optimizer.momentum")
    app = tick(app, "Training", "batch_size")
    app = type_into(app, "High", "256", nth=2)
    app = choose(choose(app, "Sampler", "gp"), "Pruner", "median")
    for label, text in (
        ("Trials", "12"),
        ("Minutes", "30"),
        ("Parallel trials", "3"),
        ("Seeds per trial", "2"),
        ("Epochs per trial", "2"),
    ):
        app = type_into(app, label, text)
    app = type_into(app, "Question", "Does momentum help?")
    app = press(app, "Launch study")
    assert not app.exception
    (study,) = study_store.all_studies(store)
    definition = study.definition
    assert (study.state, study.name) == (
        StudyState.RUNNING,
        "cnn-30-15-optimizer-learning-rate-2-more",
    )
    assert definition.space.paths == (
        "optimizer.kind",
        "optimizer.learning_rate",
        "optimizer.momentum",
        "batch_size",
    )
    kind, rate, momentum, batch = definition.space.parameters
    assert isinstance(kind, Choice)
    assert isinstance(rate, FloatRange)
    assert rate.log
    assert momentum.when == (Condition(path="optimizer.kind", values=("sgd", "rmsprop")),)
    assert isinstance(batch, IntRange)
    assert (batch.low, batch.high, batch.log) == (64, 256, True)
    assert definition.space.base == with_overrides(PRESETS["cnn_30_15"].config, [("epochs", 2)])
    assert (
        definition.sampler.kind,
        definition.pruner.kind,
        definition.parallelism,
        definition.seeds,
    ) == ("gp", "median", 3, 2)
    assert (definition.budget.trials, definition.budget.minutes, definition.question) == (
        12,
        30,
        "Does momentum help?",
    )
    assert app.query_params["study"] == study.id


def test_untouched_it_can_be_launched(open_page: Callable[..., AppTest], store: Store) -> None:
    """The first preset's learning rate."""
    press(open_page("studies", new="1"), "Launch study")
    (study,) = study_store.all_studies(store)
    assert (study.name, study.definition.space.paths) == (
        "mlp-quick-learning-rate",
        ("optimizer.learning_rate",),
    )


def test_a_broken_range_says_so_and_launches_nothing(
    open_page: Callable[..., AppTest], store: Store
) -> None:
    """The rule, the value and the remedy stand at the range; the button is out of use until it is well."""
    app = type_into(open_page("studies", new="1"), "Low", "0")
    assert "Low, 0, has no logarithm (above 0). Set low to 0.0001, say, or log to false." in texts(
        app
    )
    assert not is_ready(app)
    app = type_into(app, "Low", "0.5")
    assert "Low, 0.5, is above high, 0.01. Swap them." in texts(app)
    app = type_into(app, "Low", "1e-5")
    assert is_ready(app)
    assert study_store.all_studies(store) == ()


def test_pressing_twice_is_one_study(
    open_page: Callable[..., AppTest], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second click that is answered by the same page begins nothing more."""
    monkeypatch.setattr(submission, "DOUBLE_CLICK_SECONDS", 600.0)  # however busy the machine is
    app = open_page("studies", new="1")
    press(app, "Launch study")
    app.switch_page("../pages/studies/studies.py")
    app.query_params["new"] = "1"
    # The second click of a double click finds the page again.
    app = press(app.run(), "Launch study")
    (study,) = study_store.all_studies(store)
    assert app.query_params["study"] == study.id


def test_a_click_during_the_launch_is_the_same_study(
    open_page: Callable[..., AppTest],
    store: Store,
    click_during: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Streamlit ends the first click's callback at its next word with the session; what was launched is known by then."""
    monkeypatch.setattr(submission, "DOUBLE_CLICK_SECONDS", 600.0)
    app = open_page("studies", new="1")
    click_during("mnist_dash.search.actions.steering.create")
    press(app, "Launch study")
    assert len(study_store.all_studies(store)) == 1
    app.switch_page("../pages/studies/studies.py")
    app.query_params["new"] = "1"
    press(app.run(), "Launch study")
    (study,) = study_store.all_studies(store)
    assert app.query_params["study"] == study.id


def test_pressing_again_on_a_later_visit_is_another_study(
    open_page: Callable[..., AppTest], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It proposes another name by itself."""
    monkeypatch.setattr(submission, "DOUBLE_CLICK_SECONDS", 0.0)
    app = open_page("studies", new="1")
    press(app, "Launch study")
    app.switch_page("../pages/studies/studies.py")
    app.query_params["new"] = "1"
    press(app.run(), "Launch study")
    assert {study.name for study in study_store.all_studies(store)} == {
        "mlp-quick-learning-rate",
        "mlp-quick-learning-rate-2",
    }


def test_a_taken_name_is_refused_with_a_free_one(
    open_page: Callable[..., AppTest], store: Store
) -> None:
    """Beside the name, before anything is pressed; what was composed stays."""
    played(store, "mine", [])
    app = type_into(open_page("studies", new="1"), "Name", "mine")
    assert "The name 'mine' is taken. Choose another name, such as mine-2." in texts(app)
    assert not is_ready(app)
    press(type_into(app, "Name", "mine-2"), "Launch study")
    assert {study.name for study in study_store.all_studies(store)} == {"mine", "mine-2"}


def test_the_link_brings_the_draft_back(open_page: Callable[..., AppTest]) -> None:
    """What the address says is what a new visitor sees, wrong values included."""
    app = tick(
        open_page("studies", new="1", preset="cnn_9_9_16"),
        "Network",
        "conv.filters",
        "dense.dropout",
    )
    app = type_into(choose(app, "Sampler", "random"), "High", "often", nth=1)
    link, wanted = app.query_params["draft"], app.session_state["study_draft"].tree
    visitor = (
        AppTest.from_file(app._script_path, default_timeout=PATIENCE_SECONDS)
        .run()
        .switch_page("../pages/studies/studies.py")
    )
    visitor.query_params["new"], visitor.query_params["draft"] = "1", link
    visitor.run()
    assert visitor.session_state["study_draft"].tree == wanted
    assert [field.value for field in visitor.text_input if field.label == "High"] == [
        "0.01",
        "often",
        "0.6",
    ]
    assert "'often' is no whole number" in texts(visitor)


@pytest.mark.parametrize(
    "query", [{"draft": "nonsense"}, {"preset": "nope"}, {"file": "nope"}, {"from": "nope"}]
)
def test_a_bad_link_is_a_sentence(open_page: Callable[..., AppTest], query: dict[str, str]) -> None:
    """A link that means nothing is explained, and the page works."""
    app = open_page("studies", new="1", **query)
    assert app.warning
    assert is_ready(app)


def test_explores_around_a_run(
    open_page: Callable[..., AppTest], train: Callable[..., Run], store: Store
) -> None:
    """Its configuration is the base of the study that is launched, and its learning rate is in the middle of the range."""
    run = train(with_overrides(CONFIG, [("optimizer.learning_rate", 0.02), ("seed", 7)]))
    app = open_page("studies", **{"new": "1", "from": run.id})
    assert (
        next(box.value for box in app.selectbox if box.label == "Base network") == f"run:{run.id}"
    )
    assert next(field.value for field in app.text_input if field.label == "Low") == "0.002"
    press(app, "Launch study")
    (study,) = study_store.all_studies(store)
    assert study.definition.space.base == run.config


def test_the_base_is_chosen_from_presets_and_runs(
    open_page: Callable[..., AppTest], train: Callable[..., Run], store: Store
) -> None:
    """Another base can be chosen and taken back."""
    run = train(with_overrides(CONFIG, [("seed", 7)]))
    app = choose(open_page("studies", new="1"), "Base network", f"run:{run.id}")
    press(choose(app, "Base network", "preset:mlp_784"), "Launch study")
    app.switch_page("../pages/studies/studies.py")
    app.query_params["new"] = "1"
    press(choose(app.run(), "Base network", f"run:{run.id}"), "Launch study")
    bases = [study.definition.space.base for study in study_store.all_studies(store)]
    assert sorted(bases, key=lambda base: base.seed) == [PRESETS["mlp_784"].config, run.config]


def test_a_base_on_the_test_set_is_told_apart(open_page: Callable[..., AppTest]) -> None:
    """A split is put in place, and said."""
    app = open_page("studies", new="1", preset="cnn_32_64_5x5")
    assert "This network validates on the test set" in texts(app)
    assert app.session_state["study_draft"].base.split.kind == "tail"


def test_a_grid_is_counted_before_it_is_launched(
    open_page: Callable[..., AppTest], store: Store
) -> None:
    """Ranges become values in one press; the card says how many points and runs that is."""
    app = choose(tick(open_page("studies", new="1"), "Training", "batch_size"), "Sampler", "grid")
    assert "has no end of values for a grid" in texts(app)
    app = type_into(press(app, "Turn ranges into values"), "Seeds per trial", "3")
    cost = next(table.value for table in app.table)
    assert cost.iloc[:, 0].tolist()[:3] == [
        "2 hyperparameters",
        "25 points",
        "75 (25 trials x 3 seeds)",
    ]
    press(app, "Launch study")
    (study,) = study_store.all_studies(store)
    assert study.definition.n_grid == 25


def test_any_other_setting_is_found_by_its_path(
    open_page: Callable[..., AppTest], store: Store
) -> None:
    """Such as the activation of one layer."""
    app = choose(open_page("studies", new="1"), "Another hyperparameter", "layers.1.activation")
    press(type_into(app, "Values", "relu, tanh"), "Launch study")
    (study,) = study_store.all_studies(store)
    assert study.definition.space.parameters[1] == Choice(
        path="layers.1.activation", values=("relu", "tanh")
    )


def test_values_are_typed_between_commas(open_page: Callable[..., AppTest]) -> None:
    """And come back as they were typed."""
    app = choose(tick(open_page("studies", new="1"), "Training", "batch_size"), "As", "list")
    app = type_into(app, "Values", "1e-3, 0.01,0.1")
    definition = app.session_state["study_draft"].check().definition
    assert definition.space.parameter("optimizer.learning_rate") == Choice(
        path="optimizer.learning_rate", values=(0.001, 0.01, 0.1)
    )


def test_typing_is_not_lost_by_a_quick_click(
    open_page: Callable[..., AppTest], store: Store
) -> None:
    """A click that arrives together with what was typed launches what was typed."""
    app = open_page("studies", new="1")
    next(field for field in app.text_input if field.label == "Trials").set_value("7")
    press(app, "Launch study")
    assert study_store.all_studies(store)[0].definition.budget.trials == 7


def test_a_device_that_is_not_there_is_said_beside_the_button(
    open_page: Callable[..., AppTest], store: Store, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What only the store finds out is a sentence too, and nothing is lost."""
    monkeypatch.setattr("mnist_dash.runs.actions.run_actions.n_cuda_devices", lambda: 0)
    (files / "on_gpu.yaml").write_text(FILE.replace("space:", "set: {device: cuda}\nspace:"))
    app = press(open_page("studies", new="1", file="on_gpu"), "Launch study")
    assert "device: there is no CUDA device" in app.error[0].value
    assert study_store.all_studies(store) == ()
    assert app.session_state["study_draft"].tree["name"] == "tried"


def test_the_file_that_is_saved_is_the_study(
    open_page: Callable[..., AppTest], files: Path
) -> None:
    """What is downloaded gives the same study when it is read; a file that is broken cannot be begun with."""
    app = open_page("studies", new="1", file="two_rates")
    definition = app.session_state["study_draft"].check().definition
    assert parse_study(write_study(definition)) == parse_study(FILE)
    buttons = {button.label: button for button in app.button}
    assert not buttons["two rates"].disabled
    assert buttons["broken"].disabled
    assert "nothing is explored" in texts(app)
    assert (files / "broken.yaml").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (FILE.encode(), ""),
        (b"space: [", "expected the node content"),
        (
            FILE.replace("[0.001, 0.01]", "{low: 0, high: 1, log: true}").encode(),
            "line 6, space.optimizer.learning_rate: low, 0, has no logarithm (above 0)",
        ),
        (b"#" * 200_000, "The file is too large: 200,000 bytes (at most 100,000)."),
    ],
)
def test_a_file_of_ones_own_fills_the_composer_in(
    open_page: Callable[..., AppTest], content: bytes, said: str
) -> None:
    """Or says on which line it is wrong; the draft stays then."""
    app = open_page("studies", new="1")
    former = app.session_state["study_draft"]
    app.file_uploader[0].set_value(("own.yaml", content, "application/yaml")).run()
    if said:
        assert said in app.error[0].value
        assert app.session_state["study_draft"] == former
    else:
        assert app.session_state["study_draft"].check().definition == parse_study(FILE)
