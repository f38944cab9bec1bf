"""Whole runs as one archive: rows, history, artifacts, tags and events, with the hash of every file.

The format is that of `mnist_dash.runs.transfer.archive_format`.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa

from mnist_dash import __version__
from mnist_dash.errors import IllegalTransition, InvalidInput, UnknownRun
from mnist_dash.runs.store import artifacts, schema
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.runs.transfer.archive_format import FORMAT, MANIFEST, VERSION
from mnist_dash.runs.transfer.model_bundle import ZIP_TIME
from mnist_dash.runs.transfer.new_file import new_file

_REQUESTS = tuple(f"{what}_requested" for what in ("stop", "prune", "pause", "change"))
OWN_COLUMNS = (
    "id",
    "submit_key",
    "owner",
    "worker",
    "lease_until",
    "revision",
    "deleted_at",
    *_REQUESTS,
)
"""Columns that say something about a run's place in one store, not about the run."""
PORTABLE = tuple(column.name for column in schema.runs.columns if column.name not in OWN_COLUMNS)
KINDS = tuple(kind for kind in ArtifactKind if kind is not ArtifactKind.EMBEDDING)
"""Artifacts that go along; an embedding is computed again where it is wanted."""
HISTORY = {"epochs": schema.epochs, "layers": schema.epoch_layers, "steps": schema.step_chunks}
"""The tables of a run's history, by their names in ``history.json``."""
_SUFFIXES = (".zip", ".tar")


def export_runs(store: Store, run_ids: Sequence[str], path: Path) -> int:
    """Write runs that have ended into a new zip or tar file, as its name ends; returns its size in bytes.

    Raises:
        InvalidInput: the name ends in neither ``.zip`` nor ``.tar``, or the file exists or cannot be written.
        UnknownRun: no run has one of the ids.
        IllegalTransition: a run has not ended.
        ArtifactError: a file of a run is missing or damaged.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise InvalidInput(f"{path.name!r} ends in neither .zip nor .tar. Choose runs.zip, say.")
    with new_file(path) as temporary:
        with temporary.open("wb") as file:
            _write(store, run_ids, file, zipped=path.suffix.lower() == ".zip")
        return temporary.stat().st_size


def archive_of(store: Store, run_ids: Sequence[str]) -> bytes:
    """Write runs as the content of a zip file; raises what `export_runs` does."""
    file = io.BytesIO()
    _write(store, run_ids, file, zipped=True)
    return file.getvalue()


def described(connection: sa.Connection, run_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read what an archive's ``run.json`` and ``history.json`` have of a run, the artifacts left out.

    Raises:
        UnknownRun: no run has this id.
    """
    runs, tags, events = schema.runs, schema.run_tags, schema.run_events
    row = connection.execute(sa.select(runs).where(runs.c.id == run_id)).mappings().first()
    if row is None:
        raise UnknownRun(f"No run {run_id!r}. List runs with `mnist-dash runs`.")
    tagged = (
        connection.execute(
            sa.select(tags.c.tag).where(tags.c.run_id == run_id).order_by(tags.c.tag)
        )
        .scalars()
        .all()
    )
    happened = connection.execute(
        sa.select(events).where(events.c.run_id == run_id).order_by(events.c.at, events.c.id)
    ).mappings()
    about = {
        "id": run_id,
        "run": {name: row[name] for name in PORTABLE},
        "tags": list(tagged),
        "events": [
            {name: event[name] for name in ("at", "epoch", "kind", "sentence")}
            for event in happened
        ],
    }
    history = {}
    for name, table in HISTORY.items():
        found = connection.execute(
            sa.select(table).where(table.c.run_id == run_id).order_by(*table.primary_key.columns)
        ).mappings()
        history[name] = [
            {key: _json(value) for key, value in entry.items() if key != "run_id"}
            for entry in found
        ]
    return about, history


def _write(store: Store, run_ids: Sequence[str], file: IO[bytes], *, zipped: bool) -> None:
    wanted = list(dict.fromkeys(run_ids))
    for run in map(store.run, wanted):
        if not RunState(run.state).is_terminal:
            raise IllegalTransition(
                f"Run {run.id} is {run.state} and cannot be exported before it has ended. Stop it, or wait."
            )
    hashes: dict[str, dict[str, object]] = {}
    with _packer(file, zipped=zipped) as add:
        for run_id in wanted:
            for name, content in _files(store, run_id):
                hashes[name] = {
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "bytes": len(content),
                }
                add(name, content)
        about = {
            "format": FORMAT,
            "version": VERSION,
            "written_by": f"MNIST Dash {__version__}",
            "written_at": datetime.now(UTC).isoformat(),
        }
        add(MANIFEST, _encoded(about | {"runs": wanted, "files": hashes}))


def _files(store: Store, run_id: str) -> Iterator[tuple[str, bytes]]:
    """Give each file of a run, one at a time."""
    table = schema.artifacts
    with store.reading() as connection:
        about, history = described(connection, run_id)
        query = (
            sa.select(table)
            .where(table.c.run_id == run_id, table.c.kind.in_(KINDS))
            .order_by(table.c.kind, table.c.part)
        )
        kept = list(connection.execute(query).mappings())
    names = {
        (
            row["kind"],
            row["part"],
        ): f"{row['kind']}{'-' if row['part'] else ''}{row['part']}.safetensors"
        for row in kept
    }
    about["artifacts"] = [
        {"file": names[row["kind"], row["part"]]}
        | {key: row[key] for key in ("kind", "part", "epoch", "created_at")}
        for row in kept
    ]
    folder = f"runs/{run_id}"
    yield f"{folder}/run.json", _encoded(about)
    yield f"{folder}/history.json", _encoded(history)
    for (kind, part), name in names.items():
        yield f"{folder}/{name}", artifacts.read(store, run_id, ArtifactKind(kind), part)


@contextmanager
def _packer(file: IO[bytes], *, zipped: bool) -> Iterator[Callable[[str, bytes], None]]:
    """Give a function that adds a file, by name and content; all have the same time, so that the same runs give the same files."""
    if zipped:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
            yield lambda name, content: packed.writestr(
                zipfile.ZipInfo(name, ZIP_TIME), content, zipfile.ZIP_DEFLATED, 1
            )
        return
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tape:

        def add(name: str, content: bytes) -> None:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tape.addfile(entry, io.BytesIO(content))

        yield add


def _encoded(values: object) -> bytes:
    return (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode(
        "utf-8", "surrogatepass"
    )


def _json(value: object) -> object:
    return base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else value
