"""What people write on runs: names, notes, stars, tags, and which they put out of the list. Kept and shown as typed."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from mnist_dash.errors import IllegalTransition, InvalidInput, UnknownRun
from mnist_dash.runs.access.permission import require
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.run_store import Store, update
from mnist_dash.runs.store.schema import now
from mnist_dash.runs.store.states import RunState
from mnist_dash.text import plural

MAX_NAME = 120
MAX_NOTES = 10_000
MAX_TAG = 40
MAX_TAGS = 50
"""Tags of one run."""
_BREAKS = "\n\t"
_DIRECTIONS = {
    chr(code)
    for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x2028, 0x2029)
}
"""Characters that turn the direction of what follows, or end a line unseen."""


def rename(store: Store, run_id: str, name: str) -> None:
    """Give a run a name; an empty one takes it away.

    Raises:
        UnknownRun: no run has this id.
        InvalidInput: the name is too long or has control characters.
    """
    require(store, f"rename run {run_id}")
    text = check_text("A run's name", name.strip(), MAX_NAME)
    with store.writing() as connection:
        _update_all(connection, [run_id], name=text or None)


def write_notes(store: Store, run_id: str, notes: str) -> None:
    """Replace the notes of a run; empty ones take them away.

    Raises:
        UnknownRun: no run has this id.
        InvalidInput: they are too long or have control characters.
    """
    require(store, f"write notes on run {run_id}")
    text = check_text(
        "A run's notes are a text that",
        notes.replace("\r\n", "\n").rstrip(),
        MAX_NOTES,
        allowed=_BREAKS,
    )
    with store.writing() as connection:
        _update_all(connection, [run_id], notes=text or None)


def star(store: Store, run_ids: Iterable[str], *, starred: bool = True) -> None:
    """Give runs a star, or take it from them.

    Raises:
        UnknownRun: no run has one of these ids; nothing is changed.
    """
    ids = tuple(run_ids)
    require(store, f"{'star' if starred else 'unstar'} {_named(ids)}")
    with store.writing() as connection:
        _update_all(connection, ids, starred=starred)


def add_tags(store: Store, run_ids: Iterable[str], tags: Iterable[str]) -> None:
    """Put tags on runs; those that a run has already stay.

    Raises:
        UnknownRun: no run has one of these ids; nothing is changed.
        InvalidInput: a tag is none, or a run would have too many.
    """
    ids = tuple(dict.fromkeys(run_ids))
    require(store, f"tag {_named(ids)}")
    wanted = tuple(dict.fromkeys(map(check_tag, tags)))
    table = schema.run_tags
    with store.writing(in_turn=True) as connection:
        rows = connection.execute(
            sa.select(table.c.run_id, table.c.tag).where(table.c.run_id.in_(ids))
        )
        known = {(str(run_id), str(tag)) for run_id, tag in rows}
        new = [
            {"run_id": run_id, "tag": tag}
            for run_id in ids
            for tag in wanted
            if (run_id, tag) not in known
        ]
        full = [
            run_id
            for run_id in ids
            if sum(owner == run_id for owner, _ in known) + len(wanted) > MAX_TAGS
        ]
        if full:
            raise InvalidInput(
                f"A run has at most {MAX_TAGS} tags; run {full[0]} would have more. Take some off it first."
            )
        _update_all(connection, ids)
        if new:
            connection.execute(table.insert(), new)


def remove_tags(store: Store, run_ids: Iterable[str], tags: Iterable[str]) -> None:
    """Take tags off runs; a tag that a run does not have is no error.

    Raises:
        UnknownRun: no run has one of these ids; nothing is changed.
    """
    ids, table = tuple(run_ids), schema.run_tags
    require(store, f"take tags off {_named(ids)}")
    with store.writing() as connection:
        _update_all(connection, ids)
        connection.execute(
            table.delete().where(table.c.run_id.in_(ids), table.c.tag.in_(list(tags)))
        )


def archive(store: Store, run_ids: Iterable[str]) -> tuple[str, ...]:
    """Put ended runs out of the list without deleting anything of them.

    Returns:
        The ids, for an undo.

    Raises:
        UnknownRun: no run has one of these ids; nothing is changed.
        IllegalTransition: one of them has not ended; nothing is changed.
    """
    ids = tuple(run_ids)
    require(store, f"archive {_named(ids)}")
    with store.writing() as connection:
        states = connection.execute(
            sa.select(schema.runs.c.id, schema.runs.c.state).where(schema.runs.c.id.in_(ids))
        ).all()
        for run_id, state in states:
            if not RunState(state).is_terminal:
                raise IllegalTransition(
                    f"Run {run_id} is {state} and cannot be archived before it has ended. Stop it first."
                )
        _update_all(connection, ids, archived_at=now())
    return ids


def unarchive(store: Store, run_ids: Iterable[str]) -> None:
    """Put archived runs into the list again.

    Raises:
        UnknownRun: no run has one of these ids; nothing is changed.
    """
    ids = tuple(run_ids)
    require(store, f"bring back {_named(ids)}")
    with store.writing() as connection:
        _update_all(connection, ids, archived_at=None)


def all_tags(store: Store) -> tuple[str, ...]:
    """Read every tag that any run has, in alphabetical order."""
    tag = schema.run_tags.c.tag
    with store.reading() as connection:
        return tuple(connection.execute(sa.select(tag).distinct().order_by(tag)).scalars())


def check_tag(tag: str) -> str:
    """Give a tag without the white space around it.

    Raises:
        InvalidInput: it has other characters than tags have, or too many.
    """
    text = tag.strip()
    if not 1 <= len(text) <= MAX_TAG or not all(
        character.isalnum() or character in "-_." for character in text
    ):
        raise InvalidInput(
            f"{shown(tag)} is no tag (1 to {MAX_TAG} letters, digits, -, _ or ., without spaces). "
            "Write width-sweep instead of 'width sweep', say."
        )
    return unicodedata.normalize("NFC", text)


def check_text(what: str, text: str, most: int, *, allowed: str = "") -> str:
    """Give a text that a person typed back if it can be kept and shown as it is.

    Args:
        what: begins the message, such as ``A run's name``.
        text: what was typed.
        most: the largest number of characters.
        allowed: control characters that may be in it.

    Raises:
        InvalidInput: it is longer, or has control characters or ones that turn the direction of writing.
    """
    if len(text) > most:
        raise InvalidInput(
            f"{what} has {len(text):,} characters, which are too many (at most {most:,}). Shorten it."
        )
    for place, character in enumerate(text):
        if character not in allowed and (
            unicodedata.category(character) in ("Cc", "Cs") or character in _DIRECTIONS
        ):
            raise InvalidInput(
                f"{what} has a control character, U+{ord(character):04X}, at place {place + 1}. Take it out."
            )
    return text


def shown(text: str) -> str:
    """Write what was typed for a message: quoted, cut, with nothing unseen in it."""
    return (
        ascii(text[:40])
        if not text.isprintable()
        else repr(text if len(text) <= 40 else text[:39] + "…")
    )


def _update_all(connection: sa.Connection, run_ids: Sequence[str], **values: Any) -> None:  # noqa: ANN401 - column values
    for run_id in run_ids:
        if not update(connection, run_id, **values):
            raise UnknownRun(
                f"No run {run_id!r}, so nothing was changed. List runs with `mnist-dash runs`."
            )


def _named(run_ids: Sequence[str]) -> str:
    return f"run {run_ids[0]}" if len(run_ids) == 1 else plural(len(run_ids), "run")
