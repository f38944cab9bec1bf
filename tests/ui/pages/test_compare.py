"""The Compare page: what the address names, every view, verdicts with their numbers, and the seeds that a button queues."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.data.idx import read_labels
from mnist_dash.core.layers import Dense, Flatten
from mnist_dash.formatting import plain
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from tests.comparison_rows import add_runs, answer
from tests.ui.conftest import texts

BASE = RunConfig(
    layers=(Flatten(), Dense(units=16), Dense(units=10, activation="softmax")),
    epochs=3,
    batch_size=1000,
)
REAL = "significance"


@pytest.fixture
def eight(store: Store) -> list[str]:
    """Eight runs: four seeds of each of two batch sizes; the first two have answered the test images."""
    configs = [
        BASE.model_copy(update={"batch_size": batch, "seed": seed})
        for batch in (1000, 500)
        for seed in range(4)
    ]
    ids = add_runs(store, configs, [0.900, 0.901, 0.902, 0.903, 0.9015, 0.9025, 0.9035, 0.9045])
    answer(store, ids[0], [*range(30), *range(100, 121)])
    answer(store, ids[1], [*range(30), *range(200, 237)])
    return ids


def figure(app: AppTest, place: int = 0) -> dict[str, Any]:
    """Read one of the page's charts."""
    drawn = [
        json.loads(element.proto.json)
        for element in app.get("bidi_component")
        if '"figure"' in element.proto.json
    ]
    charts = [json.loads(one["figure"]) for one in drawn if one["figure"]]
    chart: dict[str, Any] = charts[place]
    return chart


def test_without_runs_it_says_how_to_begin(open_page: Callable[..., AppTest], store: Store) -> None:
    """With an empty store the way to training, with runs the field that picks them; picking writes the address."""
    app = open_page("compare")
    assert "No runs yet" in texts(app)
    ids = add_runs(store, [BASE, BASE.model_copy(update={"seed": 1})], [0.9, 0.91])
    app.run()
    assert "Pick two or more runs" in texts(app)
    app.multiselect[0].set_value([ids[1], ids[0]]).run()
    assert app.query_params["runs"] == f"{ids[1]},{ids[0]}"
    assert [trace["name"] for trace in figure(app)["data"]] == [
        f"{store.run(run_id).title} {run_id}" for run_id in (ids[1], ids[0])
    ]


def test_the_address_brings_the_curves_back(
    open_page: Callable[..., AppTest], eight: list[str]
) -> None:
    """Grouping, figure, axis and scale; the mean of each group, and what differs in its name."""
    app = open_page(
        "compare",
        runs=",".join(eight),
        group="batch_size",
        metric="test_accuracy",
        axis="images",
        logy="true",
    )
    chart = figure(app)
    lines = [trace for trace in chart["data"] if trace.get("name")]
    assert [trace["name"] for trace in lines] == ["A: batch size 1000", "B: batch size 500"]
    assert lines[0]["y"][-1] == pytest.approx(1 - 0.9015 + 0.1 / 3)
    assert chart["layout"]["xaxis"]["title"]["text"] == "images trained on"
    assert lines[0]["x"] == [50_000, 100_000, 150_000]
    app.selectbox(key="compare_group").select("seed").run()
    assert app.query_params["group"] == "seed"
    assert len([trace for trace in figure(app)["data"] if trace.get("name")]) == 4


def test_unknown_and_deleted_runs_are_named_and_the_others_shown(
    open_page: Callable[..., AppTest], store: Store, eight: list[str]
) -> None:
    """A sentence each; an impossible choice in the address gets one too."""
    run_actions.delete(store, [eight[2]])
    app = open_page(
        "compare", runs=f"{eight[0]},<b>x,{eight[2]},{eight[1]}", metric="nonsense", view="sideways"
    )
    assert "Unknown run in the address: \\<b\\>x. The other runs are shown." in texts(app)
    assert f"Left out because it is deleted: {eight[2]}. Restore it" in texts(app)
    assert "no known metric: metric=nonsense" in texts(app)
    assert "view='sideways'" in texts(app)
    assert [trace["name"] for trace in figure(app)["data"]] == [
        f"{store.run(run_id).title} {run_id}" for run_id in eight[:2]
    ]


def test_settings_show_only_what_differs(
    open_page: Callable[..., AppTest], eight: list[str]
) -> None:
    """Two columns of settings beside the run and its accuracy; each setting is an axis."""
    app = open_page("compare", runs=",".join(eight), view="settings")
    assert list(app.dataframe[0].value.columns) == [
        "Run",
        "Name",
        "batch size",
        "seed",
        "test accuracy",
    ]
    (drawn,) = figure(app)["data"]
    assert [axis["name"] for axis in drawn["dimensions"]] == ["batch_size", "seed", "test_accuracy"]


def test_any_two_figures_can_be_drawn(open_page: Callable[..., AppTest], eight: list[str]) -> None:
    """A point a run in its own colour, the same as its line has."""
    app = open_page(
        "compare", runs=",".join(eight), view="metrics", x="batch_size", y="last_val_loss"
    )
    points = figure(app)["data"]
    assert [(point["customdata"][0], point["x"][0]) for point in points[::4]] == [
        (eight[0], 1000),
        (eight[4], 500),
    ]
    colors = [point["meta"]["color"] for point in points]
    app.segmented_control(key="view").select("curves").run()
    assert [trace["meta"]["color"] for trace in figure(app)["data"]] == colors


def test_confusions_stand_side_by_side(open_page: Callable[..., AppTest], eight: list[str]) -> None:
    """Two matrices and B less A, whose cells sum to 0."""
    app = open_page("compare", runs=",".join(eight[:2]), view="confusion")
    a, _, difference = (figure(app, place)["data"][0] for place in range(3))
    assert sum(int(cell or 0) for row in a["text"] for cell in row) == 10_000
    assert sum(int(cell or 0) for row in difference["text"] for cell in row) == 0


def test_who_fixed_my_digit(
    open_page: Callable[..., AppTest], store: Store, eight: list[str]
) -> None:
    """The counts, the test, and the very images, of one class where that is asked for."""
    app = open_page("compare", runs=",".join(eight[:2]), view=REAL)
    a, b = (plain(f"{store.run(run_id).title} {run_id}") for run_id in eight[:2])
    assert (
        f"{b} predicts 21 images correctly that {a} does not, and {a} 37 that {b} does not: -0.16 points"
        in texts(app)
    )
    assert "p = 0.048" in texts(app)
    grids = [
        json.loads(element.proto.json)
        for element in app.get("bidi_component")
        if "sprite" in element.proto.json
    ]
    assert [grid["n"] for grid in grids] == [21, 37]
    assert grids[0]["titles"][0].startswith("test image 100: true ")
    app.segmented_control(key="compare_digit").select("3").run()
    assert app.query_params["digit"] == "3"
    n = int((read_labels("mnist", "test", store.settings.data_dir)[200:237] == 3).sum())
    assert f"Newly misclassified in B: {n} image" in texts(app)


def test_without_stored_answers_the_page_says_so(
    open_page: Callable[..., AppTest], eight: list[str]
) -> None:
    """Which runs have none, and that the rest of the page is there."""
    app = open_page("compare", runs=",".join(eight[:2] + eight[4:6]), view=REAL)
    said = texts(app)
    assert "No stored test predictions (not evaluated yet, or not kept by their study): " in said
    assert all(run_id in said for run_id in eight[4:6])
    app = open_page("compare", runs=",".join(eight[4:]), view="confusion")
    assert "of these runs none has them" in texts(app)


def test_noise_offers_the_missing_seeds_and_queues_them(
    open_page: Callable[..., AppTest], store: Store, eight: list[str]
) -> None:
    """The sentence names how many, the button queues as many, and the comparison then includes them."""
    app = open_page("compare", runs=",".join(eight), view=REAL)
    said = texts(app)
    assert "within the noise of seeds" in said
    (button,) = [button for button in app.button if str(button.key).startswith("compare_seeds")]
    n = int(button.label.split()[1])
    assert f"add {n // 2} seeds of each" in said
    button.click().run()
    assert store.count(states=[RunState.QUEUED]) == n
    assert len(app.query_params["runs"].split(",")) == 8 + n
    assert "The missing seeds are queued or running." in texts(app)
    assert not [button for button in app.button if str(button.key).startswith("compare_seeds")]


def test_a_real_difference_is_called_so_and_the_choice_counted(
    open_page: Callable[..., AppTest], store: Store
) -> None:
    """Welch's test with its numbers; the best of all runs of the store says that it is."""
    configs = [
        BASE.model_copy(update={"batch_size": batch, "seed": seed})
        for batch in (1000, 500)
        for seed in range(3)
    ]
    ids = add_runs(store, configs, [0.90, 0.901, 0.902, 0.92, 0.921, 0.922])
    with store.writing() as connection:
        connection.execute(
            schema.runs.update().where(schema.runs.c.id == ids[0]).values(name="*best*")
        )
    app = open_page("compare", runs=",".join([*ids[:2], *ids[4:]]), view=REAL, reference=ids[4])
    assert "A is worse than B: its mean test accuracy is 2.10 points lower" in texts(app)
    assert "The best run here has the highest test accuracy of 6 runs" in texts(app)
    assert app.dataframe[0].value["Verdict"].tolist() == ["worse", "reference"]
    app.segmented_control(key="view").select("curves").run()
    assert figure(app)["data"][0]["name"] == "*best*"
