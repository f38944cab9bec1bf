"""Drawings that were kept with a label: a test set of a person's own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from mnist_dash.core.config.run_config import N_CLASSES
from mnist_dash.core.data.drawing import FIELD, Strokes, encode_strokes, image_of
from mnist_dash.errors import InvalidInput
from mnist_dash.runs.access.permission import require
from mnist_dash.runs.store.artifact_policy import BIN_DAYS
from mnist_dash.runs.store.run_store import Store, bump_revision
from mnist_dash.runs.store.schema import drawings as table
from mnist_dash.runs.store.schema import now

MAX_DRAWINGS = 1000


@dataclass(frozen=True, eq=False)
class Drawing:
    """One kept drawing."""

    id: int
    label: int
    """What it is meant to be, 0 to 9."""
    image: npt.NDArray[np.uint8]
    """``(28, 28)``, prepared as MNIST was."""
    strokes: str
    """What was drawn, for `core.data.drawing.decode_strokes`."""


def keep(store: Store, strokes: Strokes, label: int) -> int:
    """Keep a drawing with its label and return its number.

    Raises:
        NotAllowed: the person may only look.
        InvalidInput: the label is not 0 to 9, nothing is drawn, or there are too many drawings already.
    """
    require(store, "keep a drawing")
    if not 0 <= label < N_CLASSES:
        raise InvalidInput(
            f"{label} is no label of a drawing (0 to {N_CLASSES - 1}). Choose the digit that it is meant to be."
        )
    if not strokes:
        raise InvalidInput("The canvas is empty, so there is nothing to save. Draw a digit first.")
    row = {
        "label": label,
        "pixels": image_of(strokes).tobytes(),
        "strokes": encode_strokes(strokes),
        "created_at": now(),
    }
    with store.writing() as connection:
        n_kept = connection.execute(
            sa.select(sa.func.count()).where(table.c.deleted_at.is_(None))
        ).scalar_one()
        if n_kept >= MAX_DRAWINGS:
            raise InvalidInput(
                f"{MAX_DRAWINGS:,} drawings are saved already, which is as many as can be. Delete some first."
            )
        connection.execute(table.delete().where(table.c.deleted_at < now() - BIN_DAYS * 86_400))
        (number,) = connection.execute(table.insert().values(row)).inserted_primary_key or (0,)
        bump_revision(connection)
    return int(number)


def kept(store: Store) -> tuple[Drawing, ...]:
    """List the kept drawings, oldest first."""
    with store.reading() as connection:
        rows = connection.execute(
            sa.select(table).where(table.c.deleted_at.is_(None)).order_by(table.c.id)
        ).all()
    return tuple(
        Drawing(
            row.id,
            row.label,
            np.frombuffer(row.pixels, np.uint8).reshape(FIELD, FIELD),
            row.strokes,
        )
        for row in rows
    )


def delete(store: Store, numbers: Iterable[int]) -> None:
    """Take drawings out of the test set; `undelete` brings them back for a while."""
    require(store, "delete drawings")
    _mark(store, numbers, deleted=True)


def undelete(store: Store, numbers: Iterable[int]) -> None:
    """Bring deleted drawings back."""
    require(store, "bring deleted drawings back")
    _mark(store, numbers, deleted=False)


def _mark(store: Store, numbers: Iterable[int], *, deleted: bool) -> None:
    with store.writing() as connection:
        connection.execute(
            table.update()
            .where(table.c.id.in_(tuple(numbers)))
            .values(deleted_at=now() if deleted else None)
        )
        bump_revision(connection)
