"""The Train page: works untouched, writes the expected row, answers bad input beside its field and writes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from mnist_dash.core.config.presets import PRESETS
from mnist_dash.core.config.run_config import RunConfig, with_overrides
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.ui.forms import submission
from mnist_dash.ui.forms.composition import FIRST_PRESET
from tests.ui.conftest import texts
from tests.waiting import PATIENCE_SECONDS


def press(app: AppTest, label: str) -> AppTest:
    """Press the button with this label."""
    return next(button for button in app.button if button.label == label).click().run()


def type_into(app: AppTest, label: str, text: str, *, nth: int = 0) -> AppTest:
    """Type into the nth field with this label."""
    return [field for field in app.text_input if field.label == label][nth].set_value(text).run()


def test_train_untouched_queues_the_first_preset(
    open_page: Callable[..., AppTest], store: Store
) -> None:
    """Nothing has to be chosen before the button is pressed."""
    app = press(open_page("train"), "Train")
    (run,) = store.runs()
    assert (run.state, run.preset, run.config) == (
        RunState.QUEUED,
        FIRST_PRESET,
        PRESETS[FIRST_PRESET].config,
    )
    assert app.query_params["run"] == run.id
    assert f":gray[{run.id}]" in app.title[0].value


def test_pressing_twice_is_one_run(
    open_page: Callable[..., AppTest], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second click that is answered by the same page submits nothing more."""
    monkeypatch.setattr(submission, "DOUBLE_CLICK_SECONDS", 600.0)  # however busy the machine is
    app = open_page("train")
    press(app, "Train")
    app.switch_page(
        "../pages/train/train.py"
    ).run()  # the second click of a double click finds the page again
    press(app, "Train")
    assert store.count() == 1


def test_a_click_during_the_submission_is_the_same_run(
    open_page: Callable[..., AppTest],
    store: Store,
    click_during: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Streamlit ends the first click's callback at its next word with the session; what was submitted is known by then."""
    monkeypatch.setattr(submission, "DOUBLE_CLICK_SECONDS", 600.0)
    app = open_page("train")
    click_during("mnist_dash.runs.actions.run_actions.submit")
    press(app, "Train")
    assert store.count() == 1
    press(app.switch_page("../pages/train/train.py").run(), "Train")
    assert store.count() == 1
    assert app.query_params["run"] == store.runs()[0].id


def test_what_was_composed_is_what_is_queued(
    open_page: Callable[..., AppTest], store: Store
) -> None:
    """Fields, kinds and layers end up in the run's configuration."""
    app = open_page("train", preset="cnn_32_64_5x5")
    type_into(app, "Epochs", "2")
    type_into(app, "Filters", "8")
    app.selectbox(
        key=str(next(box.key for box in app.selectbox if box.label == "Optimizer"))
    ).select("sgd").run()
    type_into(app, "Momentum", "0.9")
    press(app, "Dropout")
    press(app, "Train")
    config = store.runs()[0].config.model_dump()
    assert (config["epochs"], config["layers"][0]["filters"]) == (2, 8)
    assert (config["optimizer"]["kind"], config["optimizer"]["momentum"]) == ("sgd", 0.9)
    assert [layer["kind"] for layer in config["layers"]] == [
        "conv",
        "max_pool",
        "conv",
        "max_pool",
        "flatten",
        "dropout",
        "dense",
    ]
    assert store.runs()[0].preset is None


@pytest.mark.parametrize(
    ("label", "typed", "sentence"),
    [
        ("Epochs", "1e9", "1000000000 is too large (1 to 10,000)."),
        ("Epochs", "many", "'many' is no whole number."),
        ("Units", "-1", "-1 is too small (1 to 8,192)."),
        ("Learning rate", "nan", "Nan is not finite"),
        ("Batch size", "55000", "55,000 is more than the training part has (50,000 images)."),
    ],
)
def test_bad_input_is_answered_and_queues_nothing(
    open_page: Callable[..., AppTest], store: Store, label: str, typed: str, sentence: str
) -> None:
    """The field's own sentence stands on the page, and the button is out of use."""
    app = type_into(open_page("train"), label, typed)
    assert sentence in texts(app)
    assert next(button for button in app.button if button.label == "Train").disabled
    assert store.count() == 0


def test_impossible_shape_is_named_beside_its_layer(
    open_page: Callable[..., AppTest], store: Store
) -> None:
    """A dense layer on an image is refused with the shapes; the layers before keep their numbers."""
    app = open_page("train", preset="cnn_32_64_5x5")
    title = next(markdown.value for markdown in app.markdown if " Flatten**" in markdown.value)
    number = title.split()[0].strip("*")
    next(
        button for button in app.button if button.help == f"Moves layer {number} up."
    ).click().run()
    next(
        button for button in app.button if button.help == f"Removes layer {int(number) - 1}."
    ).click().run()
    said = texts(app)
    assert "Dense 1: an image of 7 x 7 x 64 comes in (a dense layer takes a vector)" in said
    assert "→ 14 x 14 x 64 · 51,264 parameters" in said
    assert store.count() == 0


def test_shape_and_parameters_follow_what_is_typed(open_page: Callable[..., AppTest]) -> None:
    """The outcome beside a layer is the outcome of what stands in its fields."""
    app = type_into(open_page("train"), "Units", "100")
    assert "→ 100 · 78,500 parameters" in texts(app)


def test_the_link_brings_back_the_exact_view(
    open_page: Callable[..., AppTest], app: AppTest
) -> None:
    """What the address says is what a new visitor sees."""
    first = type_into(type_into(open_page("train"), "Learning rate", "0.01"), "Units", "64", nth=1)
    preset, changes = first.query_params["preset"], first.query_params["set"]
    wanted = first.session_state["train_draft"].tree
    visitor = AppTest.from_file(app._script_path, default_timeout=PATIENCE_SECONDS)
    visitor.query_params["preset"], visitor.query_params["set"] = preset, changes
    visitor.run()
    assert visitor.session_state["train_draft"].tree == wanted
    assert (
        next(field for field in visitor.text_input if field.label == "Learning rate").value
        == "0.01"
    )


@pytest.mark.parametrize(
    "query",
    [
        {"preset": "nope"},
        {"preset": "mlp_quick", "set": "layers=3"},
        {"preset": "mlp_quick", "set": "width=3"},
    ],
)
def test_a_bad_link_is_a_sentence(open_page: Callable[..., AppTest], query: dict[str, str]) -> None:
    """A link that means nothing is explained, and the page works."""
    app = open_page("train", **query)
    assert app.warning
    assert not next(button for button in app.button if button.label == "Train").disabled


def test_clones_a_run(
    open_page: Callable[..., AppTest], train: Callable[..., Run], store: Store
) -> None:
    """The configuration of a run is the one to change: what is not changed is trained as it was."""
    run = train(with_overrides(RunConfig(), [("epochs", 3), ("seed", 42)]))
    press(type_into(open_page("train", **{"from": run.id}), "Epochs", "4"), "Train")
    assert store.runs(limit=1)[0].config == with_overrides(run.config, [("epochs", 4)])


def test_says_that_exactly_this_was_run_before(
    open_page: Callable[..., AppTest], train: Callable[..., Run]
) -> None:
    """The same configuration is found, with its result."""
    train(PRESETS[FIRST_PRESET].config)
    assert "You have run this configuration before" in texts(open_page("train"))


def test_no_cuda_is_said_beside_the_button(open_page: Callable[..., AppTest], store: Store) -> None:
    """A device that is not there is refused before anything is queued."""
    app = press(open_page("train", preset="mlp_quick", set='device="cuda"'), "Train")
    if store.count():
        pytest.skip("this machine has a CUDA device")
    assert "device: there is no CUDA device" in app.error[0].value
    assert (
        sum("device: there is no CUDA device" in markdown.value for markdown in app.markdown) == 1
    )


def test_marks_the_leak(open_page: Callable[..., AppTest]) -> None:
    """Validating on the test set is called a leak before it is done."""
    assert "leak" in texts(open_page("train", preset="cnn_32_64_5x5"))


def test_folded_settings_open_for_their_problem(
    open_page: Callable[..., AppTest], store: Store
) -> None:
    """A problem in a folded field is in sight."""
    app = open_page("train", preset="mlp_quick", set="label_smoothing=0.9")
    assert "0.9 is too large (at least 0 and below 0.5)." in texts(app)


def test_typing_is_not_lost_by_a_quick_click(
    open_page: Callable[..., AppTest], store: Store
) -> None:
    """A click that arrives together with what was typed submits what was typed."""
    app = open_page("train")
    next(field for field in app.text_input if field.label == "Epochs").set_value("7")
    press(app, "Train")
    assert store.runs()[0].config.epochs == 7


def test_typing_stays_with_its_layer(open_page: Callable[..., AppTest], store: Store) -> None:
    """What was typed for a layer is that layer's when one before it is removed by a click that arrives together with it."""
    app = open_page("train")
    [field for field in app.text_input if field.label == "Units"][1].set_value("64")
    next(button for button in app.button if button.help == "Removes layer 2.").click().run()
    press(app, "Train")
    assert [planned.output_shape for planned in store.runs()[0].config.plan] == [
        (784,),
        (64,),
        (10,),
    ]


def test_features_change_what_goes_in(open_page: Callable[..., AppTest]) -> None:
    """A network on HOG features says how many go in, and is planned for them."""
    app = open_page("train", preset="mlp_300_30_hog")
    assert "392 features of each image" in texts(app)
    assert not app.error
