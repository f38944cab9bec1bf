"""How pages show the state of a run: its icon and colour, and how far it is."""

from __future__ import annotations

from mnist_dash import formatting
from mnist_dash.errors import UnknownRun
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.states import RunState
from mnist_dash.ui.app.resources import store

STATE_LOOK: dict[RunState, tuple[str, str]] = {
    RunState.QUEUED: (":material/schedule:", "gray"),
    RunState.RUNNING: (":material/play_circle:", "blue"),
    RunState.PAUSED: (":material/pause_circle:", "orange"),
    RunState.FINISHED: (":material/check_circle:", "green"),
    RunState.STOPPED: (":material/stop_circle:", "orange"),
    RunState.PRUNED: (":material/content_cut:", "violet"),
    RunState.DIVERGED: (":material/trending_up:", "red"),
    RunState.FAILED: (":material/error:", "red"),
}
"""Icon and colour of each state."""


def badge(state: RunState) -> str:
    """Write a state as a coloured badge in Markdown."""
    icon, color = STATE_LOOK[state]
    return f":{color}-badge[{icon} {state}]"


def title_of(run_id: str) -> str:
    """Give the name of a run for Markdown; its id where it is gone."""
    try:
        return formatting.plain(store().run(run_id).title)
    except UnknownRun:
        return f"deleted run {run_id}"


def progress(run: Run) -> str:
    """Say where a live run is: ``Epoch 3 of 5, 12 s left``."""
    if run.state is RunState.QUEUED:
        return (
            _waiting()
            if run.attempt == 0
            else f"Its worker is gone. The run continues from its last checkpoint. {_waiting()}"
        )
    now = min(run.epoch + 1, run.config.epochs)
    left = f", {formatting.duration(run.seconds_left)} left" if run.seconds_left is not None else ""
    return f"Epoch {now} of {run.config.epochs}{left}"


def _waiting() -> str:
    """Say what a queued run waits for."""
    alive = [worker for worker in store().workers() if worker.state != "gone"]
    if any(worker.state == "idle" for worker in alive):
        return "Waiting for a worker"
    if alive:
        return "Waiting for a worker: all are busy"
    if store().settings.keeps_workers:
        return "Waiting for a worker: it is starting and loads PyTorch, a few seconds"
    return "Waiting for a worker: none is running. Start one with `python -m mnist_dash worker`."
