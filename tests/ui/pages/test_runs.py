"""The Runs page with no run, one and many."""

from __future__ import annotations

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.optimizers import SGD
from mnist_dash.runs.actions import run_actions, run_annotations
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.ui.pages.runs.table import PAGE_SIZE
from tests.trained import tags_of
from tests.ui.conftest import CONFIG, texts
from tests.ui.gestures import tick_rows


def test_no_runs_says_what_to_do(open_page: Callable[..., AppTest]) -> None:
    """The empty page leads to training."""
    app = open_page("runs")
    assert "No runs yet" in texts(app)
    assert not app.dataframe


def test_one_run_is_listed_with_its_figures(
    open_page: Callable[..., AppTest], train: Callable[..., Run]
) -> None:
    """State, settings, curve and figures of a run."""
    run = train()
    (row,) = open_page("runs").dataframe[0].value.to_dict("records")
    assert (row["Run"], row["Network"], row["Epochs"], row["Test"]) == (
        run.id,
        "dense 512 – dense 256",
        "3 of 3",
        98.0,
    )
    assert [round(value, 2) for value in row["Curve"]] == [0.91, 0.93, 0.95]


def test_many_runs_are_paged_newest_first(open_page: Callable[..., AppTest], store: Store) -> None:
    """A page holds its share, and the address says which page it is."""
    ids = [run_actions.submit(store, CONFIG) for _ in range(PAGE_SIZE + 3)]
    assert open_page("runs").dataframe[0].value["Run"].tolist() == ids[::-1][:PAGE_SIZE]


def test_the_address_says_which_page(open_page: Callable[..., AppTest], store: Store) -> None:
    """A link to the second page opens the second page."""
    ids = [run_actions.submit(store, CONFIG) for _ in range(PAGE_SIZE + 3)]
    assert open_page("runs", page="2").dataframe[0].value["Run"].tolist() == ids[:3][::-1]


def test_filter_shows_some_states_only(
    open_page: Callable[..., AppTest], train: Callable[..., Run], store: Store
) -> None:
    """Live runs are a view of their own."""
    train()
    live = run_actions.submit(store, CONFIG)
    assert open_page("runs", show="live").dataframe[0].value["Run"].tolist() == [live]


def test_delete_can_be_undone(
    open_page: Callable[..., AppTest], train: Callable[..., Run], store: Store
) -> None:
    """A deleted run leaves the list and comes back."""
    run = train()
    app = tick_rows(open_page("runs"), 0)
    app.button(key="runs_Delete").click().run()
    assert store.count() == 0
    assert run.id in texts(app)
    app.button(key="runs_undo").click().run()
    assert app.dataframe[0].value["Run"].tolist() == [run.id]


def test_deleted_runs_can_be_restored_later(
    open_page: Callable[..., AppTest], train: Callable[..., Run], store: Store
) -> None:
    """The bin is a view with a way back."""
    run_actions.delete(store, [train().id])
    app = tick_rows(open_page("runs", show="deleted"), 0)
    app.button(key="runs_Restore").click().run()
    assert store.count() == 1


def test_stop_names_its_run(open_page: Callable[..., AppTest], store: Store) -> None:
    """The button says which run it stops, and stops that one."""
    first, second = (run_actions.submit(store, CONFIG) for _ in range(2))
    app = tick_rows(open_page("runs"), 1)
    button = app.button(key="runs_Stop")
    assert button.label == f"Stop {first}"
    button.click().run()
    assert (store.run(first).state, store.run(second).state) == (RunState.STOPPED, RunState.QUEUED)


def test_order_is_frozen_while_something_is_selected(
    open_page: Callable[..., AppTest], store: Store
) -> None:
    """A run that arrives does not push rows under a person's pointer."""
    first = run_actions.submit(store, CONFIG)
    app = tick_rows(open_page("runs"), 0)
    run_actions.submit(store, CONFIG)
    app.run()
    assert app.dataframe[0].value["Run"].tolist() == [first]
    app.button(key="runs_clear").click().run()
    assert len(app.dataframe[0].value) == 2


def listed(app: AppTest) -> list[str]:
    """Name the runs of the table."""
    return [str(run_id) for run_id in app.dataframe[0].value["Run"]]


def test_a_table_that_was_replaced_selects_nothing(
    open_page: Callable[..., AppTest], store: Store
) -> None:
    """A late word from the browser about rows that may be other runs by now changes no selection."""
    first, _, third = (run_actions.submit(store, CONFIG) for _ in range(3))
    app = open_page("runs")
    replaced = app.dataframe[0]
    assert f"**2 runs:** `{third}`, `{first}`" in texts(tick_rows(app, 0, 2))
    app.button(key="runs_clear").click().run()
    assert "**2 runs:**" not in texts(tick_rows(app, 0, 2, table=replaced))
    assert f"**2 runs:** `{third}`, `{first}`" in texts(tick_rows(app, 0, 2))


def test_a_query_filters(open_page: Callable[..., AppTest], train: Callable[..., Run]) -> None:
    """What is typed narrows the list; the address brings it back; a query that none meets says so."""
    train()
    slow = train(RunConfig(epochs=3, batch_size=500, optimizer=SGD()))
    app = open_page("runs", q='optimizer == "sgd" and best_val_accuracy >= 95%')
    assert listed(app) == [slow.id]
    app.text_input(key="q").set_value("test_accuracy > 99%").run()
    assert "No run matches the query." in texts(app)
    assert not app.dataframe


def test_a_typo_is_shown_below_the_query(
    open_page: Callable[..., AppTest], train: Callable[..., Run]
) -> None:
    """The sentence proposes the nearest field, and a mark stands below what is wrong."""
    train()
    app = open_page("runs", q='optimzer == "sgd"')
    assert "Did you mean optimizer?" in app.error[0].value
    assert app.code[0].value == 'optimzer == "sgd"\n^^^^^^^^'
    assert not app.dataframe


def test_choosing_writes_the_query(
    open_page: Callable[..., AppTest], train: Callable[..., Run], store: Store
) -> None:
    """A filter that is clicked stands in the query beside what was typed, and clearing it takes it out again."""
    first, second = train(), train()
    run_annotations.add_tags(store, [first.id], ["demo"])
    app = open_page("runs", q="epoch == 3")
    app.multiselect(key="runs_pick_tag").set_value(["demo"]).run()
    assert (app.text_input(key="q").value, listed(app)) == (
        'epoch == 3 and tag == "demo"',
        [first.id],
    )
    app.multiselect(key="runs_pick_tag").set_value([]).run()
    assert (app.text_input(key="q").value, listed(app)) == ("epoch == 3", [second.id, first.id])


def test_any_column_can_be_shown_and_sorted_by(
    open_page: Callable[..., AppTest], train: Callable[..., Run]
) -> None:
    """The database sorts; a setting is a column like any figure."""
    small = train(RunConfig(epochs=3, batch_size=100))
    large = train(RunConfig(epochs=3, batch_size=500))
    app = open_page("runs", sort="Batch size", up="true")
    assert listed(app) == [small.id, large.id]
    app.multiselect(key="cols").set_value(["batch_size", "optimizer.learning_rate", "tag"]).run()
    assert list(app.dataframe[0].value.columns) == ["Run", "Batch", "Learning rate", "Tags"]
    assert app.dataframe[0].value["Batch"].tolist() == [100, 500]


def test_best_and_last_say_which(
    open_page: Callable[..., AppTest], train: Callable[..., Run]
) -> None:
    """Two columns of validation accuracy, each with its name."""
    train()
    (row,) = open_page("runs").dataframe[0].value.to_dict("records")
    assert {"Best validation", "Last validation"} <= set(row)


def test_only_what_differs(open_page: Callable[..., AppTest], train: Callable[..., Run]) -> None:
    """Columns in which all rows agree go, settings in which they do not come."""
    train()
    train(RunConfig(epochs=3, batch_size=500, seed=7))
    columns = set(open_page("runs", differ="true").dataframe[0].value.columns)
    assert {"Run", "Seed"} <= columns
    assert not {"State", "Network", "Batch", "Test", "Learning rate"} & columns


def test_groups_have_means(open_page: Callable[..., AppTest], train: Callable[..., Run]) -> None:
    """Number, mean and deviation of each group, and of how many runs a figure is that some lack."""
    train()
    train(RunConfig(epochs=3, batch_size=500, seed=1))
    train(RunConfig(epochs=3, batch_size=500, optimizer=SGD()), state=RunState.STOPPED)
    app = open_page("runs", **{"as": "groups"})
    rows = {row["Optimizer"]: row for row in app.dataframe[0].value.to_dict("records")}
    assert (rows["adam"]["Runs"], rows["sgd"]["Runs"]) == ("2 runs", "1 run")
    assert round(rows["adam"]["Best validation"], 4) == 95.0
    assert rows["adam"]["Best validation ±"] == 0
    assert (rows["adam"]["Test of"], rows["sgd"]["Test of"]) == (2, 0)


def test_archive_can_be_undone(
    open_page: Callable[..., AppTest], train: Callable[..., Run], store: Store
) -> None:
    """An archived run leaves the list, not the store, and comes back at once or from the archive."""
    run = train()
    app = tick_rows(open_page("runs"), 0)
    app.button(key="runs_Archive").click().run()
    assert not app.dataframe
    assert f"Archived `{run.id}`" in texts(app)
    app.button(key="runs_undo").click().run()
    assert listed(app) == [run.id]
    run_annotations.archive(store, [run.id])
    app.segmented_control(key="show").set_value("archived").run()
    app = tick_rows(app, 0)
    app.button(key="runs_Unarchive").click().run()
    assert store.run(run.id).archived_at is None


def test_marks_are_shown_as_typed(
    open_page: Callable[..., AppTest], train: Callable[..., Run], store: Store
) -> None:
    """A star, a tag, a name with HTML and notes with Markdown, written on the selected run; the table has them letter by letter."""
    run = train()
    app = tick_rows(open_page("runs"), 0)
    app.button(key="runs_star").click().run()
    app.multiselect(key=f"mark_tags_{run.id}_{hash(())}").set_value(["v1.2"]).run()
    app.text_input(key=f"mark_name_{run.id}").set_value("<b>*wide*</b>").run()
    app.text_area(key=f"mark_notes_{run.id}").set_value("# no heading").run()
    (row,) = app.dataframe[0].value.to_dict("records")
    assert (row["★"], row["Tags"], row["Name"], row["Notes"]) == (
        "★",
        ["v1.2"],
        "<b>*wide*</b>",
        "# no heading",
    )
    app.multiselect(key=f"mark_tags_{run.id}_{hash(('v1.2',))}").set_value(
        ["v1.2", "two words"]
    ).run()
    assert "without spaces" in texts(app)
    assert tags_of(store, run.id) == ("v1.2",)


def test_comparing_takes_two(open_page: Callable[..., AppTest], train: Callable[..., Run]) -> None:
    """The way to the comparison appears with the second run."""
    train()
    train()
    app = tick_rows(open_page("runs"), 0)
    assert "runs_compare" not in {button.key for button in app.button}
    app = tick_rows(app, 0, 1)
    assert "runs_compare" in {button.key for button in app.button}


def test_views_are_kept_by_name(
    open_page: Callable[..., AppTest], train: Callable[..., Run]
) -> None:
    """A saved view brings back query, order, columns and groups; a deleted one can be brought back."""
    train()
    app = open_page("runs", q="epoch == 3", sort="Test", up="true")
    app.multiselect(key="cols").set_value(["optimizer.learning_rate"]).run()
    app.text_input(key="runs_view_name").set_value("by <test>")
    next(button for button in app.button if button.label == "Save").click().run()
    app.text_input(key="q").set_value("epoch == 4").run()
    app.button(key="runs_view_0").click().run()
    assert (
        app.text_input(key="q").value,
        app.selectbox(key="sort").value,
        app.toggle(key="up").value,
    ) == (
        "epoch == 3",
        "test_accuracy",
        True,
    )
    assert list(app.dataframe[0].value.columns) == ["Run", "Learning rate"]
    app.button(key="runs_view_delete_0").click().run()
    assert "runs_view_0" not in {button.key for button in app.button}
    app.button(key="runs_view_undo").click().run()
    assert app.button(key="runs_view_0").label == "by \\<test\\>"


def test_the_metric_that_sorts_stands_among_the_first_columns(
    open_page: Callable[..., AppTest], train: Callable[..., Run]
) -> None:
    """Columns without anything in them are hidden, and what a person sorts by follows the name."""
    train()
    shown = list(open_page("runs", sort="Learning rate").dataframe[0].value.columns)
    assert shown[:4] == ["Run", "Name", "State", "Learning rate"]
    assert not {"Notes", "Tags"} & set(shown)
