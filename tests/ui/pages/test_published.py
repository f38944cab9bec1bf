"""The Published page: nothing run, one run, a sweep, and an address that names nothing."""

from __future__ import annotations

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from mnist_dash.core.config.presets import PRESETS
from mnist_dash.core.config.published import EXPERIMENTS
from mnist_dash.formatting import plain
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from tests.ui.conftest import texts


def test_lists_every_experiment_before_any_run(open_page: Callable[..., AppTest]) -> None:
    """All rows are there, none of them run."""
    app = open_page("published")
    rows = app.dataframe[0].value
    assert rows["Experiment"].tolist() == [ready.name for ready in EXPERIMENTS]
    assert rows["Runs"].sum() == 0
    assert app.metric[0].value == f"0 of {len(EXPERIMENTS)}"


def test_opens_an_experiment_from_its_link(
    open_page: Callable[..., AppTest], train: Callable[..., Run]
) -> None:
    """The published figures stand beside those of our run, the caveat is told, and the run is linked."""
    run = train(PRESETS["mlp_784_adam"].config, preset="mlp_784_adam")
    app = open_page("published", experiment="mlp_784_adam")
    row = app.dataframe[0].value.set_index("Experiment").loc["mlp_784_adam"]
    assert (row["Runs"], row["Our accuracy"], row["Verdict"]) == (1, 98.0, "within 0.3 points")
    assert "out of reach of SGD" in texts(app)
    assert any(plain(run.title) in link.label for link in app.get("page_link"))  # type: ignore[union-attr]


def test_three_seeds_are_queued_that_are_not_there_yet(
    open_page: Callable[..., AppTest], train: Callable[..., Run], store: Store
) -> None:
    """The button adds new seeds, never the same run again."""
    train(PRESETS["linear_10_10"].config, preset="linear_10_10")
    app = open_page("published", experiment="linear_10_10")
    app.button(key="published_seeds").click().run()
    assert not app.exception
    queued = store.runs(states=[RunState.QUEUED])
    assert sorted(run.config.seed for run in queued) == [1, 2, 3]
    assert {run.preset for run in queued} == {"linear_10_10"}


def test_sweep_runs_every_value(open_page: Callable[..., AppTest], store: Store) -> None:
    """One click on a sweep is one run a value."""
    app = open_page("published", experiment="sweep_batch_size")
    app.button(key="published_run").click().run()
    assert sorted(run.config.batch_size for run in store.runs(states=[RunState.QUEUED])) == [
        16,
        32,
        64,
        128,
        256,
    ]


def test_unknown_experiment_is_a_sentence(open_page: Callable[..., AppTest]) -> None:
    """The table stays, and the sentence names what was asked for."""
    app = open_page("published", experiment="mlp_9")
    assert "'mlp_9'" in app.error[0].value
    assert len(app.dataframe[0].value) == len(EXPERIMENTS)
