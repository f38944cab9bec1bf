"""Whole runs from store to store; whatever is wrong with a file, nothing of it is taken."""

from __future__ import annotations

import hashlib
import io
import json
import math
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from mnist_dash.errors import IllegalTransition, InvalidArchive, InvalidInput, NotAllowed
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store import artifacts, schema
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.identities import Person, Role
from mnist_dash.runs.store.places.place import MARKER
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store, update
from mnist_dash.runs.transfer import archive_format
from mnist_dash.runs.transfer.archive_export import KINDS, archive_of, described, export_runs
from mnist_dash.runs.transfer.archive_import import import_runs
from tests.databases import settings_with_database
from tests.new_store import new_store
from tests.trained import TINY, train_into

NAME = '<script>alert(1)</script> **x** \x1b[31m "q"'


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Run]]:
    """A store with a run that was really trained, named, tagged, and with an event."""
    opened = new_store(
        settings_with_database({"MNIST_DASH_HOME": str(tmp_path_factory.mktemp("origin"))})
    )
    run = train_into(opened)
    with opened.writing() as connection:
        update(connection, run.id, name=NAME, notes="# two\nlines", starred=True)
        connection.execute(schema.run_tags.insert(), [{"run_id": run.id, "tag": "for the talk"}])
        event = {"run_id": run.id, "at": 1.5, "epoch": 1, "kind": "note", "sentence": "Looked at."}
        connection.execute(schema.run_events.insert().values(event))
    yield opened, opened.run(run.id)
    opened.close()


@pytest.fixture(scope="module")
def packed(origin: tuple[Store, Run]) -> dict[str, bytes]:
    """The files of the run's archive by name."""
    with zipfile.ZipFile(io.BytesIO(archive_of(origin[0], [origin[1].id]))) as file:
        return {name: file.read(name) for name in file.namelist()}


def rezip(
    path: Path, files: dict[str, bytes], change: Callable[[dict[str, Any]], None] | None = None
) -> Path:
    """Write files as a zip whose manifest fits them, with the manifest changed at last where asked."""
    manifest = json.loads(files[archive_format.MANIFEST])
    contents = {name: content for name, content in files.items() if name != archive_format.MANIFEST}
    manifest["files"] = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for name, content in contents.items()
    }
    if change is not None:
        change(manifest)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in (
            contents | {archive_format.MANIFEST: json.dumps(manifest).encode()}
        ).items():
            file.writestr(name, content)
    return path


def everything(store: Store, run_id: str) -> tuple[object, ...]:
    """All that an archive says of a run, and the bytes of its files."""
    with store.reading() as connection:
        told = described(connection, run_id)
    return *told, {
        kind: artifacts.read(store, run_id, kind)
        for kind in KINDS
        if artifacts.has(store, run_id, kind)
    }


def count(store: Store) -> tuple[int, int]:
    """Rows of runs, and files below the artifact folder."""
    with store.reading() as connection:
        n_runs = connection.execute(
            sa.select(sa.func.count()).select_from(schema.runs)
        ).scalar_one()
    return int(n_runs), sum(
        path.is_file() and path.name != MARKER for path in store.settings.artifact_dir.rglob("*")
    )


@pytest.mark.parametrize("suffix", ["zip", "tar"])
def test_run_comes_back_whole(
    origin: tuple[Store, Run], store: Store, tmp_path: Path, suffix: str
) -> None:
    """Row, tags, event, history and files are the same in another store; the same again changes nothing."""
    source, run = origin
    path = tmp_path / f"runs.{suffix}"
    assert export_runs(source, [run.id, run.id], path) == path.stat().st_size
    assert import_runs(store, path).taken == {run.id: run.id}
    assert everything(store, run.id) == everything(source, run.id)
    assert (store.run(run.id).name, store.run(run.id).test_accuracy) == (NAME, run.test_accuracy)
    with store.writing() as connection:
        update(connection, run.id, name="my own name")
    before = count(store)
    again = import_runs(store, path)
    assert (again.taken, again.known) == ({}, (run.id,))
    assert (count(store), store.run(run.id).name) == (before, "my own name")


def test_same_id_of_another_run(
    packed: dict[str, bytes], origin: tuple[Store, Run], store: Store, tmp_path: Path
) -> None:
    """Another run's id is refused, or a new id is given where that was asked for."""
    run_id = origin[1].id
    import_runs(store, rezip(tmp_path / "one.zip", packed))
    about = json.loads(packed[f"runs/{run_id}/run.json"])
    about["run"]["test_accuracy"] = 0.5
    other = rezip(
        tmp_path / "other.zip", packed | {f"runs/{run_id}/run.json": json.dumps(about).encode()}
    )
    before = count(store)
    with pytest.raises(InvalidArchive, match=f"Another run has the id {run_id} here.*--as-new"):
        import_runs(store, other)
    assert count(store) == before
    new_id = import_runs(store, other, as_new=True).taken[run_id]
    assert new_id != run_id
    assert store.run(new_id).test_accuracy == 0.5
    assert artifacts.read(store, new_id, ArtifactKind.WEIGHTS) == artifacts.read(
        store, run_id, ArtifactKind.WEIGHTS
    )


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"state": "running"}, "the state 'running' is not that of a run that has ended"),
        ({"config": "{}"}, "parameters are not those of its configuration"),
        ({"config": '{"epochs": 0}'}, "the configuration is not allowed: epochs: 0 is too small"),
        (
            {"config": "\x80\x04c__builtin__\nexec\n"},
            "the configuration is not allowed: this is no JSON",
        ),
        (
            {"test_accuracy": "1'; DROP TABLE runs"},
            r"test_accuracy is \"1'; DROP TABLE runs\", not a number",
        ),
        ({"name": "n" * 121}, "name is 'n+', not text of at most 120"),
        ({"submit_key": "mine"}, "the column 'submit_key' is not known"),
        ({"created_at": 1e300}, r"created_at is 1e\+300, which cannot be"),
        ({"created_at": -1}, "created_at is -1, which cannot be"),
        ({"ended_at": math.nan}, "ended_at is nan, which cannot be"),
        ({"seconds_training": math.inf}, "seconds_training is inf, which cannot be"),
        ({"test_accuracy": 10**400}, "test_accuracy is 1000.*, which cannot be"),
    ],
)
def test_wrong_values_are_refused(
    packed: dict[str, bytes], store: Store, tmp_path: Path, values: dict[str, object], sentence: str
) -> None:
    """Rows are checked one value at a time, though every hash is right."""
    (name,) = [name for name in packed if name.endswith("/run.json")]
    about = json.loads(packed[name])
    about["run"] |= values
    path = rezip(tmp_path / "bad.zip", packed | {name: json.dumps(about).encode()})
    with pytest.raises(InvalidArchive, match=sentence):
        import_runs(store, path)
    assert count(store) == (0, 0)


def test_damaged_and_false_files_are_refused(
    packed: dict[str, bytes], origin: tuple[Store, Run], store: Store, tmp_path: Path
) -> None:
    """A wrong hash, a wrong size, a file too many or too few, a false weights file: each named, nothing written."""
    weights = f"runs/{origin[1].id}/weights.safetensors"
    flipped = packed[weights][:-1] + bytes([packed[weights][-1] ^ 1])
    right = hashlib.sha256(packed[weights]).hexdigest()

    def old_hash(manifest: dict[str, Any]) -> None:
        manifest["files"][weights]["sha256"] = right

    cases: list[tuple[dict[str, bytes], Callable[[dict[str, Any]], None] | None, str]] = [
        (
            packed | {weights: flipped},
            old_hash,
            f"{weights} was changed or damaged: its SHA-256 is .* instead of {right[:12]}",
        ),
        (packed, lambda m: m["files"][weights].update(bytes=5), "bytes instead of 5"),
        (packed, lambda m: m["files"].pop(weights), f"{weights}' is not in the manifest"),
        (
            packed,
            lambda m: m["files"].update({"runs/none": m["files"][weights]}),
            "'runs/none' is not in the archive",
        ),
        (
            packed | {"runs/extra.json": b"{}"},
            None,
            "extra.json' belongs to none of the archive's runs",
        ),
        (
            packed | {weights: b"\x80\x04cos\nsystem\n(S'true'\ntR."},
            None,
            "is no whole safetensors file",
        ),
        (
            packed,
            lambda m: m.update(version=99),
            r"Version 99 of an archive is not known to this MNIST Dash \(1 to 1\). Upgrade",
        ),
        (
            packed,
            lambda m: m.update(format="other"),
            "has the format 'other' instead of 'mnist-dash-runs'",
        ),
        (packed, lambda m: m.update(runs=["../../etc"]), "'../../etc' is no id of a run"),
    ]
    for place, (files, change, sentence) in enumerate(cases):
        with pytest.raises(InvalidArchive, match=sentence):
            import_runs(store, rezip(tmp_path / f"{place}.zip", files, change))
        assert count(store) == (0, 0), sentence
    cut = tmp_path / "cut.zip"
    cut.write_bytes((tmp_path / "0.zip").read_bytes()[:-100])
    text = tmp_path / "text.zip"
    text.write_text("no archive")
    for path in (cut, text, tmp_path / "absent.zip"):
        with pytest.raises(
            InvalidArchive, match=r"neither a zip nor a tar file|no file|cannot be read|absent.zip"
        ):
            import_runs(store, path)


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "/etc/passwd",
        "runs/../../outside",
        "runs\\..\\outside",
        "C:/x",
        "runs//x",
        "a/./b",
        "a\nb",
    ],
)
@pytest.mark.parametrize("suffix", ["zip", "tar"])
def test_names_outside_are_refused(
    packed: dict[str, bytes], store: Store, tmp_path: Path, name: str, suffix: str
) -> None:
    """No name can lead out of a folder, on any system."""
    path = tmp_path / f"bad.{suffix}"
    if suffix == "zip":
        rezip(path, packed | {name: b"x"})
    else:
        with tarfile.open(path, "w") as tape:
            entry = tarfile.TarInfo(name)
            entry.size = 1
            tape.addfile(entry, io.BytesIO(b"x"))
    with pytest.raises(InvalidArchive, match="is no name of a file in an archive"):
        import_runs(store, path)
    assert count(store) == (0, 0)


def test_links_twins_and_bombs_are_refused(
    packed: dict[str, bytes], store: Store, tmp_path: Path
) -> None:
    """Symbolic and hard links, the same name twice, and files that unpack to far more than the archive."""
    linked = tmp_path / "linked.zip"
    with zipfile.ZipFile(linked, "w") as file:
        info = zipfile.ZipInfo("runs/link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(info, "/etc/passwd")
    hard = tmp_path / "hard.tar"
    with tarfile.open(hard, "w") as tape:
        entry = tarfile.TarInfo("runs/link")
        entry.type, entry.linkname = tarfile.LNKTYPE, "/etc/passwd"
        tape.addfile(entry)
    twins = rezip(tmp_path / "twins.zip", packed)
    with zipfile.ZipFile(twins, "a") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr(archive_format.MANIFEST, b"{}")
    bomb = rezip(
        tmp_path / "bomb.zip",
        {archive_format.MANIFEST: packed[archive_format.MANIFEST], "runs/zeros": bytes(40 * 2**20)},
    )
    for path, sentence in (
        (linked, "is no plain file"),
        (hard, "is no plain file"),
        (twins, "is in the archive twice"),
        (bomb, "at most 100 times its size"),
    ):
        with pytest.raises(InvalidArchive, match=sentence):
            import_runs(store, path)
    assert count(store) == (0, 0)


@pytest.mark.sqlite
def test_failure_while_writing_leaves_nothing(
    packed: dict[str, bytes], store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the last statement fails, rows and files are as before."""
    path = rezip(tmp_path / "one.zip", packed)
    with store.writing() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER refused BEFORE INSERT ON artifacts BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    with pytest.raises(Exception, match="no"):
        import_runs(store, path)
    assert count(store) == (0, 0)


def test_viewers_may_not_import(packed: dict[str, bytes], store: Store, tmp_path: Path) -> None:
    """The service refuses, whatever the page shows."""
    with pytest.raises(NotAllowed, match="Only an editor may import runs"):
        import_runs(store.acting_for(Person(Role.VIEWER)), rezip(tmp_path / "one.zip", packed))
    assert count(store)[0] == 0


def test_export_s_own_rules(origin: tuple[Store, Run], store: Store, tmp_path: Path) -> None:
    """A run that has not ended, another suffix, a file that is there: refused, and no half a file is left."""
    waiting = run_actions.submit(store, TINY)
    with pytest.raises(IllegalTransition, match=f"Run {waiting} is queued and cannot be exported"):
        export_runs(store, [waiting], tmp_path / "new.zip")
    with pytest.raises(InvalidInput, match=r"'new\.rar' ends in neither \.zip nor \.tar"):
        export_runs(*origin[:1], [origin[1].id], tmp_path / "new.rar")
    (tmp_path / "here.zip").write_bytes(b"")
    with pytest.raises(InvalidInput, match="exists already"):
        export_runs(origin[0], [origin[1].id], tmp_path / "here.zip")
    assert not (tmp_path / "new.zip").exists()
    assert not list(tmp_path.glob(".*.part"))
