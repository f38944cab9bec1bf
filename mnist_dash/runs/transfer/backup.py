"""A backup of everything: the database as it is at one moment, and every file that it names, in one tar file.

::

    manifest.json          format, version, kind and name of the database, SHA-256 of it, and of every artifact
    database.sqlite        SQLite: a copy by the backup API, whole while others write (https://www.sqlite.org/backup.html)
    database.dump          PostgreSQL: what ``pg_dump --format=custom`` writes
    artifacts/<path>       the files that the database names, by their paths

Runs may train meanwhile. A file that is replaced between the copy of the database and its own turn is found missing and left out; its run
then goes on from an earlier epoch after a restore, to the same figures.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import sqlalchemy as sa

from mnist_dash import __version__
from mnist_dash.errors import InvalidArchive, InvalidInput, StoreError
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.database_file import copy_sqlite, sqlite_file
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.transfer.new_file import new_file
from mnist_dash.settings import Settings
from mnist_dash.text import plural

FORMAT = "mnist-dash backup"
VERSION = 1
MANIFEST = "manifest.json"
SQLITE, POSTGRESQL = "database.sqlite", "database.dump"
MOST_MANIFEST_BYTES = 256 * 2**20
_CHUNK = 2**20
Report = Callable[[float, str], object]
"""Gets how far it is, in [0, 1], and at what."""


@dataclass(frozen=True)
class Backup:
    """What a backup file holds."""

    n_runs: int
    n_files: int
    n_missing: int
    """Files that the database names and that were not there."""
    n_bytes: int


def back_up(store: Store, path: Path, *, report: Report = lambda _fraction, _what: None) -> Backup:
    """Write a backup into a new file, while everything goes on.

    Raises:
        InvalidInput: the file exists or cannot be written; or ``pg_dump`` is not installed.
        StoreError: the database cannot be read.
    """
    settings, database = store.settings, sqlite_file(store.settings.database_url)
    with (
        new_file(path) as temporary,
        tempfile.TemporaryDirectory(dir=path.absolute().parent, prefix=".backup-") as folder,
    ):
        report(0.0, "the database")
        name = POSTGRESQL if database is None else SQLITE
        copy = Path(folder) / name
        if database is None:
            _dump(settings.database_url, copy)
        else:
            copy_sqlite(database, copy)
        with store.reading() as connection:
            table = schema.artifacts
            rows = connection.execute(
                sa.select(table.c.path, table.c.sha256, table.c.n_bytes).order_by(table.c.path)
            ).all()
            n_runs = int(
                connection.execute(sa.select(sa.func.count()).select_from(schema.runs)).scalar_one()
            )
        total, done, kept, missing = sum(row.n_bytes for row in rows) or 1, 0, {}, 0
        with tarfile.open(temporary, "w") as archive:
            archive.add(copy, name)
            for row in rows:
                report(done / total, row.path)
                done += row.n_bytes
                try:
                    content = (settings.artifact_dir / row.path).read_bytes()
                except OSError:
                    missing += 1
                    continue
                _add(archive, f"artifacts/{row.path}", content)
                kept[row.path] = hashlib.sha256(content).hexdigest()
            manifest = {
                "format": FORMAT,
                "version": VERSION,
                "written_by": __version__,
                "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "database": {"name": name, "sha256": _hash_of(copy)},
                "artifacts": kept,
            }
            _add(archive, MANIFEST, json.dumps(manifest).encode())
        report(1.0, "done")
        return Backup(n_runs, len(kept), missing, temporary.stat().st_size)


def restore(
    settings: Settings, path: Path, *, report: Report = lambda _fraction, _what: None
) -> Backup:
    """Put back what a backup holds, into a home without a database (SQLite) or an empty database (PostgreSQL); all of it or nothing.

    Raises:
        InvalidArchive: the file is no backup, or damaged; nothing was written.
        InvalidInput: there is a database here already; or the backup is of the other kind of database.
        StoreError: the database cannot be written.
    """
    manifest = _read_manifest(path)
    name, artifacts = manifest["database"]["name"], manifest["artifacts"]
    target = sqlite_file(settings.database_url)
    if (name == SQLITE) != (target is not None):
        kind = "SQLite" if name == SQLITE else "PostgreSQL"
        raise InvalidInput(
            f"The backup {path.name!r} is of a {kind} database. Set MNIST_DASH_DATABASE_URL to one, or unset it."
        )
    settings.home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.home, prefix=".restore-") as folder:
        staged = Path(folder)
        _unpack(
            path,
            staged,
            {
                name: manifest["database"]["sha256"],
                **{f"artifacts/{one}": sha for one, sha in artifacts.items()},
            },
            report,
        )
        if target is not None:
            if target.exists():
                raise InvalidInput(
                    f"There is a database already: {target}. Move it away, or set MNIST_DASH_HOME to another folder."
                )
            _take_over(staged / "artifacts", settings.artifact_dir)
            (staged / name).replace(target)
        else:
            _check_empty(settings.database_url)
            _take_over(staged / "artifacts", settings.artifact_dir)
            _load(settings.database_url, staged / name)
    store = Store.open(settings)
    try:
        return Backup(
            store.count() + store.count(deleted=True), len(artifacts), 0, path.stat().st_size
        )
    finally:
        store.close()


def _dump(url: str, target: Path) -> None:
    _run_client("pg_dump", url, "--format=custom", "--no-owner", "--file", str(target))


def _load(url: str, source: Path) -> None:
    _run_client(
        "pg_restore", url, "--no-owner", "--single-transaction", "--exit-on-error", str(source)
    )


def _run_client(program: str, url: str, *arguments: str) -> None:
    """Run one of PostgreSQL's client programs on a database; its password goes by the environment, where nobody else reads it."""
    if shutil.which(program) is None:
        raise InvalidInput(
            f"`{program}` is not installed; a PostgreSQL database is saved by it. Install PostgreSQL's client programs."
        )
    made = sa.make_url(url)
    variables = {"PGPASSWORD": made.password} if made.password else {}
    host = made.host or str(made.query.get("host", ""))
    options = {
        "--host": host,
        "--port": str(made.port or ""),
        "--username": made.username or "",
        "--dbname": made.database or "",
    }
    known = [text for option, value in options.items() if value for text in (option, value)]
    done = subprocess.run(  # noqa: S603 - a program of PostgreSQL's
        [program, "--no-password", *known, *arguments],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StoreError(
            f"`{program}` failed: {done.stderr.strip().partition(chr(10))[0]}. Check that its version is the server's."
        )


def _check_empty(url: str) -> None:
    engine = sa.create_engine(url)
    try:
        if "runs" in sa.inspect(engine).get_table_names():
            raise InvalidInput(
                "There are tables in this database already. Create an empty one and name it in MNIST_DASH_DATABASE_URL."
            )
    finally:
        engine.dispose()


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        with tarfile.open(path, "r:") as archive:
            member = archive.getmember(MANIFEST)
            file = archive.extractfile(member)
            if file is None or member.size > MOST_MANIFEST_BYTES:
                raise KeyError(MANIFEST)
            manifest: dict[str, Any] = json.loads(file.read())
            if manifest["format"] != FORMAT:
                raise KeyError(FORMAT)
    except OSError as error:
        raise InvalidInput(
            f"The file {str(path)!r} cannot be read: {error.strerror or error}. Check its name."
        ) from error
    except (tarfile.TarError, KeyError, TypeError, ValueError) as error:
        raise InvalidArchive(
            f"The file {path.name!r} is no backup, or is damaged. `mnist-dash backup` writes one."
        ) from error
    if manifest["version"] > VERSION:
        raise InvalidArchive(
            f"The backup {path.name!r} has version {manifest['version']} (up to {VERSION}). Upgrade MNIST Dash."
        )
    return manifest


def _unpack(path: Path, folder: Path, hashes: dict[str, str], report: Report) -> None:
    """Unpack the files that the manifest names, and check each."""
    found = set()
    with tarfile.open(path, "r:") as archive:
        for index, member in enumerate(archive):
            if member.name == MANIFEST:
                continue
            parts = PurePosixPath(member.name).parts
            if (
                not member.isfile()
                or member.name not in hashes
                or ".." in parts
                or member.name.startswith("/")
            ):
                raise InvalidArchive(
                    f"The backup {path.name!r} holds {member.name!r}, which it does not name. It was changed."
                )
            report(index / (len(hashes) + 1), member.name)
            target = folder / member.name
            target.parent.mkdir(parents=True, exist_ok=True)
            source = archive.extractfile(member)
            assert source is not None
            with target.open("wb") as file:
                shutil.copyfileobj(source, file, _CHUNK)
            if _hash_of(target) != hashes[member.name]:
                raise InvalidArchive(
                    f"{member.name} in the backup {path.name!r} is damaged: its SHA-256 is another. Use another backup."
                )
            found.add(member.name)
    if missing := set(hashes) - found:
        raise InvalidArchive(
            f"The backup {path.name!r} lacks {plural(len(missing), 'file')}, such as {min(missing)}. Use another backup."
        )


def _take_over(source: Path, target: Path) -> None:
    """Move unpacked artifacts to where they belong."""
    for path in sorted(source.rglob("*")) if source.exists() else ():
        if path.is_file():
            final = target / path.relative_to(source)
            final.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, final)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
