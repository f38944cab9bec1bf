"""Taking runs over from an archive: everything is checked before anything is written, and all of it is taken or none."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import safetensors
import sqlalchemy as sa

from mnist_dash.core.analysis.layer_statistics import unpack
from mnist_dash.core.config.run_config import RunConfig, canonical_json, parse_config
from mnist_dash.errors import InvalidArchive, InvalidConfig
from mnist_dash.runs.access.permission import require
from mnist_dash.runs.store import artifacts, schema
from mnist_dash.runs.store.artifacts import ArtifactKind, StoredFile
from mnist_dash.runs.store.run_store import STEP_COLUMNS, Store, bump_revision
from mnist_dash.runs.store.states import RunState
from mnist_dash.runs.transfer.archive_export import HISTORY, KINDS, PORTABLE, described
from mnist_dash.runs.transfer.archive_format import OpenArchive, open_archive

_ID = re.compile(r"[0-9a-f]{8,16}")
_HASH = re.compile(r"[0-9a-f]{12}")
_PART = re.compile(r"[A-Za-z0-9_.]{0,32}")
_ANNOTATIONS = ("name", "notes", "starred", "archived_at")
"""Columns that people write, and that may differ between two copies of the same run."""
_STEP_BYTES = 8 * len(STEP_COLUMNS)
_AGAIN = "Export the run again."
_LAST_MOMENT = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
_LONGEST = 1e9
"""Seconds."""
_TYPES = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    bytes: "base64",
}


@dataclass(frozen=True)
class Imported:
    """What became of an archive's runs."""

    taken: dict[str, str] = field(default_factory=dict)
    """Runs that were taken over: the id in the archive and the id here, the same unless a new one was asked for."""
    known: tuple[str, ...] = ()
    """Runs that were here already, with the same content."""


@dataclass(frozen=True)
class _Arriving:
    """A run of an archive, checked."""

    id: str
    row: dict[str, Any]
    tags: list[str]
    events: list[dict[str, Any]]
    history: dict[str, list[dict[str, Any]]]
    files: list[dict[str, Any]]
    """Artifacts: kind, part, epoch, created_at, and ``name``, the path in the archive."""


def import_runs(store: Store, path: Path, *, as_new: bool = False) -> Imported:
    """Take over the runs of an archive that `export` wrote; all of them or, when anything is wrong, none.

    Ids are kept. A run that is here already with the same content is left alone, whatever its name, tags and notes are here.

    Args:
        store: where to.
        path: a zip or tar file.
        as_new: give a run a new id where another run has its id; else such an archive is refused.

    Raises:
        NotAllowed: the person may not.
        InvalidArchive: a rule is broken; names the rule, the value and the remedy.
        StorageFull: the disk has no room.
        StoreError: the database cannot be written.
    """
    require(store, f"import runs from {path.name}")
    room = max(
        0, shutil.disk_usage(store.settings.artifact_dir).free - store.settings.min_free_bytes
    )
    with open_archive(path, room=room) as archive:
        runs = [_read(archive, run_id) for run_id in archive.manifest.run_ids]
        _nothing_else(archive, runs)
        here = {run.id: _state_here(store, archive, run) for run in runs}
        taken = {run.id: run.id for run in runs if here[run.id] == "absent"}
        for run in runs:
            if here[run.id] == "other" and not as_new:
                raise InvalidArchive(
                    f"Another run has the id {run.id} here. Import with --as-new to give it a new id, or remove the other run."
                )
            if here[run.id] == "other":
                taken[run.id] = secrets.token_hex(4)
        _take(store, archive, [run for run in runs if run.id in taken], taken)
    return Imported(taken, tuple(run.id for run in runs if here[run.id] == "same"))


def _read(archive: OpenArchive, run_id: str) -> _Arriving:
    if not _ID.fullmatch(run_id):
        raise InvalidArchive(
            f"{run_id[:40]!r} is no id of a run (8 to 16 hexadecimal digits). {_AGAIN}"
        )
    where = f"runs/{run_id}/run.json"
    about, history = archive.read_json(where), archive.read_json(f"runs/{run_id}/history.json")
    _keys(about, {"id", "run", "tags", "events", "artifacts"}, where)
    if about["id"] != run_id:
        raise InvalidArchive(
            f"{where} is of another run, {str(about['id'])[:40]!r} instead of {run_id}. {_AGAIN}"
        )
    _keys(history, set(HISTORY), f"runs/{run_id}/history.json")
    row = _run_row(_mapping(about["run"], where), where)
    tags = sorted({_text(tag, schema.run_tags.c.tag, where) for tag in _list(about["tags"], where)})
    events = [
        _row(schema.run_events, event, where, without=("id", "run_id", "person"))
        for event in _list(about["events"], where)
    ]
    rows = {
        name: [
            _row(table, entry, f"runs/{run_id}/history.json, {name}", without=("run_id",))
            for entry in _list(history[name], where)
        ]
        for name, table in HISTORY.items()
    }
    _check_history(rows, where)
    return _Arriving(
        run_id,
        row,
        tags,
        events,
        rows,
        _artifacts(archive, run_id, _list(about["artifacts"], where)),
    )


def _run_row(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    unknown = set(values) - set(PORTABLE)
    if unknown:
        raise InvalidArchive(
            f"{where}: the column {min(unknown)[:40]!r} is not known. Upgrade MNIST Dash."
        )
    row = {name: _value(schema.runs.c[name], values.get(name), where) for name in PORTABLE}
    if row["state"] not in set(RunState) or not RunState(row["state"]).is_terminal:
        raise InvalidArchive(
            f"{where}: the state {row['state'][:40]!r} is not that of a run that has ended. {_AGAIN}"
        )
    try:
        config = parse_config(row["config"])
    except InvalidConfig as error:
        raise InvalidArchive(
            f"{where}: the configuration is not allowed: {error.problems[0]} {_AGAIN}"
        ) from error
    _check_counts(row, config, where)
    return row | {"config": canonical_json(config)}


def _check_counts(row: Mapping[str, Any], config: RunConfig, where: str) -> None:
    if not _HASH.fullmatch(row["config_hash"]):
        raise InvalidArchive(
            f"{where}: {row['config_hash'][:40]!r} is no hash of a configuration (12 hexadecimal digits). {_AGAIN}"
        )
    if row["n_parameters"] != config.n_parameters:
        said = f"{where}: {row['n_parameters']:,} parameters are not those of its configuration, {config.n_parameters:,}"
        raise InvalidArchive(f"{said}. {_AGAIN}")
    if min(row["attempt"], row["epoch"], row["step"]) < 0 or row["n_steps"] < 1:
        raise InvalidArchive(
            f"{where}: a number of epochs, steps or attempts is negative. {_AGAIN}"
        )


def _check_history(rows: Mapping[str, Sequence[Mapping[str, Any]]], where: str) -> None:
    for name, key in (("epochs", "epoch"), ("layers", "epoch"), ("steps", "first_step")):
        places = [entry[key] for entry in rows[name]]
        if len(set(places)) < len(places):
            raise InvalidArchive(
                f"{where}: the history has one {key.replace('_', ' ')} of the {name} twice. {_AGAIN}"
            )
    for chunk in rows["steps"]:
        if len(chunk["points"]) % _STEP_BYTES:
            raise InvalidArchive(
                f"{where}: {len(chunk['points'])} bytes are no whole number of recorded steps ({_STEP_BYTES} bytes each). {_AGAIN}"
            )
    for entry in rows["layers"]:
        try:
            unpack(entry["layers"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise InvalidArchive(
                f"{where}: the statistics of layers cannot be read: {error!s:.80}. {_AGAIN}"
            ) from error


def _artifacts(archive: OpenArchive, run_id: str, entries: Sequence[Any]) -> list[dict[str, Any]]:
    where = f"runs/{run_id}/run.json"
    found: list[dict[str, Any]] = []
    for entry in entries:
        _keys(
            _mapping(entry, where),
            {"file", "kind", "part", "epoch", "created_at"},
            f"{where}, artifacts",
        )
        table = schema.artifacts
        values = {
            name: _value(table.c[name], entry[name], where)
            for name in ("kind", "part", "epoch", "created_at")
        }
        if values["kind"] not in KINDS or not _PART.fullmatch(values["part"]):
            raise InvalidArchive(
                f"{where}: the artifact {values['kind'][:40]!r} {values['part'][:40]!r} is of no known kind. {_AGAIN}"
            )
        name = f"{values['kind']}{'-' if values['part'] else ''}{values['part']}.safetensors"
        if entry["file"] != name or any(
            f["kind"] == values["kind"] and f["part"] == values["part"] for f in found
        ):
            raise InvalidArchive(
                f"{where}: the file of an artifact is {str(entry['file'])[:120]!r} instead of {name}. {_AGAIN}"
            )
        path = f"runs/{run_id}/{name}"
        content = archive.read(path)
        try:
            safetensors.deserialize(content)  # type: ignore[no-untyped-call]
        except safetensors.SafetensorError as error:
            raise InvalidArchive(
                f"The file {path} is no whole safetensors file: {error!s:.120}. {_AGAIN}"
            ) from error
        found.append(values | {"name": path})
    return found


def _nothing_else(archive: OpenArchive, runs: Sequence[_Arriving]) -> None:
    expected = {f"runs/{run.id}/{name}.json" for run in runs for name in ("run", "history")}
    expected |= {file["name"] for run in runs for file in run.files}
    for name in sorted(set(archive.manifest.files) - expected):
        raise InvalidArchive(f"The file {name!r} belongs to none of the archive's runs. {_AGAIN}")


def _state_here(store: Store, archive: OpenArchive, run: _Arriving) -> str:
    """Say whether a run is ``absent``, here with the ``same`` content, or its id is some ``other`` run's."""
    table = schema.artifacts
    with store.reading() as connection:
        if (
            connection.execute(
                sa.select(schema.runs.c.id).where(schema.runs.c.id == run.id)
            ).first()
            is None
        ):
            return "absent"
        about, history = described(connection, run.id)
        rows = connection.execute(
            sa.select(table.c.kind, table.c.part, table.c.sha256).where(table.c.run_id == run.id)
        ).all()
    hashes = {(kind, part): sha256 for kind, part, sha256 in rows}
    figures = {name: value for name, value in run.row.items() if name not in _ANNOTATIONS}
    own = {name: about["run"][name] for name in figures} | {
        "config": canonical_json(parse_config(about["run"]["config"]))
    }
    files = all(
        hashes.get((f["kind"], f["part"]))
        in (None, archive.manifest.files[f["name"]][0])  # None: pruned here
        for f in run.files
    )
    arriving = {
        name: [{key: _plain(value) for key, value in entry.items()} for entry in rows]
        for name, rows in run.history.items()
    }
    same = files and json.dumps([figures, arriving], sort_keys=True) == json.dumps(
        [own, history], sort_keys=True
    )
    return "same" if same else "other"


def _take(
    store: Store, archive: OpenArchive, runs: Sequence[_Arriving], ids: Mapping[str, str]
) -> None:
    """Write files, then all rows in one transaction; the files are removed again when that fails."""
    stored: list[tuple[str, dict[str, Any], StoredFile]] = []
    try:
        for run in runs:
            for file in run.files:
                content = archive.read(file["name"])
                stored.append(
                    (
                        ids[run.id],
                        file,
                        artifacts.write(
                            store.settings, ids[run.id], ArtifactKind(file["kind"]), content
                        ),
                    )
                )
        with store.writing(in_turn=True) as connection:
            for run in runs:
                _insert(connection, run, ids[run.id], ids, owner=store.person.email)
            for run_id, file, written in stored:
                values = {name: file[name] for name in ("kind", "part", "epoch", "created_at")}
                values |= {
                    "run_id": run_id,
                    "path": written.path,
                    "sha256": written.sha256,
                    "n_bytes": written.n_bytes,
                }
                connection.execute(schema.artifacts.insert().values(values))
            if runs:
                bump_revision(connection)
    except BaseException:
        for _, _, written in stored:
            artifacts.discard(store.settings, written.path)
        raise


def _insert(
    connection: sa.Connection,
    run: _Arriving,
    run_id: str,
    ids: Mapping[str, str],
    *,
    owner: str | None,
) -> None:
    parent = run.row["parent_id"]
    own = {
        "id": run_id,
        "owner": owner,
        "revision": 1,
        "stop_requested": False,
        "parent_id": ids.get(parent, parent),
    }
    connection.execute(schema.runs.insert().values(run.row | own))
    rows = {schema.run_tags: [{"tag": tag} for tag in run.tags], schema.run_events: run.events}
    for table, entries in (
        *rows.items(),
        *((table, run.history[name]) for name, table in HISTORY.items()),
    ):
        if entries:
            connection.execute(table.insert(), [entry | {"run_id": run_id} for entry in entries])


def _row(
    table: sa.Table, values: object, where: str, *, without: tuple[str, ...]
) -> dict[str, Any]:
    columns = [column for column in table.columns if column.name not in without]
    _keys(_mapping(values, where), {column.name for column in columns}, where)
    return {
        column.name: _value(column, _mapping(values, where)[column.name], where)
        for column in columns
    }


def _value(column: sa.Column[Any], value: object, where: str) -> Any:  # noqa: ANN401 - of the column's type
    """Check a value against its column; NULL where that is allowed."""
    if value is None and column.nullable:
        return None
    kind = column.type
    if isinstance(kind, sa.LargeBinary) and isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error as error:
            raise InvalidArchive(
                f"{where}: {column.name} is no base64: {error}. {_AGAIN}"
            ) from error
    if isinstance(kind, sa.String) and isinstance(value, str):
        return _text(value, column, where)
    if isinstance(kind, sa.Boolean) and isinstance(value, bool):
        return value
    if (
        isinstance(kind, sa.Integer)
        and isinstance(value, int)
        and not isinstance(value, bool)
        and abs(value) < 2**63
    ):
        return value
    if (
        isinstance(kind, sa.Float)
        and isinstance(value, int | float)
        and not isinstance(value, bool)
    ):
        return _finite(value, column, where)
    raise InvalidArchive(
        f"{where}: {column.name} is {str(value)[:60]!r}, not {_TYPES[kind.python_type]}. {_AGAIN}"
    )


def _finite(value: float, column: sa.Column[Any], where: str) -> float:
    """Give a number back that can be what its column says: finite, and a moment or a time span that a calendar has."""
    name = column.name
    low, high = (
        (0.0, _LAST_MOMENT)
        if name.endswith("_at")
        else (0.0, _LONGEST)
        if name.startswith("seconds")
        else (-math.inf, math.inf)
    )
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or not low <= number <= high:
        raise InvalidArchive(f"{where}: {name} is {str(value)[:60]}, which cannot be. {_AGAIN}")
    return number


def _text(value: object, column: sa.Column[Any], where: str) -> str:
    longest = getattr(column.type, "length", None) or 10_000_000
    if (
        not isinstance(value, str)
        or len(value) > longest
        or "\x00" in value
        or any("\ud800" <= sign <= "\udfff" for sign in value)
    ):
        raise InvalidArchive(
            f"{where}: {column.name} is {str(value)[:60]!r}, not text of at most {longest:,} characters. {_AGAIN}"
        )
    return value


def _keys(values: Mapping[str, Any], wanted: set[str], where: str) -> None:
    wrong = sorted(set(values) ^ wanted)
    if wrong:
        what = "lacks" if wrong[0] in wanted else "has an unknown"
        raise InvalidArchive(
            f"{where} {what} {wrong[0][:40]!r}. Upgrade MNIST Dash, or export again."
        )


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidArchive(
            f"{where}: a {type(value).__name__} stands where a JSON object should. {_AGAIN}"
        )
    return value


def _list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidArchive(
            f"{where}: a {type(value).__name__} stands where a JSON list should. {_AGAIN}"
        )
    return value


def _plain(value: object) -> object:
    return base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else value
