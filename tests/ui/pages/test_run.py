"""The Run page: live, ended in every way, and unknown."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from mnist_dash.core.config.naming import run_name
from mnist_dash.core.config.run_config import RunConfig, TestAsValidation
from mnist_dash.formatting import plain
from mnist_dash.runs.actions import run_actions, run_annotations
from mnist_dash.runs.execution.processes import machine_id
from mnist_dash.runs.execution.worker_records import WorkerIdentity, WorkerRecords
from mnist_dash.runs.store.engine import Job
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store, update
from mnist_dash.runs.store.states import RunState
from mnist_dash.ui.pages.run.live import tab_title
from tests.ui.conftest import CONFIG, texts


def test_unknown_run_is_a_sentence_and_a_way_on(open_page: Callable[..., AppTest]) -> None:
    """A link that names no run leads to the list."""
    app = open_page("run", run="deadbeef")
    assert "No run 'deadbeef'" in app.error[0].value
    assert "See all runs" in [link.label for link in app.get("page_link")]  # type: ignore[union-attr]


def test_no_run_at_all_is_a_sentence(open_page: Callable[..., AppTest]) -> None:
    """The page without its parameter says what is missing."""
    assert "names no run" in open_page("run").error[0].value


def test_queued_run_waits_and_can_be_stopped(
    open_page: Callable[..., AppTest], store: Store
) -> None:
    """Stop takes a queued run out at once, and the page says so."""
    run_id = run_actions.submit(store, CONFIG)
    app = open_page("run", run=run_id)
    assert app.progress[0].text.startswith("Waiting for a worker")
    app.button(key="run_stop").click().run()
    assert store.run(run_id).state is RunState.STOPPED
    app.run()
    assert "Stopped by hand" in texts(app)


def test_running_run_shows_progress_and_figures(
    open_page: Callable[..., AppTest], train: Callable[..., Run]
) -> None:
    """Epoch of epochs, share done and the best validation accuracy."""
    run = train(state=None, epochs=2)
    app = open_page("run", run=run.id)
    assert app.progress[0].value == 66
    assert app.progress[0].text.startswith("Epoch 3 of 3")
    assert ":small[:gray[Best validation]]  \n**93.00 %** :small[epoch 2]" in texts(app)
    assert ":small[:gray[Validation]]  \n**93.00 %** :small[:green[▲ 2.00]]" in texts(app)


def test_finished_run_shows_its_results(
    open_page: Callable[..., AppTest], train: Callable[..., Run]
) -> None:
    """Accuracy with its interval, matrix, report, layers and downloads."""
    run = train()
    app = open_page("run", run=run.id)
    accuracy = next(metric for metric in app.metric if metric.label == "Test accuracy")
    assert (accuracy.value, accuracy.delta) == ("98.00 %", "95 % interval 97.71 to 98.26 %")
    report, layers = (frame.value for frame in app.dataframe)
    assert report["Images"].sum() == 10_000
    assert layers["Parameters"].sum() == run.n_parameters
    assert "10,000 test images" in texts(app)
    assert len(app.get("download_button")) == 12


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (RunState.DIVERGED, "The loss became infinite in epoch 3."),
        (RunState.FAILED, "Its workers died 5 times."),
        (RunState.STOPPED, "Stopped by hand."),
    ],
)
def test_says_why_a_run_ended(
    open_page: Callable[..., AppTest], train: Callable[..., Run], state: RunState, reason: str
) -> None:
    """The reason stands on top; the page is whole without results."""
    app = open_page("run", run=train(state=state, epochs=1, reason=reason).id)
    assert reason in texts(app)
    assert "The test set was not evaluated" in texts(app)


def test_marks_the_leak(open_page: Callable[..., AppTest], train: Callable[..., Run]) -> None:
    """Results of a run that validated on the test set are marked."""
    app = open_page(
        "run", run=train(RunConfig(epochs=3, batch_size=500, split=TestAsValidation())).id
    )
    assert "leak" in app.warning[0].value


def test_damaged_artifact_is_a_sentence(
    open_page: Callable[..., AppTest], train: Callable[..., Run], store: Store
) -> None:
    """A flipped byte is named instead of being drawn."""
    run = train()
    (path,) = store.settings.artifact_dir.rglob("test_probabilities*")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    app = open_page("run", run=run.id)
    assert "SHA-256" in texts(app)


def test_choices_of_the_charts_come_from_the_address(
    open_page: Callable[..., AppTest], train: Callable[..., Run]
) -> None:
    """Axis, smoothing and scale are shared with the link."""
    app = open_page("run", run=train().id, x="step", smooth="0.5", log="true")
    assert app.session_state["x"] == "step"
    assert app.slider(key="smooth").value == 0.5
    assert app.toggle(key="log").value


def test_marks_are_shown_and_written_on_the_page(
    open_page: Callable[..., AppTest], train: Callable[..., Run], store: Store
) -> None:
    """Name, tags and notes stand on the page as typed and are changed there."""
    run = train()
    run_annotations.rename(store, run.id, "<b>wide</b>")
    run_annotations.add_tags(store, [run.id], ["demo"])
    run_annotations.write_notes(store, run.id, "# as typed")
    app = open_page("run", run=run.id)
    assert app.title[0].value.startswith(f"\\<b\\>wide\\</b\\> :small[:gray[{run.id}]]")
    assert ":blue-badge[demo]" in texts(app)
    assert app.text[0].value == "# as typed"
    app.button(key="run_rename").click().run()
    app.text_input(key=f"mark_name_{run.id}").set_value("").run()
    app.button(key="run_star").click().run()
    assert app.title[0].value.startswith(
        f"{plain(run_name(run.config, run.id))} :small[:gray[{run.id}]]"
    )
    assert store.run(run.id).starred


def test_the_tab_says_how_far_and_how_good(train: Callable[..., Run]) -> None:
    """Progress and metric while a run trains, its final metric in the end."""
    live, ended = train(state=None, epochs=2), train()
    assert tab_title(live) == f"2/3 · 93.00 % · {live.title}"
    assert tab_title(ended) == f"98.00 % · {ended.title}"


@pytest.mark.parametrize(("epoch", "offered"), [(9_996, True), (9_999, True), (10_000, False)])
def test_the_longest_run_has_no_continuation(
    open_page: Callable[..., AppTest],
    train: Callable[..., Run],
    store: Store,
    *,
    epoch: int,
    offered: bool,
) -> None:
    """Where no epoch can be added there is no field for it, and near the end it proposes what is still allowed."""
    run = train(CONFIG.model_copy(update={"epochs": 10_000}), state=RunState.STOPPED)
    with store.writing() as connection:
        update(connection, run.id, epoch=epoch)
    app = open_page("run", run=run.id)
    fields = [
        field.value for field in app.number_input if field.key == f"steer_continue_epochs_{run.id}"
    ]
    assert fields == ([10_000] if offered else [])


def test_queued_run_says_what_it_waits_for(
    store: Store, open_page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No worker where none is kept; one that starts where one is; a busy one; and a free one."""
    run_id = run_actions.submit(store, CONFIG)

    def said() -> str:
        return str(open_page("run", run=run_id).progress[0].text)

    assert "none is running. Start one with" in said()
    monkeypatch.setenv("MNIST_DASH_WORKERS", "1")
    assert "it is starting" in said()
    worker = WorkerRecords(
        store, WorkerIdentity("played", "here", machine_id(), os.getpid(), "cpu", 2)
    )
    worker.sign_on()
    assert said() == "Waiting for a worker"
    worker.claim(Job(run_actions.submit(store, CONFIG.model_copy(update={"seed": 5})), 1))
    assert "all are busy" in said()
