"""Files that commands write: new, and whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mnist_dash.errors import InvalidInput


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give a temporary name beside a file; what is written there becomes the file when the block ends well, and is removed when not.

    Raises:
        InvalidInput: the file exists, or cannot be written.
    """
    if path.exists():
        raise InvalidInput(
            f"The file {str(path)!r} exists already. Choose another name, or remove it."
        )
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.touch()
        yield temporary
        temporary.rename(path)
    except OSError as error:
        raise InvalidInput(
            f"The file {str(path)!r} cannot be written: {error.strerror}. Choose a folder that is there."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
