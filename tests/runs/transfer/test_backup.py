"""Backups of everything, and putting them back."""

from __future__ import annotations

import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.errors import InvalidArchive, InvalidInput
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.execution.doctor import Verdict, examine_store
from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.transfer.backup import back_up, restore
from mnist_dash.settings import Settings
from tests.databases import settings_with_database
from tests.trained import train_into


@pytest.fixture
def elsewhere(tmp_path: Path) -> Settings:
    """Settings of another, empty installation."""
    return settings_with_database({"MNIST_DASH_HOME": str(tmp_path / "elsewhere")})


def test_everything_comes_back(store: Store, tmp_path: Path, elsewhere: Settings) -> None:
    """Runs, histories and files are those that were saved, and the doctor finds no fault with them."""
    trained = train_into(store).id
    waiting = run_actions.submit(store, RunConfig(epochs=1))
    seen: list[float] = []
    saved = back_up(store, tmp_path / "all.tar", report=lambda fraction, _: seen.append(fraction))
    assert (saved.n_runs, saved.n_missing) == (2, 0)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    done = restore(elsewhere, tmp_path / "all.tar")
    assert (done.n_runs, done.n_files) == (2, saved.n_files)
    other = Store.open(elsewhere)
    try:
        assert {run.id for run in other.runs()} == {trained, waiting}
        assert other.history(trained).epochs.equals(store.history(trained).epochs)
        kind = ArtifactKind.WEIGHTS
        assert artifacts.read(other, trained, kind) == artifacts.read(store, trained, kind)
        assert [
            check for check in examine_store(elsewhere) if check.verdict is Verdict.PROBLEM
        ] == []
    finally:
        other.close()


def test_backup_replaces_nothing(store: Store, tmp_path: Path) -> None:
    """Neither an existing file nor a database with runs is written over."""
    back_up(store, tmp_path / "all.tar")
    with pytest.raises(InvalidInput, match="exists already"):
        back_up(store, tmp_path / "all.tar")
    with pytest.raises(InvalidInput, match=r"There (is a database|are tables)"):
        restore(store.settings, tmp_path / "all.tar")


def test_damaged_backup_is_refused_whole(store: Store, tmp_path: Path, elsewhere: Settings) -> None:
    """A flipped byte anywhere in a file's content, a cut file and another kind of file are told, and nothing is written."""
    train_into(store)
    path = tmp_path / "all.tar"
    back_up(store, path)
    with tarfile.open(path) as archive:
        member = next(member for member in archive if member.name.startswith("artifacts/"))
    content = bytearray(path.read_bytes())
    content[member.offset_data + member.size // 2] ^= 1
    (tmp_path / "flipped.tar").write_bytes(content)
    (tmp_path / "cut.tar").write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (tmp_path / "other.tar").write_bytes(b"no archive at all")
    for name, sentence in (
        ("flipped.tar", "is damaged"),
        ("cut.tar", "is no backup"),
        ("other.tar", "is no backup"),
    ):
        with pytest.raises(InvalidArchive, match=sentence):
            restore(elsewhere, tmp_path / name)
        assert not list(elsewhere.artifact_dir.rglob("*.safetensors"))
        assert not (elsewhere.home / "mnist_dash.db").exists()


def test_other_kind_of_database_is_refused(store: Store, tmp_path: Path) -> None:
    """A backup of SQLite does not go into PostgreSQL, nor the other way round."""
    back_up(store, tmp_path / "all.tar")
    url = (
        "postgresql+psycopg:///nowhere"
        if store.settings.is_sqlite
        else f"sqlite:///{tmp_path / 'new.db'}"
    )
    with pytest.raises(InvalidInput, match="is of a"):
        restore(replace(store.settings, database_url=url), tmp_path / "all.tar")


def test_file_that_is_gone_is_counted(store: Store, tmp_path: Path) -> None:
    """A file that was replaced between the database's copy and its own turn does not stop the backup."""
    trained = train_into(store).id
    next((store.settings.artifact_dir / trained[:2] / trained).glob("weights-*")).unlink()
    assert back_up(store, tmp_path / "all.tar").n_missing == 1
