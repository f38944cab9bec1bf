"""Verified archives of the data sets, and where they lie; no torch.

MNIST ships with the package as its four original archives, byte for byte (LeCun, Cortes and Burges; CC BY-SA 3.0). The other sets come
from a folder of IDX files, or from torchvision's own download.
"""

from __future__ import annotations

import gzip
import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from mnist_dash.errors import DataError

PACKAGED_ARCHIVES = Path(__file__).parents[2] / "archives" / "MNIST" / "raw"


@dataclass(frozen=True)
class Archive:
    """One IDX file of MNIST, packed and unpacked."""

    name: str
    """Name of the unpacked file; the archive's is this and ``.gz``."""
    md5_packed: str
    """Checksum that torchvision names for the archive."""
    md5_unpacked: str


MNIST_ARCHIVES = (
    Archive(
        "train-images-idx3-ubyte",
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "6bbc9ace898e44ae57da46a324031adb",
    ),
    Archive(
        "train-labels-idx1-ubyte",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "a25bea736e30d166cdddb491f175f624",
    ),
    Archive(
        "t10k-images-idx3-ubyte",
        "9fb629c4189551a2d022fa330f9573f3",
        "2646ac647ad5339dbf082846283269ea",
    ),
    Archive(
        "t10k-labels-idx1-ubyte",
        "ec29112dd5afa0611ce80d1b7f02629c",
        "27ae3e4e09519cfbb04c329615203637",
    ),
)


def mnist_folder(data_dir: Path) -> Path:
    """Name the folder in which torchvision looks for MNIST's files below its root `data_dir`."""
    return data_dir / "MNIST" / "raw"


def check_archives(data_dir: Path, *, packaged: Path = PACKAGED_ARCHIVES) -> None:
    """Verify MNIST's archives: those in `data_dir` where there are any, else those that ship with the package.

    Takes about 20 ms and writes nothing.

    Raises:
        DataError: an archive is missing or damaged; names the file, the expected and the found MD5, and the remedy.
    """
    for archive in MNIST_ARCHIVES:
        _verified(archive, data_dir, packaged)


def ensure_mnist(data_dir: Path, *, packaged: Path = PACKAGED_ARCHIVES) -> None:
    """Put MNIST's four verified archives and their unpacked files below `data_dir`, as torchvision lays them out.

    Copies are unpacked in a folder of this call's own, and each file is then renamed into place: whole at any moment, whatever number of
    processes do this at once. Nothing is done when all is there and verified. torchvision would do the same after an import of more than a
    second, for which the first run of a new installation would wait.

    Raises:
        DataError: an archive is missing or damaged, or the folder cannot be written.
    """
    check_archives(data_dir, packaged=packaged)
    folder = mnist_folder(data_dir)
    if all(
        _md5(folder / archive.name) == archive.md5_unpacked
        and (folder / f"{archive.name}.gz").exists()
        for archive in MNIST_ARCHIVES
    ):
        return
    try:
        _unpack(data_dir, packaged)
    except OSError as error:
        raise DataError(
            f"{data_dir} cannot be written ({error}). The data folder needs 70 MB of free space. "
            "Free some, or set MNIST_DASH_DATA_DIR to another folder."
        ) from error


def _unpack(data_dir: Path, packaged: Path) -> None:
    folder = mnist_folder(data_dir)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=data_dir) as own:
        own_folder = mnist_folder(Path(own))
        own_folder.mkdir(parents=True)
        for archive in MNIST_ARCHIVES:
            packed = shutil.copyfile(
                _verified(archive, data_dir, packaged), own_folder / f"{archive.name}.gz"
            )
            with gzip.open(packed) as content, (own_folder / archive.name).open("wb") as file:
                shutil.copyfileobj(content, file)
        for archive in MNIST_ARCHIVES:
            for name in (f"{archive.name}.gz", archive.name):
                (own_folder / name).replace(folder / name)


def _verified(archive: Archive, data_dir: Path, packaged: Path) -> Path:
    name = f"{archive.name}.gz"
    own, shipped = mnist_folder(data_dir) / name, packaged / name
    path = own if own.exists() else shipped
    found = _md5(path)
    if found == archive.md5_packed:
        return path
    if found is None:
        raise DataError(
            f"The archive {name} is missing: there is no file at {shipped} nor at {own}. Its MD5 is {archive.md5_packed}. "
            "Install the package again, or put the original archive at either place."
        )
    remedy = (
        "Delete this file; the package's own copy takes its place."
        if path == own
        else "Install the package again."
    )
    raise DataError(
        f"The archive {path} is damaged: its MD5 is {found}. That of the original is {archive.md5_packed}. {remedy}"
    )


def _md5(path: Path) -> str | None:
    """Checksum of a file; None when it is not there."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except FileNotFoundError:
        return None
