"""Whoever does not see the artifacts of the others is told when it starts; whoever does is asked nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.errors import ArtifactsElsewhere, StorageUnavailable
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.execution.doctor import Verdict, examine_store
from mnist_dash.runs.store import artifacts, schema
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.places.identity import KEY
from mnist_dash.runs.store.places.place import MARKER
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.transfer.backup import back_up, restore
from mnist_dash.settings import Settings
from tests.databases import settings_with_database
from tests.source_tree import ROOT
from tests.waiting import PATIENCE_SECONDS


@pytest.fixture
def used(store: Store) -> Store:
    """A store with three files of one run."""
    run_id = run_actions.submit(store, RunConfig())
    for kind in (ArtifactKind.WEIGHTS, ArtifactKind.CHECKPOINT, ArtifactKind.TEST_PROBABILITIES):
        file = artifacts.write(store.settings, run_id, kind, b"content")
        with store.writing() as connection:
            artifacts.record(connection, run_id, kind, file, epoch=1)
    return store


def elsewhere(store: Store, tmp_path: Path, name: str = "local") -> Settings:
    """Give the settings of a host that reaches the database and has a folder of its own."""
    return replace(store.settings, artifact_dir=tmp_path / name)


def open_once(settings: Settings) -> None:
    """Open a store as a process does at its start."""
    Store.open(settings).close()


def forget(store: Store) -> None:
    """Leave a home as a version without marks has left it."""
    with store.writing() as connection:
        connection.execute(schema.meta.delete().where(schema.meta.c.key == KEY))
    (store.settings.artifact_dir / MARKER).unlink()


def mark(settings: Settings) -> str:
    """Read a folder's mark."""
    return (settings.artifact_dir / MARKER).read_text()


def test_host_without_the_folder_is_refused(used: Store, tmp_path: Path) -> None:
    """It is told which folder is wrong and what to do, the doctor says the same, and nothing is written there."""
    other = elsewhere(used, tmp_path)
    with pytest.raises(
        ArtifactsElsewhere,
        match=r"local is not where .* none of the 3 newest files is there\. Mount the folder",
    ):
        open_once(other)
    (check,) = examine_store(other)
    assert (check.subject, check.verdict) == ("artifacts", Verdict.PROBLEM)
    assert "MNIST_DASH_ARTIFACT_DIR" in check.finding
    assert list(other.artifact_dir.iterdir()) == []
    open_once(used.settings)


@pytest.mark.parametrize(
    "command",
    [("mnist_dash", "worker"), ("mnist_dash.search.engine.study_runner",)],
    ids=["worker", "study runner"],
)
def test_process_ends_with_the_sentence(
    used: Store, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """A worker and a study runner end at once, with an exit code that says so and without a traceback."""
    variables = {
        "MNIST_DASH_HOME": str(used.settings.home),
        "MNIST_DASH_DATABASE_URL": used.settings.database_url,
        "MNIST_DASH_ARTIFACT_DIR": str(tmp_path / "local"),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-m", *command],
        env=variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 2
    assert "is not where the other processes of this database keep their artifacts" in done.stderr
    assert "Traceback" not in done.stderr
    assert used.workers() == ()


def test_second_host_is_told_before_the_first_run(store: Store, tmp_path: Path) -> None:
    """A database of several machines that names no file yet has a folder all the same; SQLite's has one machine, which may choose anew."""
    if store.settings.is_sqlite:
        open_once(elsewhere(store, tmp_path))
    else:
        with pytest.raises(ArtifactsElsewhere, match="lacks their file"):
            open_once(elsewhere(store, tmp_path))


def test_former_home_is_marked(used: Store) -> None:
    """A home of a version without marks gets one when it is opened, as long as most of its files are there."""
    forget(used)
    next(used.settings.artifact_dir.rglob("weights-*")).unlink()
    open_once(used.settings)
    assert mark(used.settings)
    open_once(used.settings)


def test_former_home_without_its_files_is_refused(used: Store, tmp_path: Path) -> None:
    """Whoever comes first with the wrong folder does not make it the right one."""
    forget(used)
    with pytest.raises(ArtifactsElsewhere):
        open_once(elsewhere(used, tmp_path))
    open_once(used.settings)


def test_moved_folder_is_known(used: Store, tmp_path: Path) -> None:
    """A folder that was moved, or copied without its mark, is the one that the database means."""
    moved = elsewhere(used, tmp_path, "moved")
    shutil.copytree(used.settings.artifact_dir, moved.artifact_dir)
    open_once(moved)
    (moved.artifact_dir / MARKER).unlink()
    open_once(moved)
    assert mark(moved) == mark(used.settings)


def test_files_may_be_given_up(used: Store, tmp_path: Path) -> None:
    """With MNIST_DASH_ARTIFACTS_LOST an empty folder becomes the store's; a former one that holds the files may come back."""
    new = elsewhere(used, tmp_path)
    open_once(replace(new, artifacts_are_lost=True))
    open_once(new)
    assert mark(new) != mark(used.settings)
    open_once(used.settings)  # it holds what the database names


def test_new_database_takes_a_used_folder(used: Store, tmp_path: Path) -> None:
    """Whoever moves the database away begins with an empty one beside the same artifacts."""
    former = mark(used.settings)
    fresh = settings_with_database(
        {
            "MNIST_DASH_HOME": str(tmp_path / "fresh"),
            "MNIST_DASH_ARTIFACT_DIR": str(used.settings.artifact_dir),
        }
    )
    open_once(fresh)
    open_once(fresh)
    assert mark(fresh) == former


def test_restored_backup_is_marked(used: Store, tmp_path: Path) -> None:
    """What a backup holds is whole where it was put back, also beside the artifacts of another store."""
    back_up(used, tmp_path / "all.tar")
    target = settings_with_database({"MNIST_DASH_HOME": str(tmp_path / "restored")})
    other = settings_with_database(
        {
            "MNIST_DASH_HOME": str(tmp_path / "other"),
            "MNIST_DASH_ARTIFACT_DIR": str(target.artifact_dir),
        }
    )
    open_once(other)
    restore(target, tmp_path / "all.tar")
    open_once(target)
    open_once(other)


def test_folder_that_is_unmounted_is_an_outage(used: Store) -> None:
    """A process whose folder is suddenly the empty one below the mount writes nothing into it and waits."""
    folder = used.settings.artifact_dir
    run_id = used.runs()[0].id
    folder.rename(folder.with_name("away"))
    folder.mkdir()
    with pytest.raises(StorageUnavailable, match="as when it is not mounted"):
        artifacts.write(used.settings, run_id, ArtifactKind.WEIGHTS, b"new")
    with pytest.raises(StorageUnavailable, match="is read when its place is there again"):
        artifacts.read(used, run_id, ArtifactKind.WEIGHTS)
    assert list(folder.iterdir()) == []
    folder.rmdir()
    folder.with_name("away").rename(folder)
    assert artifacts.read(used, run_id, ArtifactKind.WEIGHTS) == b"content"


def test_folder_that_cannot_be_written_is_read(used: Store) -> None:
    """A former home on a disk that cannot be written now opens without a mark; it gets one later."""
    forget(used)
    occupied = used.settings.artifact_dir / f"{MARKER}.tmp"
    occupied.mkdir()  # whoever writes the mark begins with this name, and root is refused as everybody is
    open_once(used.settings)
    with used.reading() as connection:
        assert (
            connection.execute(sa.select(schema.meta).where(schema.meta.c.key == KEY)).first()
            is None
        )
    occupied.rmdir()
    open_once(used.settings)
    assert mark(used.settings)
