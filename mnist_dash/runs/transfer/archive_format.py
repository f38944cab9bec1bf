"""The format of an archive of whole runs, and reading one without trusting it.

An archive is a zip or an uncompressed tar file. ``manifest.json`` names the format, its version, the runs and, for every other file, its
SHA-256 and size. A run has ``runs/ID/run.json`` (its row, tags and events), ``runs/ID/history.json`` (epochs, layers, steps) and its
artifacts as ``runs/ID/KIND.safetensors`` or ``runs/ID/KIND-PART.safetensors``. Nothing in it is ever unpickled or executed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from mnist_dash.errors import InvalidArchive

FORMAT = "mnist-dash-runs"
VERSION = 1
MANIFEST = "manifest.json"
MAX_FILES = 100_000
MAX_MANIFEST_BYTES = 64 * 2**20
MAX_FILE_BYTES = 2 * 2**30
"""More than the checkpoint of the largest network with two moments."""
MAX_RATIO = 100
"""How many times the archive's own size its files may have; histories of many epochs are packed to a tenth."""
FREE_BYTES = 16 * 2**20
"""Unpacked size that is allowed whatever the archive's own size."""
_BLOCK = 2**20
_PART = re.compile(r"[A-Za-z0-9._-]{1,200}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Member:
    """One entry of an archive, as the archive says."""

    name: str
    n_bytes: int
    is_file: bool
    """Neither a folder nor a link nor a device, and not encrypted."""


class Container(Protocol):
    """A zip or a tar file that is being read."""

    def members(self) -> Iterator[Member]:
        """List the entries."""

    def open(self, name: str) -> IO[bytes]:
        """Open one entry to be read."""


class _Zip:
    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file

    def members(self) -> Iterator[Member]:
        for entry in self._file.infolist():
            kind = stat.S_IFMT(entry.external_attr >> 16)
            yield Member(
                entry.orig_filename,
                entry.file_size,
                kind in (0, stat.S_IFREG) and not entry.is_dir() and not entry.flag_bits & 1,
            )

    def open(self, name: str) -> IO[bytes]:
        return self._file.open(name)


class _Tar:
    def __init__(self, file: tarfile.TarFile) -> None:
        self._file = file

    def members(self) -> Iterator[Member]:
        for entry in self._file:
            yield Member(entry.name, entry.size, entry.isreg() and not entry.issparse())

    def open(self, name: str) -> IO[bytes]:
        found = self._file.extractfile(name)
        if found is None:
            raise KeyError(name)
        return found


@dataclass(frozen=True)
class Manifest:
    """What an archive says of itself."""

    run_ids: tuple[str, ...]
    files: dict[str, tuple[str, int]]
    """SHA-256 and bytes of every file but the manifest, by name."""


class OpenArchive:
    """An archive whose names, sizes and manifest have been checked; each file's hash is checked when it is read."""

    def __init__(self, container: Container, manifest: Manifest, name: str) -> None:
        self._container = container
        self._name = name
        self.manifest = manifest

    def read(self, name: str) -> bytes:
        """Read one file whole.

        Raises:
            InvalidArchive: it is not there, or not what the manifest says.
        """
        if name not in self.manifest.files:
            raise InvalidArchive(f"The file {name} is missing in the archive. {_AGAIN}")
        sha256, n_bytes = self.manifest.files[name]
        with _said(self._name):
            content = _read(self._container, name, n_bytes)
        found = hashlib.sha256(content).hexdigest()
        if found != sha256:
            raise InvalidArchive(
                f"The file {name} was changed or damaged: its SHA-256 is {found[:12]}… instead of {sha256[:12]}…. {_AGAIN}"
            )
        return content

    def read_json(self, name: str) -> dict[str, Any]:
        """Read one file as a JSON object.

        Raises:
            InvalidArchive: it is none.
        """
        return _object(self.read(name), name)


_AGAIN = "Export the runs again."


@contextmanager
def open_archive(path: Path, *, room: int) -> Iterator[OpenArchive]:
    """Open an archive and check everything about it but the contents of its files.

    Args:
        path: a zip or an uncompressed tar file, whatever its name.
        room: bytes that its files may have together, such as what the disk has free.

    Raises:
        InvalidArchive: it is no such file, or breaks a rule: names the rule, the value and the remedy.
    """
    with contextlib.ExitStack() as opened:
        with _said(path.name):
            n_bytes = path.stat().st_size
            if zipfile.is_zipfile(path):
                container: Container = _Zip(opened.enter_context(zipfile.ZipFile(path)))
            elif tarfile.is_tarfile(path):
                container = _Tar(opened.enter_context(tarfile.open(path, "r:")))
            else:
                raise InvalidArchive(
                    f"{path.name!r} is neither a zip nor a tar file. Choose one that `export` wrote."
                )
            archive = OpenArchive(container, _checked(container, n_bytes, room), path.name)
        yield archive


@contextmanager
def _said(name: str) -> Iterator[None]:
    """Turn what the readers of zip and tar files raise into a sentence."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        OSError,
        ValueError,
    ) as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise InvalidArchive(f"{name!r} is no whole zip or tar file: {said}. {_AGAIN}") from error


def _checked(container: Container, n_archive: int, room: int) -> Manifest:
    """Check names, kinds and sizes, and read the manifest."""
    members: dict[str, int] = {}
    for member in container.members():
        if len(members) >= MAX_FILES:
            raise InvalidArchive(
                f"The archive has too many files (at most {MAX_FILES:,}). Export fewer runs at once."
            )
        _check_name(member.name)
        if not member.is_file:
            raise InvalidArchive(
                f"{member.name!r} is no plain file but a folder, a link, a device or an encrypted file. {_AGAIN}"
            )
        if member.name in members:
            raise InvalidArchive(f"The file {member.name!r} is in the archive twice. {_AGAIN}")
        members[member.name] = member.n_bytes
    if MANIFEST not in members:
        raise InvalidArchive(f"The archive has no {MANIFEST}. Choose a file that `export` wrote.")
    _check_sizes(members, n_archive, room)
    manifest = _manifest(_object(_read(container, MANIFEST, members[MANIFEST]), MANIFEST))
    for name in sorted(set(members) ^ {MANIFEST, *manifest.files}):
        where = "the manifest" if name in members else "the archive"
        raise InvalidArchive(f"The file {name!r} is not in {where}. {_AGAIN}")
    for name, (_, n_bytes) in manifest.files.items():
        if members[name] != n_bytes:
            raise InvalidArchive(
                f"The file {name} has {members[name]:,} bytes instead of {n_bytes:,}. {_AGAIN}"
            )
    return manifest


def _check_name(name: str) -> None:
    """Take only relative names of plain parts: nothing that could lie outside of a folder, on any system."""
    if len(name) > 300 or not all(
        _PART.fullmatch(part) and part.strip(".") for part in name.split("/")
    ):
        raise InvalidArchive(
            f"{name[:120]!r} is no name of a file in an archive (relative, of letters, digits, '.', '_' and '-'). {_AGAIN}"
        )


def _check_sizes(members: dict[str, int], n_archive: int, room: int) -> None:
    if members[MANIFEST] > MAX_MANIFEST_BYTES:
        raise InvalidArchive(
            f"The manifest has {members[MANIFEST]:,} bytes, which are too many (at most {MAX_MANIFEST_BYTES:,}). Export fewer runs at once."
        )
    largest = max(members, key=members.__getitem__)
    if members[largest] > MAX_FILE_BYTES:
        raise InvalidArchive(
            f"The file {largest} has {members[largest]:,} bytes, which are too many (at most {MAX_FILE_BYTES:,}). {_AGAIN}"
        )
    total = sum(members.values())
    if total > FREE_BYTES + MAX_RATIO * n_archive:
        raise InvalidArchive(
            f"The archive would unpack to {total:,} bytes out of {n_archive:,} (at most {MAX_RATIO} times its size). {_AGAIN}"
        )
    if total > room:
        raise InvalidArchive(
            f"The disk is too full for these runs: they take {total:,} bytes, and {room:,} are free. Free some space, or export fewer."
        )


def _manifest(values: dict[str, Any]) -> Manifest:
    if values.get("format") != FORMAT:
        raise InvalidArchive(
            f"The manifest has the format {str(values.get('format'))[:60]!r} instead of {FORMAT!r}. Choose a file that `export` wrote."
        )
    version = values.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= VERSION:
        raise InvalidArchive(
            f"Version {str(version)[:20]} of an archive is not known to this MNIST Dash (1 to {VERSION}). Upgrade it."
        )
    runs, files = values.get("runs"), values.get("files")
    if (
        not isinstance(runs, list)
        or not isinstance(files, dict)
        or not all(isinstance(run_id, str) for run_id in runs)
    ):
        raise InvalidArchive(f"The manifest has no list of runs and no table of files. {_AGAIN}")
    found: dict[str, tuple[str, int]] = {}
    for name, entry in files.items():
        sha256, n_bytes = (
            (entry.get("sha256"), entry.get("bytes")) if isinstance(entry, dict) else (None, None)
        )
        if (
            not isinstance(sha256, str)
            or not _SHA256.fullmatch(sha256)
            or not isinstance(n_bytes, int)
            or n_bytes < 0
        ):
            raise InvalidArchive(
                f"The manifest's entry of {name[:120]!r} has no SHA-256 and bytes: {str(entry)[:80]}. {_AGAIN}"
            )
        found[name] = (sha256, n_bytes)
    if not runs or len(set(runs)) < len(runs):
        raise InvalidArchive(f"The archive has {'a run twice' if runs else 'no run'}. {_AGAIN}")
    return Manifest(tuple(runs), found)


def _read(container: Container, name: str, n_bytes: int) -> bytes:
    """Read at most as much as was said, so that a lie about the size costs nothing."""
    with container.open(name) as file:
        blocks, left = [], n_bytes + 1
        while left and (block := file.read(min(_BLOCK, left))):
            blocks.append(block)
            left -= len(block)
    content = b"".join(blocks)
    if len(content) != n_bytes:
        raise InvalidArchive(
            f"The file {name} has {'more' if not left else f'{len(content):,}'} bytes instead of {n_bytes:,}. {_AGAIN}"
        )
    return content


def _object(content: bytes, name: str) -> dict[str, Any]:
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InvalidArchive(f"The file {name} is no JSON: {str(error)[:120]}. {_AGAIN}") from error
    if not isinstance(values, dict):
        raise InvalidArchive(
            f"The file {name} is a {type(values).__name__}, not a JSON object. {_AGAIN}"
        )
    return values
