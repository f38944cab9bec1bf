"""The view of layers on a run's page: with weights, without them, with damaged ones, and with a wrong image in the address."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import safetensors.numpy
from streamlit.testing.v1 import AppTest

from mnist_dash.core.analysis.layer_statistics import LayerMeasurement, Spread, pack
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.layers import Conv, Dense, Dropout, Flatten, MaxPool
from mnist_dash.runs.query.layer_history import layer_history
from mnist_dash.runs.store import artifacts, schema
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from tests.ui.conftest import CONFIG, texts

CNN = RunConfig(
    layers=(
        Conv(filters=5, kernel=3),
        MaxPool(),
        Dropout(),
        Flatten(),
        Dense(units=12),
        Dense(units=10, activation="softmax"),
    ),
    epochs=3,
    batch_size=500,
)


@pytest.fixture
def trained(train: Callable[..., Run], store: Store) -> Callable[[RunConfig], Run]:
    """Play a run to its end and leave weights that fit its network."""

    def kept(config: RunConfig) -> Run:
        run = train(config)
        rng = np.random.default_rng(0)
        weights: dict[str, np.ndarray] = {}
        for layer, planned, module in zip(
            config.layers, config.plan, config.module_numbers, strict=True
        ):
            if isinstance(layer, Conv | Dense):
                window = (layer.kernel, layer.kernel) if isinstance(layer, Conv) else ()
                shape = (planned.output_shape[-1], planned.input_shape[-1], *window)
                weights[f"{module}.weight"] = rng.normal(scale=0.1, size=shape).astype(np.float32)
                weights[f"{module}.bias"] = np.zeros(shape[0], np.float32)
        file = artifacts.write(
            store.settings, run.id, ArtifactKind.WEIGHTS, safetensors.numpy.save(weights)
        )
        with store.writing() as connection:
            artifacts.record(connection, run.id, ArtifactKind.WEIGHTS, file, epoch=3)
        return run

    return kept


HOG = RunConfig(
    features="hog",
    layers=(Dense(units=12), Dense(units=10, activation="softmax")),
    epochs=3,
    batch_size=500,
)


@pytest.mark.parametrize("config", [CONFIG, CNN, HOG], ids=["dense", "convolutional", "features"])
def test_trained_network_is_drawn_whole(
    open_page: Callable[..., AppTest], trained: Callable[[RunConfig], Run], config: RunConfig
) -> None:
    """Structure, weights, the selected digit through all layers, first filters, figures and dead units."""
    run = trained(config)
    app = open_page("run", run=run.id, view="layers", image="3")
    assert not app.error
    structure, figures = (frame.value for frame in app.dataframe)
    assert structure["Parameters"].sum() == run.n_parameters
    assert list(figures["Layer"]) == [
        planned.name for planned in config.plan if planned.n_parameters
    ]
    assert figures["Dead units"].iloc[-1] == "no ReLU"
    assert config is CONFIG or " of 12 (" in figures["Dead units"].iloc[-2]
    assert app.number_input(key="layers_image").value == 3
    said = texts(app)
    assert "Test image 3 is predicted" in said
    for planned in config.plan:
        assert (
            f"**{planned.name}**" in said
            or planned.name in said.split("Not drawn")[1].splitlines()[0]
        )


def test_image_is_the_selection_of_the_address(
    open_page: Callable[..., AppTest], trained: Callable[[RunConfig], Run]
) -> None:
    """Going on from image to image changes the address, so that other views and a shared link have the same one."""
    app = open_page("run", run=trained(CNN).id, view="layers", true="7")
    assert "Test image 0 is predicted" in texts(app)
    app.button(key="layers_Previous").click().run()
    assert _in_address(app, "image") == "9999"
    app.number_input(key="layers_image").set_value(12).run()
    assert (_in_address(app, "image"), _in_address(app, "true")) == ("12", "7")
    assert "Test image 12 is predicted" in texts(app)


def _in_address(app: AppTest, name: str) -> str:
    value = app.query_params[name]
    return value if isinstance(value, str) else value[0]


def test_order_and_layer_come_from_the_address(
    open_page: Callable[..., AppTest], trained: Callable[[RunConfig], Run]
) -> None:
    """What is drawn is what the link says."""
    app = open_page("run", run=trained(CNN).id, view="layers", order="most active", layer="conv_1")
    assert not app.error
    assert "5 filters of conv_1, most active" in texts(app)
    assert "5 x 9 weights" in texts(app)


def test_image_that_does_not_exist_is_a_sentence(
    open_page: Callable[..., AppTest], trained: Callable[[RunConfig], Run]
) -> None:
    """The rule, the value and the remedy; the rest of the view stands."""
    app = open_page("run", run=trained(CNN).id, view="layers", image="10000")
    assert (
        "The test image in the address does not exist: image='10000' (0 to 9,999)"
        in app.error[0].value
    )
    assert len(app.dataframe) == 1


def test_changes_by_epoch_are_drawn(
    open_page: Callable[..., AppTest], trained: Callable[[RunConfig], Run], store: Store
) -> None:
    """What the trainer measured, for the layer of the address; a run without measurements says so."""
    run = trained(CNN)
    assert "has no layer measurements" in texts(open_page("run", run=run.id, view="layers"))
    again = trained(CNN)
    spread = Spread(0.0, 1.0, tuple(float(value) for value in range(-4, 5)))
    layers = {
        "conv_1": LayerMeasurement(spread, spread, 0.2),
        "dense_2": LayerMeasurement(spread, spread, None),
    }
    with store.writing() as connection:
        for epoch in (1, 2, 3):
            connection.execute(
                schema.epoch_layers.insert().values(
                    run_id=again.id, epoch=epoch, layers=pack(layers)
                )
            )
    app = open_page("run", run=again.id, view="layers", changes="dense_2")
    assert not app.error
    assert "Activations of dense_2**, before the softmax" in texts(app)
    assert layer_history(store, again.id) == dict.fromkeys((1, 2, 3), layers)


def test_run_without_weights_says_what_to_do(
    open_page: Callable[..., AppTest], train: Callable[..., Run]
) -> None:
    """Structure needs no weights; the rest says why it is missing, and offers to train again."""
    app = open_page(
        "run",
        run=train(state=RunState.FAILED, epochs=1, reason="Its workers died.").id,
        view="layers",
    )
    assert "has left no weights" in app.warning[0].value
    assert "Clone and edit" in [link.label for link in app.get("page_link")]  # type: ignore[union-attr]
    assert len(app.dataframe) == 1


def test_weights_that_are_none_are_a_sentence(
    open_page: Callable[..., AppTest], train: Callable[..., Run]
) -> None:
    """A file whose hash is right and whose content is no network."""
    app = open_page("run", run=train().id, view="layers")
    assert "do not fit its network" in app.warning[0].value
