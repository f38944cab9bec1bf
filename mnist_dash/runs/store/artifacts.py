"""Files that runs leave: written whole, hashed, found by run and kind.

A file goes to its final name only when it is complete and on the disk, and its row with the SHA-256 follows in the caller's transaction.
The hash is checked on every read: safetensors loads a file with a flipped byte without a word.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import secrets
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt
import safetensors.numpy
import sqlalchemy as sa

from mnist_dash.errors import ArtifactError, StorageFull, StorageUnavailable
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.places.opening import place_of
from mnist_dash.runs.store.places.place import PlaceAway
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.schema import now
from mnist_dash.settings import DATABASE_FILE, Settings


class ArtifactKind(StrEnum):
    """What a stored file holds."""

    WEIGHTS = "weights"
    """Trained weights, safetensors, named and laid out as a plain torch.nn.Sequential has them."""
    CHECKPOINT = "checkpoint"
    """Everything needed to go on after the last finished epoch, safetensors."""
    EPOCH_CHECKPOINT = "epoch_checkpoint"
    """The same after an earlier epoch, for forks; the part is the epoch's number."""
    TEST_PROBABILITIES = "test_probabilities"
    """Probabilities of the test images, safetensors with one float32 array (N, 10)."""
    EPOCH_PROBABILITIES = "epoch_probabilities"
    """The same after a kept epoch; the part is the epoch's number."""
    VALIDATION_PROBABILITIES = "validation_probabilities"
    """Probabilities of the validation images, safetensors with one float32 array (N, 10)."""
    EMBEDDING = "embedding"
    """Images on a plane; the part is the hash of its parameters."""


@dataclass(frozen=True)
class StoredFile:
    """A file that lies complete on the disk and waits for its row."""

    path: str
    """Relative to the artifact folder."""
    sha256: str
    n_bytes: int


@dataclass(frozen=True)
class StorageUse:
    """How much room the store takes and has, in bytes."""

    bytes_artifacts: int
    bytes_database: int
    bytes_free: int | None
    """None where the place has no limit that could be asked for."""
    n_files: int


def write(settings: Settings, run_id: str, kind: ArtifactKind, content: bytes) -> StoredFile:
    """Put a file on the disk, whole or not at all; an older file of the kind stays until its row is replaced.

    Raises:
        StorageUnavailable: the place is away, has no room for it, or refuses it for another reason.
    """
    relative = f"{run_id[:2]}/{run_id}/{kind}-{secrets.token_hex(4)}.safetensors"
    place = place_of(settings)
    try:
        place.write(relative, content)
    except OSError as error:
        raise _refusal(
            error,
            f"the {kind} of run {run_id}, {len(content):,} bytes, cannot be written to {place.name}",
        ) from error
    return StoredFile(relative, hashlib.sha256(content).hexdigest(), len(content))


def _refusal(error: OSError, what: str) -> StorageUnavailable:
    """Say why a place does not take a file, and what to do."""
    goes_on = "a run in training goes on by itself."
    if isinstance(error, PlaceAway):
        return StorageUnavailable(
            f"The artifacts' place is away ({error.strerror}): {what}. Bring it back; {goes_on}"
        )
    if error.errno == errno.ENOSPC:
        return StorageFull(f"The disk is full: {what}. Free some space; {goes_on}")
    return StorageFull(
        f"The artifact folder refuses a file ({error.strerror or error}): {what}. Make the folder writable; {goes_on}"
    )


def record(
    connection: sa.Connection,
    run_id: str,
    kind: ArtifactKind,
    file: StoredFile,
    *,
    epoch: int,
    part: str = "",
) -> str | None:
    """Write a file's row within the caller's transaction and return the path of the file that it replaces, to be removed after it."""
    table = schema.artifacts
    here = _named(run_id, kind, part)
    former = connection.execute(sa.select(table.c.path).where(here)).scalar()
    connection.execute(table.delete().where(here))
    connection.execute(
        table.insert().values(
            run_id=run_id,
            kind=kind,
            part=part,
            path=file.path,
            sha256=file.sha256,
            n_bytes=file.n_bytes,
            epoch=epoch,
            created_at=now(),
        )
    )
    return None if former is None else str(former)


def is_recorded(connection: sa.Connection, run_id: str, file: StoredFile, *, epoch: int) -> bool:
    """Say whether a file's row is there already: the transaction that wrote it was carried out, and its answer was lost."""
    table = schema.artifacts
    here = (table.c.run_id == run_id) & (table.c.path == file.path) & (table.c.epoch == epoch)
    return connection.execute(sa.select(table.c.path).where(here)).first() is not None


def discard(settings: Settings, relative: str | None) -> None:
    """Remove a file that no row names any more."""
    if relative is not None:
        # A file too many does no harm; `doctor --repair` finds it.
        with contextlib.suppress(OSError):
            place_of(settings).remove(relative)


def has(store: Store, run_id: str, kind: ArtifactKind, part: str = "") -> bool:
    """Say whether a run has left a file of this kind."""
    with store.reading() as connection:
        query = sa.select(schema.artifacts.c.path).where(_named(run_id, kind, part))
        return connection.execute(query).scalar() is not None


def find(store: Store, run_id: str, kind: ArtifactKind, part: str = "") -> int | None:
    """Give the finished epochs when a file was made; None where the run has left none."""
    with store.reading() as connection:
        return connection.execute(
            sa.select(schema.artifacts.c.epoch).where(_named(run_id, kind, part))
        ).scalar()


def parts(store: Store, run_id: str, kind: ArtifactKind) -> list[str]:
    """List which files of a kind a run has left, by the epoch after which each was made."""
    table = schema.artifacts
    with store.reading() as connection:
        query = (
            sa.select(table.c.part)
            .where(table.c.run_id == run_id, table.c.kind == kind)
            .order_by(table.c.epoch, table.c.part)
        )
        return [str(part) for part in connection.execute(query).scalars()]


def read(store: Store, run_id: str, kind: ArtifactKind, part: str = "") -> bytes:
    """Read a file and check it.

    Raises:
        ArtifactError: the run has left none, it is missing on the disk, or its content is not what was written.
        StorageUnavailable: the place where it lies is not there now.
    """
    table = schema.artifacts
    with store.reading() as connection:
        query = sa.select(table.c.path, table.c.sha256).where(_named(run_id, kind, part))
        row = connection.execute(query).first()
    if row is None:
        raise ArtifactError(
            f"Run {run_id} has left no {kind}: it finished no epoch, or they were removed. Train it again."
        )
    place = place_of(store.settings)
    path = place.location(row.path)
    try:
        content = place.read(row.path)
    except OSError as error:
        fault = f"The {kind} of run {run_id} cannot be read at {path}: {error.strerror or error}."
        if isinstance(error, PlaceAway):
            raise StorageUnavailable(
                f"{fault} It is read when its place is there again."
            ) from error
        raise ArtifactError(f"{fault} Restore the file, or train again.") from error
    found = hashlib.sha256(content).hexdigest()
    if found != row.sha256:
        raise ArtifactError(
            f"The {kind} of run {run_id} changed after it was written: SHA-256 {found[:12]} instead of {row.sha256[:12]}, at {path}. "
            "Restore the file from a backup, or train again: the same configuration gives the same result."
        )
    return content


def read_probabilities(
    store: Store, run_id: str, kind: ArtifactKind, part: str = ""
) -> npt.NDArray[np.float32]:
    """Read stored probabilities, float32 ``(N, 10)`` in the order of the images.

    Raises:
        ArtifactError: as for `read`.
    """
    probabilities: npt.NDArray[np.float32] = safetensors.numpy.load(
        read(store, run_id, kind, part)
    )["probabilities"]
    return probabilities


def pack_probabilities(probabilities: npt.NDArray[np.float32]) -> bytes:
    """Write probabilities ``(N, 10)`` as the content of a file."""
    return safetensors.numpy.save(
        {"probabilities": np.ascontiguousarray(probabilities, dtype=np.float32)}
    )


def storage(store: Store) -> StorageUse:
    """Measure the room that the store takes and has left."""
    table = schema.artifacts
    with store.reading() as connection:
        n_files, n_bytes = connection.execute(
            sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(table.c.n_bytes), 0))
        ).one()
    database = (
        sum(_size(store.settings.home / f"{DATABASE_FILE}{suffix}") for suffix in ("", "-wal"))
        if store.settings.is_sqlite
        else 0
    )
    return StorageUse(int(n_bytes), database, place_of(store.settings).free_bytes(), int(n_files))


def _named(run_id: str, kind: ArtifactKind, part: str) -> sa.ColumnElement[bool]:
    table = schema.artifacts
    return (table.c.run_id == run_id) & (table.c.kind == kind) & (table.c.part == part)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
