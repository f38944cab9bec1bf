"""What a run must be after everything that happened to it."""

from __future__ import annotations

from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from tests.waiting import wait_until


def wait_for_end(store: Store, run_id: str) -> Run:
    """Wait until a run has ended."""
    wait_until(lambda: store.run(run_id).state.is_terminal, what=f"run {run_id} ends")
    return store.run(run_id)


def assert_whole(store: Store, run: Run) -> None:
    """Assert one result, every epoch once and every step once, in order."""
    assert run.state is RunState.FINISHED, run.reason
    history = store.history(run.id)
    assert history.epochs["epoch"].tolist() == list(range(1, run.config.epochs + 1))
    assert history.steps["step"].is_unique
    assert history.steps["step"].is_monotonic_increasing
    assert history.steps["seconds"].is_monotonic_increasing
    assert artifacts.read_probabilities(store, run.id, ArtifactKind.TEST_PROBABILITIES).shape == (
        10_000,
        10,
    )
