"""The bin, and when it is emptied."""

from __future__ import annotations

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.artifact_policy import empty_bin
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.run_store import Store


def test_bin_is_emptied_of_old_runs_only(store: Store) -> None:
    """A run that was just deleted stays; an old one goes with its files; a kept one is never touched."""
    kept, binned = run_actions.submit(store, RunConfig()), run_actions.submit(store, RunConfig())
    for run_id in (kept, binned):
        run_actions.stop(store, run_id)
        file = artifacts.write(store.settings, run_id, ArtifactKind.WEIGHTS, b"weights")
        with store.writing() as connection:
            artifacts.record(connection, run_id, ArtifactKind.WEIGHTS, file, epoch=1)
    run_actions.delete(store, [binned])
    assert empty_bin(store) == 0
    assert artifacts.storage(store).n_files == 2
    assert empty_bin(store, older_than_days=0) == 1
    assert (store.count(), store.count(deleted=True)) == (1, 0)
    assert artifacts.read(store, kept, ArtifactKind.WEIGHTS) == b"weights"
    assert (
        len([path for path in store.settings.artifact_dir.rglob("*.safetensors") if path.is_file()])
        == 1
    )
