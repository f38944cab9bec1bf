"""The System page with and without workers."""

from __future__ import annotations

import os
from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from mnist_dash.formatting import plain
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from tests.runs.conftest import new_worker
from tests.ui.conftest import CONFIG, texts


def test_no_worker_says_how_to_start_one(open_page: Callable[..., AppTest]) -> None:
    """Without workers the page says what to do."""
    assert "Start one with `mnist-dash worker`" in texts(open_page("system"))


def test_names_workers_queue_and_storage(
    open_page: Callable[..., AppTest], train: Callable[..., Run], store: Store
) -> None:
    """A worker with its run, what waits behind it, and the room that all of it takes."""
    run = train(state=None, epochs=1)
    waiting = run_actions.submit(store, CONFIG)
    app = open_page("system")
    links = [link.label for link in app.get("page_link")]  # type: ignore[union-attr]
    assert f"Training {plain(store.run(run.id).title)}" in links
    assert plain(store.run(waiting).title) in links
    assert next(metric for metric in app.metric if metric.label == "Runs").value == "2"
    assert "streamlit" in app.dataframe[0].value["Package"].tolist()


def test_hosts_are_a_table_and_a_run_out_of_reach_is_told(
    open_page: Callable[..., AppTest], store: Store
) -> None:
    """Slots by host and device; a queued run for a device that nobody has says so in the queue, on its page and in the list."""
    gpu = new_worker(store, "gpu", pid=os.getpid(), device="cuda")
    new_worker(store, "cpu", pid=os.getpid())
    run_id = run_actions.submit(store, CONFIG.model_copy(update={"device": "cuda"}))
    slots = open_page("system").dataframe[0].value
    assert slots[["Device", "Slots", "Idle"]].values.tolist() == [["CPU", 1, 1], ["CUDA", 1, 1]]
    gpu.sign_off()
    sentence = "no living worker has one"
    assert sentence in texts(open_page("system"))
    assert sentence in texts(open_page("run", run=run_id))
    assert sentence in open_page("runs").dataframe[0].value["Comments"].iloc[0]


def test_files_of_old_runs_are_shown_and_removed(
    open_page: Callable[..., AppTest], train: Callable[..., Run], store: Store
) -> None:
    """Nothing goes before it was shown and confirmed; afterwards the page and the run say what went."""
    run = train()
    app = open_page("system")
    assert "retention_apply" not in {button.key for button in app.button}
    app.number_input(key="retention_gb").set_value(0.0).run()
    assert "1 run, " in texts(app)
    assert artifacts.has(store, run.id, ArtifactKind.WEIGHTS)
    app.button(key="retention_apply").click().run()
    assert not app.exception
    assert not artifacts.has(store, run.id, ArtifactKind.WEIGHTS)
    assert any("The files of 1 run were removed" in said.value for said in app.success)
    assert "by the rule: at most 0 B of artifacts, starred runs kept." in texts(
        open_page("run", run=run.id, view="errors")
    )
