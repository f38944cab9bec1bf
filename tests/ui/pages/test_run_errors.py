"""Why a run errs, on its page: the selection in the address, the ranking, the threshold, other epochs and other images."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from mnist_dash.core.analysis.evaluation import confusion_matrix, ranked_images
from mnist_dash.core.analysis.thresholds import threshold_figures
from mnist_dash.core.config.run_config import StratifiedSplit
from mnist_dash.core.data.idx import read_labels
from mnist_dash.core.data.splits import validation_indices
from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.ui.elements.digit_grid import sprite
from tests.ui.conftest import CONFIG, texts


def keep(
    store: Store, run: Run, kind: ArtifactKind, labels: np.ndarray, *, part: str = "", seed: int = 0
) -> np.ndarray:
    """Leave probabilities that are often but not always right, and give them."""
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.full(10, 0.1), len(labels)).astype(np.float32)
    probabilities = (
        0.4 * probabilities
        + 0.6
        * np.eye(10, dtype=np.float32)[np.where(generator.random(len(labels)) < 0.95, labels, 3)]
    )
    file = artifacts.write(
        store.settings, run.id, kind, artifacts.pack_probabilities(probabilities)
    )
    with store.writing() as connection:
        artifacts.discard(
            store.settings,
            artifacts.record(connection, run.id, kind, file, epoch=int(part or 3), part=part),
        )
    return artifacts.read_probabilities(store, run.id, kind, part)


@pytest.fixture
def labels(store: Store) -> np.ndarray:
    """The labels of the test set."""
    return read_labels("mnist", "test", store.settings.data_dir)


def grid(app: AppTest, place: int = 0) -> dict[str, list[dict[str, object]]]:
    """Read what one of the page's grids of images draws."""
    drawn = [
        json.loads(element.proto.json)
        for element in app.get("bidi_component")
        if "sprite" in element.proto.json
    ]
    content: dict[str, list[dict[str, object]]] = drawn[place]
    return content


def metric(app: AppTest, label: str) -> str:
    """Read a figure."""
    return str(next(found.value for found in app.metric if found.label == label))


def test_a_cell_in_the_address_shows_its_images(
    open_page: Callable[..., AppTest], train: Callable[..., Run], store: Store, labels: np.ndarray
) -> None:
    """As many images as the cell counts, exactly those, and the sentence that names them."""
    run = train()
    probabilities = keep(store, run, ArtifactKind.TEST_PROBABILITIES, labels)
    wanted = ranked_images(labels, probabilities, true=4, predicted=3)
    app = open_page("run", run=run.id, true="4", pred="3")
    assert [tile["image"] for tile in grid(app)["tiles"]] == wanted.tolist()
    assert f"4 predicted as 3: {confusion_matrix(labels, probabilities)[4, 3]} images" in texts(app)


def test_a_confused_pair_is_a_way_to_its_images(
    open_page: Callable[..., AppTest], train: Callable[..., Run], store: Store, labels: np.ndarray
) -> None:
    """The sentence of the most confused pair selects it, and the address keeps it."""
    run = train()
    probabilities = keep(store, run, ArtifactKind.TEST_PROBABILITIES, labels)
    count = confusion_matrix(labels, probabilities)[:, 3]
    count[3] = 0
    true = int(count.argmax())
    app = open_page("run", run=run.id)
    (button,) = [button for button in app.button if button.key == f"pair_{true}_3"]
    assert button.label.startswith(f"{true} predicted as 3: {count[true]} times, ")
    button.click().run()
    assert (app.query_params["true"], app.query_params["pred"]) == (str(true), "3")
    app.button(key="clear_selection").click().run()
    assert "true" not in app.query_params


def test_worst_errors_come_first_and_more_on_demand(
    open_page: Callable[..., AppTest], train: Callable[..., Run], store: Store, labels: np.ndarray
) -> None:
    """Six, then as many more as are asked for, in the order of the ranking, each with ten bars; the filters are the selection."""
    run = train()
    probabilities = keep(store, run, ArtifactKind.TEST_PROBABILITIES, labels)
    app = open_page("run", run=run.id, view="errors")
    tiles = grid(app)["tiles"]
    assert [tile["image"] for tile in tiles] == ranked_images(labels, probabilities)[:6].tolist()
    assert {len(tile["bars"]) for tile in tiles} == {10}  # type: ignore[arg-type]
    app.button(key="show_more").click().run()
    assert len(grid(app)["tiles"]) == 30
    app.selectbox(key="errors_true").select(7).run()
    assert app.query_params["true"] == "7"
    assert [tile["image"] for tile in grid(app)["tiles"]] == ranked_images(
        labels, probabilities, true=7
    )[:6].tolist()
    app.slider(key="margin").set_value((0.0, 0.5)).run()
    assert [tile["image"] for tile in grid(app)["tiles"]] == ranked_images(
        labels, probabilities, true=7, margins=(0.0, 0.5)
    )[:6].tolist()


def test_the_threshold_moves_the_figures(
    open_page: Callable[..., AppTest], train: Callable[..., Run], store: Store, labels: np.ndarray
) -> None:
    """Precision, recall and both kinds of error are those of the threshold; the images that flip are shown."""
    run = train()
    probabilities = keep(store, run, ArtifactKind.TEST_PROBABILITIES, labels)
    app = open_page("run", run=run.id, view="errors", digit="3", threshold="0.8")
    found = threshold_figures(labels, probabilities, 3, 0.8)
    assert metric(app, "Precision") == f"{100 * (found.precision or 0):.2f} %"
    assert metric(app, "False negatives") == f"{found.false_negatives:,}"
    flipped = np.flatnonzero((probabilities[:, 3] >= 0.5) & (probabilities[:, 3] < 0.8))
    assert [tile["image"] for tile in grid(app, -1)["tiles"]] == flipped[:120].tolist()
    app.slider(key="threshold").set_value(0.2).run()
    assert (
        metric(app, "False positives")
        == f"{threshold_figures(labels, probabilities, 3, 0.2).false_positives:,}"
    )


def test_any_kept_epoch_can_be_looked_at(
    open_page: Callable[..., AppTest], train: Callable[..., Run], store: Store, labels: np.ndarray
) -> None:
    """The figures are those of the chosen epoch's probabilities."""
    run = train()
    probabilities = keep(store, run, ArtifactKind.EPOCH_PROBABILITIES, labels, part="2", seed=5)
    app = open_page("run", run=run.id, kept="2")
    assert "On the test set after epoch 2" in texts(app)
    assert (
        metric(app, "Test accuracy")
        == f"{100 * float(np.mean(probabilities.argmax(axis=1) == labels)):.2f} %"
    )


def test_validation_images_are_those_of_the_split(
    open_page: Callable[..., AppTest], train: Callable[..., Run], store: Store
) -> None:
    """Labels and images come from the part of the training archive that was held back."""
    config = CONFIG.model_copy(update={"split": StratifiedSplit(fraction=0.1, seed=4)})
    run = train(config)
    archive = read_labels("mnist", "train", store.settings.data_dir)
    indices = validation_indices(config, archive)
    assert indices is not None
    probabilities = keep(store, run, ArtifactKind.VALIDATION_PROBABILITIES, archive[indices])
    app = open_page("run", run=run.id, part="validation", view="errors", val_image="7", image="5")
    assert "Validation image 7" in texts(app)
    app.segmented_control(key="view").select("summary").run()
    assert (
        metric(app, "Validation accuracy")
        == f"{100 * float(np.mean(probabilities.argmax(axis=1) == archive[indices])):.2f} %"
    )


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"true": "12"}, "true='12' (0 to 9)"),
        ({"pred": "x"}, "pred='x' (0 to 9)"),
        ({"image": "10000"}, "image='10000' (0 to 9,999)"),
        ({"digit": "12"}, "digit='12'"),
    ],
)
def test_an_impossible_selection_is_a_sentence(
    open_page: Callable[..., AppTest],
    train: Callable[..., Run],
    query: dict[str, str],
    sentence: str,
) -> None:
    """The rule and the value; the page is whole all the same."""
    app = open_page("run", run=train().id, view="errors", **query)
    assert any(sentence in error.value for error in app.error)
    assert "Calibration" in texts(app)


def test_a_run_without_probabilities_offers_a_new_one(
    open_page: Callable[..., AppTest], train: Callable[..., Run]
) -> None:
    """It says what is missing and where to go."""
    app = open_page(
        "run",
        run=train(state=RunState.STOPPED, epochs=1, reason="Stopped by hand.").id,
        view="errors",
    )
    assert "The test set was not evaluated" in texts(app)
    assert "Clone and edit" in [link.label for link in app.get("page_link")]  # type: ignore[union-attr]


def test_a_run_that_did_not_finish_shows_what_it_kept(
    open_page: Callable[..., AppTest], train: Callable[..., Run], store: Store, labels: np.ndarray
) -> None:
    """The last kept epoch stands for the final one, which there is not."""
    run = train(state=RunState.DIVERGED, epochs=2, reason="The loss became infinite in epoch 3.")
    for epoch in ("1", "2"):
        keep(store, run, ArtifactKind.EPOCH_PROBABILITIES, labels, part=epoch)
    app = open_page("run", run=run.id)
    assert "On the test set after epoch 2" in texts(app)
    assert app.selectbox(key="kept").options == ["1", "2"]


def test_a_sprite_holds_every_image_in_order() -> None:
    """Thirty-two a row; what is left over is empty."""
    images = np.random.default_rng(0).integers(1, 255, (40, 28, 28)).astype(np.uint8)
    picture = sprite(images)
    assert picture.shape == (56, 32 * 28)
    assert np.array_equal(picture[28:, 7 * 28 : 8 * 28], images[39])
    assert not picture[28:, 8 * 28 :].any()
