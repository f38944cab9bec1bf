"""Files written whole, hashed, and refused when they are not what was written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.errors import ArtifactError
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.places.place import MARKER
from mnist_dash.runs.store.run_store import Store


def keep(store: Store, content: bytes) -> tuple[str, Path]:
    """Store a file for a new run and say where it lies."""
    run_id = run_actions.submit(store, RunConfig())
    file = artifacts.write(store.settings, run_id, ArtifactKind.WEIGHTS, content)
    with store.writing() as connection:
        artifacts.record(connection, run_id, ArtifactKind.WEIGHTS, file, epoch=1)
    return run_id, store.settings.artifact_dir / file.path


def test_content_comes_back(store: Store) -> None:
    """What was written is what is read."""
    run_id, _ = keep(store, b"weights")
    assert artifacts.read(store, run_id, ArtifactKind.WEIGHTS) == b"weights"
    assert artifacts.storage(store).bytes_artifacts == 7


def test_flipped_byte_is_noticed(store: Store) -> None:
    """One changed bit of a file is refused with its path and both hashes."""
    run_id, path = keep(store, b"weights")
    path.write_bytes(b"weighTs")
    with pytest.raises(ArtifactError, match=f"changed after it was written.*{path}"):
        artifacts.read(store, run_id, ArtifactKind.WEIGHTS)


def test_missing_file_is_named(store: Store) -> None:
    """A file that somebody removed is named with where it should be."""
    run_id, path = keep(store, b"weights")
    path.unlink()
    with pytest.raises(ArtifactError, match=str(path)):
        artifacts.read(store, run_id, ArtifactKind.WEIGHTS)
    with pytest.raises(ArtifactError, match="finished no epoch"):
        artifacts.read(store, run_id, ArtifactKind.TEST_PROBABILITIES)


def test_probabilities_keep_their_bits(store: Store) -> None:
    """Probabilities come back as the very float32 numbers that they were."""
    run_id = run_actions.submit(store, RunConfig())
    probabilities = np.random.default_rng(0).random((100, 10), dtype=np.float32)
    file = artifacts.write(
        store.settings,
        run_id,
        ArtifactKind.TEST_PROBABILITIES,
        artifacts.pack_probabilities(probabilities),
    )
    with store.writing() as connection:
        artifacts.record(connection, run_id, ArtifactKind.TEST_PROBABILITIES, file, epoch=1)
    assert np.array_equal(
        artifacts.read_probabilities(store, run_id, ArtifactKind.TEST_PROBABILITIES), probabilities
    )


def test_full_disk_leaves_no_half_file(store: Store) -> None:
    """A write that the system refuses half way leaves nothing behind, not even its temporary file."""
    script = (
        "import resource, signal, sys\n"
        "from mnist_dash.errors import StorageFull\n"
        "from mnist_dash.settings import Settings\n"
        "from mnist_dash.runs.store import artifacts\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try:\n"
        "    artifacts.write(Settings.from_environment(), 'r1', artifacts.ArtifactKind.WEIGHTS, bytes(10000))\n"
        "except StorageFull:\n"
        "    sys.exit(7)\n"
    )
    environment = os.environ | {"MNIST_DASH_HOME": str(store.settings.home)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, check=False)
    assert done.returncode == 7
    assert [
        path
        for path in store.settings.artifact_dir.rglob("*")
        if path.is_file() and path.name != MARKER
    ] == []
