"""The Runs page with no run, one and many."""

from __future__ import annotations

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from mnist_dash.runs import actions
from mnist_dash.runs.records import Run
from mnist_dash.runs.states import RunState
from mnist_dash.runs.store import Store
from mnist_dash.ui.runs_table import PAGE_SIZE

from .conftest import CONFIG, texts


def select(app: AppTest, *rows: int) -> AppTest:
    """Tick rows of the table."""
    app.session_state["runs_selected"] = tuple(app.session_state["runs_shown"][row] for row in rows)
    return app.run()


def test_no_runs_says_what_to_do(open_page: Callable[..., AppTest]) -> None:
    """The empty page leads to training."""
    app = open_page("runs")
    assert "No runs yet" in texts(app)
    assert not app.dataframe


def test_one_run_is_listed_with_its_figures(open_page: Callable[..., AppTest], train: Callable[..., Run]) -> None:
    """State, settings, curve and figures of a run."""
    run = train()
    (row,) = open_page("runs").dataframe[0].value.to_dict("records")
    assert (row["Run"], row["Network"], row["Epochs"], row["Test"]) == (run.id, "dense 512 – dense 256", "3 of 3", 98.0)
    assert [round(value, 2) for value in row["Curve"]] == [0.91, 0.93, 0.95]


def test_many_runs_are_paged_newest_first(open_page: Callable[..., AppTest], store: Store) -> None:
    """A page holds its share, and the address says which page it is."""
    ids = [actions.submit(store, CONFIG) for _ in range(PAGE_SIZE + 3)]
    assert open_page("runs").dataframe[0].value["Run"].tolist() == ids[::-1][:PAGE_SIZE]


def test_the_address_says_which_page(open_page: Callable[..., AppTest], store: Store) -> None:
    """A link to the second page opens the second page."""
    ids = [actions.submit(store, CONFIG) for _ in range(PAGE_SIZE + 3)]
    assert open_page("runs", page="2").dataframe[0].value["Run"].tolist() == ids[:3][::-1]


def test_filter_shows_some_states_only(open_page: Callable[..., AppTest], train: Callable[..., Run], store: Store) -> None:
    """Live runs are a view of their own."""
    train()
    live = actions.submit(store, CONFIG)
    assert open_page("runs", show="live").dataframe[0].value["Run"].tolist() == [live]


def test_delete_can_be_undone(open_page: Callable[..., AppTest], train: Callable[..., Run], store: Store) -> None:
    """A deleted run leaves the list and comes back."""
    run = train()
    app = select(open_page("runs"), 0)
    app.button(key="runs_Delete").click().run()
    assert store.count() == 0
    assert run.id in texts(app)
    app.button(key="runs_undo").click().run()
    assert app.dataframe[0].value["Run"].tolist() == [run.id]


def test_deleted_runs_can_be_restored_later(open_page: Callable[..., AppTest], train: Callable[..., Run], store: Store) -> None:
    """The bin is a view with a way back."""
    actions.delete(store, [train().id])
    app = select(open_page("runs", show="deleted"), 0)
    app.button(key="runs_Restore").click().run()
    assert store.count() == 1


def test_stop_names_its_run(open_page: Callable[..., AppTest], store: Store) -> None:
    """The button says which run it stops, and stops that one."""
    first, second = (actions.submit(store, CONFIG) for _ in range(2))
    app = select(open_page("runs"), 1)
    button = app.button(key="runs_Stop")
    assert button.label == f"Stop {first}"
    button.click().run()
    assert (store.run(first).state, store.run(second).state) == (RunState.STOPPED, RunState.QUEUED)


def test_order_is_frozen_while_something_is_selected(open_page: Callable[..., AppTest], store: Store) -> None:
    """A run that arrives does not push rows under a person's pointer."""
    first = actions.submit(store, CONFIG)
    app = select(open_page("runs"), 0)
    actions.submit(store, CONFIG)
    app.run()
    assert app.dataframe[0].value["Run"].tolist() == [first]
    app.button(key="runs_clear").click().run()
    assert len(app.dataframe[0].value) == 2
