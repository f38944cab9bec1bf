"""Whether a process sees the artifacts of the others: a number in the database, and the same in a file beside the artifacts, its mark.

A worker of another machine that reaches the database and not the folder would take runs, find no checkpoint, and leave files that nobody
else finds. So whoever opens the store compares the two. A place without the mark is taken all the same where nothing speaks against it: it
holds most of the files that the database names, as a folder that was copied or restored does; or the database is a file of this machine
and names none. A place with the mark of another store keeps it, and the database takes it over.
"""

from __future__ import annotations

import secrets

import sqlalchemy as sa

from mnist_dash.errors import ArtifactsElsewhere
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.migrations import keep_others_out
from mnist_dash.runs.store.places.place import MARKER, Place

KEY = "artifacts"
"""Row of the table `meta` that has the number."""
N_LOOKED_FOR = 20
"""How many of the newest files are looked for where there is no mark."""


def check_identity(engine: sa.Engine, place: Place, *, files_are_lost: bool) -> None:
    """Check that a place has the artifacts that the database names, and mark both where they are not yet.

    Args:
        engine: the database, with its tables.
        place: where this process would read and write artifacts.
        files_are_lost: whether the files that the database names are given up, so that any place will do.

    Raises:
        ArtifactsElsewhere: others keep them in another place.
        OSError: the place cannot be read.
    """
    place.is_marked = False  # what an earlier opening has seen counts no more
    with engine.connect().execution_options(reading=True) as connection, connection.begin():
        identity = _identity(connection)
    place.is_marked = identity is not None and _mark(place) == identity
    if not place.is_marked:
        with engine.begin() as connection:
            keep_others_out(connection)
            place.is_marked = _agree(connection, place, files_are_lost=files_are_lost)


def _agree(connection: sa.Connection, place: Place, *, files_are_lost: bool) -> bool:
    """Have database and place name the same number; returns whether they do: a place that cannot be written is left to others."""
    identity, mark = _identity(connection), _mark(place)
    if not files_are_lost:
        _check_files(connection, place, is_known=identity is not None)
    agreed = mark or (None if files_are_lost else identity) or secrets.randbits(63)
    if mark is None:
        try:
            place.write(MARKER, f"{agreed:016x}\n".encode())
        except OSError:
            return False
    if agreed != identity:
        connection.execute(schema.meta.delete().where(schema.meta.c.key == KEY))
        connection.execute(schema.meta.insert().values(key=KEY, value=agreed))
    return True


def _check_files(connection: sa.Connection, place: Place, *, is_known: bool) -> None:
    """Check that the newest files that the database names are there, most of them.

    Raises:
        ArtifactsElsewhere: they are not; or there are none yet, and another machine may have marked its own place.
    """
    table = schema.artifacts
    newest = (
        sa.select(table.c.path)
        .order_by(table.c.created_at.desc(), table.c.path)
        .limit(N_LOOKED_FOR)
    )
    paths = connection.execute(newest).scalars().all()
    n_there = sum(place.has(path) for path in paths)
    if 2 * n_there > len(paths) or (
        not paths and not (is_known and connection.dialect.name != "sqlite")
    ):
        return
    looked_for = (
        f"and {n_there or 'none'} of the {len(paths)} newest files is there"
        if paths
        else f"and lacks their file {MARKER}"
    )
    raise ArtifactsElsewhere(
        f"{place.name} is not where the other processes of this database keep their artifacts: it is not marked as theirs, {looked_for}. "
        "Mount the folder that they use, or name it in MNIST_DASH_ARTIFACT_DIR. "
        "If those files are lost for good, or this is to be the place from now on, start once with MNIST_DASH_ARTIFACTS_LOST=1."
    )


def _identity(connection: sa.Connection) -> int | None:
    return connection.execute(
        sa.select(schema.meta.c.value).where(schema.meta.c.key == KEY)
    ).scalar()


def _mark(place: Place) -> int | None:
    """Read a place's mark; None where it has none, or one that is no number."""
    try:
        return int(place.read(MARKER), 16)
    except (FileNotFoundError, ValueError):
        return None
