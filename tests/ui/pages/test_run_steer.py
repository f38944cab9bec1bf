"""Steering on the Run page, with a worker that the test plays; and the coach's card."""

from __future__ import annotations

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from mnist_dash.core.config.changes import with_change
from mnist_dash.formatting import plain
from mnist_dash.runs.actions import run_actions, steering
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from tests.ui.conftest import CONFIG, texts

OpenPage = Callable[..., AppTest]


def test_a_waiting_run_is_paused_and_resumed(open_page: OpenPage, store: Store) -> None:
    """The button turns into its opposite."""
    run_id = run_actions.submit(store, CONFIG)
    app = open_page("run", run=run_id)
    app.button(key="steer_pause").click().run()
    assert store.run(run_id).state is RunState.PAUSED
    app.button(key="steer_resume").click().run()
    assert store.run(run_id).state is RunState.QUEUED
    assert "Paused before it began" in texts(app)


def test_a_change_is_asked_for(
    open_page: OpenPage, train: Callable[..., Run], store: Store
) -> None:
    """What is typed is what the worker will be told; nonsense is answered with its rule."""
    run = train(state=None, epochs=1)
    app = open_page("run", run=run.id)
    assert app.button(key="steer_change_submit").disabled
    app.text_input(key=f"steer_change_{run.id}_learning_rate").set_value("much").run()
    app.button(key="steer_change_submit").click().run()
    assert "'much' is no number" in texts(app)
    app.text_input(key=f"steer_change_{run.id}_learning_rate").set_value("1e-4").run()
    app.button(key="steer_change_submit").click().run()
    assert '"learning_rate": 0.0001' in (store.run(run.id).change_requested or "")
    assert "learning rate 0.0001" in texts(app)


def test_a_fork_is_one_run_and_opens(
    open_page: OpenPage, train: Callable[..., Run], store: Store
) -> None:
    """The same wish twice in one visit is the same run, its page draws the parent's line, and the parent names it."""
    parent = train()
    app = open_page("run", run=parent.id)
    app.number_input(key=f"steer_fork_epoch_{parent.id}").set_value(2).run()
    app.text_input(key=f"steer_fork_{parent.id}_learning_rate").set_value("1e-4").run()
    assert "from the checkpoint of epoch 2" in texts(app)
    app.button(key="steer_fork_submit").click().run()
    (child,) = steering.children(store, parent.id)
    assert (child.epoch, child.config) == (2, with_change(CONFIG, 2, {"learning_rate": 1e-4}))
    assert f":gray[{child.id}]" in app.title[0].value
    assert f"From {plain(parent.title)} after epoch 2" in [
        link.label  # type: ignore[union-attr]
        for link in app.get("page_link")
    ]
    app = open_page("run", run=parent.id)
    assert any(
        link.label.startswith(f"{plain(child.title)} after epoch 2")  # type: ignore[union-attr]
        for link in app.get("page_link")
    )


def test_an_ended_run_is_continued_and_trained_again(
    open_page: OpenPage, train: Callable[..., Run], store: Store
) -> None:
    """Each begins a run that knows where it comes from."""
    parent = train(state=RunState.STOPPED, epochs=1)
    app = open_page("run", run=parent.id)
    app.button(key="steer_continue_submit").click().run()
    app = open_page("run", run=parent.id)
    app.button(key="steer_again").click().run()
    assert [(child.parent_epoch, child.epoch) for child in steering.children(store, parent.id)] == [
        (1, 1),
        (0, 0),
    ]


def test_the_train_page_shows_and_drops_changes(open_page: OpenPage, store: Store) -> None:
    """A copy of a steered run is steered as well, until a person says otherwise."""
    run_id = run_actions.submit(store, with_change(CONFIG, 2, {"batch_size": 100}))
    app = open_page("train", **{"from": run_id})
    assert "After epoch 2: batch size 500 → 100" in texts(app)
    app.button(key="train_no_changes").click().run()
    assert "After epoch 2" not in texts(app)
    app.button(key="train_submit").click().run()
    assert store.runs(limit=1)[0].config == CONFIG


def test_the_coach_names_what_it_sees(open_page: OpenPage, train: Callable[..., Run]) -> None:
    """A leak is found, with a link to a copy without it; a run without findings has no card."""
    from mnist_dash.core.config.run_config import TestAsValidation

    leaky = train(CONFIG.model_copy(update={"split": TestAsValidation()}))
    app = open_page("run", run=leaky.id)
    assert "Validate on the last sixth" in texts(app)
    assert "Clone with this change" in [link.label for link in app.get("page_link")]  # type: ignore[union-attr]
    app = open_page("run", run=train().id)
    assert "Coach" not in texts(app)
