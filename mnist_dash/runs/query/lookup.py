"""Finding runs by a few words: the beginning of an id, a name, a tag, a preset, or what the configuration says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

import sqlalchemy as sa

from mnist_dash.core.config.presets import PRESETS
from mnist_dash.core.config.run_config import RunConfig, parse_config
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState

MOST_WORDS = 8
MOST_CHARACTERS = 120
FOUND_AT_ONCE = 20
_ID = re.compile("[0-9a-f]{1,16}")
_SIZES = {"dense": "units", "conv": "filters"}


@dataclass(frozen=True)
class FoundRun:
    """What a list of finds says of a run."""

    run_id: str
    state: RunState
    name: str | None
    preset: str | None
    config: RunConfig
    created_at: datetime
    test_accuracy: float | None
    """In [0, 1]; None before the end."""
    last_val_accuracy: float | None
    """In [0, 1]; None before the first epoch's end."""


def words_of(text: str) -> tuple[str, ...]:
    """Take what a person typed apart into lower-case words; of a very long text, its beginning."""
    return tuple(re.findall(r"[\w.]+", text[:MOST_CHARACTERS].lower()))[:MOST_WORDS]


def lookup_runs(store: Store, text: str, *, limit: int = FOUND_AT_ONCE) -> tuple[FoundRun, ...]:
    """List the runs that fit all words, those whose id begins so first, then the newest; without words, the newest.

    A word fits a run when its id begins with it, its name, a tag or its preset contains it, or its configuration has a word that begins
    so; a number also fits where the configuration has exactly this number. A number after ``dense`` or ``conv`` is that of a layer's units
    or filters: ``dense 512 adam`` finds a network.

    Args:
        store: of the runs; those in the bin are left out.
        text: as typed.
        limit: the most that are listed.
    """
    runs = schema.runs
    wanted = words_of(text)
    if text.strip() and not wanted:
        return ()
    # By its index, so that the search ends with the last that is listed.
    order: list[sa.ColumnElement[object]] = [runs.c.created_at.desc()]
    if len(wanted) == 1 and _ID.fullmatch(wanted[0]):
        order.insert(0, sa.case((runs.c.id.startswith(wanted[0], autoescape=True), 0), else_=1))
    columns = [
        runs.c[name]
        for name in (
            "id",
            "state",
            "name",
            "preset",
            "config",
            "created_at",
            "test_accuracy",
            "last_val_accuracy",
        )
    ]
    query = (
        sa.select(*columns)
        .where(runs.c.deleted_at.is_(None), *_conditions(wanted))
        .order_by(*order)
        .limit(limit)
    )
    with store.reading() as connection:
        rows = connection.execute(query).all()
    return tuple(
        FoundRun(
            row.id,
            RunState(row.state),
            row.name,
            row.preset,
            _parsed(row.config),
            datetime.fromtimestamp(row.created_at, tz=UTC),
            row.test_accuracy,
            row.last_val_accuracy,
        )
        for row in rows
    )


@lru_cache(maxsize=1000)
def _parsed(config: str) -> RunConfig:
    """Read a stored configuration, once while one types: it never changes."""
    return parse_config(config)


def _conditions(wanted: tuple[str, ...]) -> list[sa.ColumnElement[bool]]:
    config, conditions, former = schema.runs.c.config, [], ""
    for word in wanted:
        if former in _SIZES and word.isdecimal():
            conditions.append(
                sa.or_(*(config.contains(f'"{_SIZES[former]}":{word}{end}') for end in ",}"))
            )
        else:
            conditions.append(_fits(word))
        former = word
    return conditions


def _fits(word: str) -> sa.ColumnElement[bool]:
    runs, tags = schema.runs, schema.run_tags
    presets = [
        name
        for name, preset in PRESETS.items()
        if word in name.lower() or word in preset.title.lower()
    ]
    tagged = sa.select(tags.c.run_id).where(tags.c.tag.icontains(word, autoescape=True))
    fits = [
        runs.c.id.startswith(word, autoescape=True),
        runs.c.name.icontains(word, autoescape=True),
        runs.c.id.in_(tagged),
        runs.c.config.contains(f'"{word}', autoescape=True),
    ]
    if presets:
        fits.append(runs.c.preset.in_(presets))
    if re.fullmatch(r"\d+(\.\d+)?", word):
        fits += [runs.c.config.contains(f":{word}{end}", autoescape=True) for end in ",}]"]
    return sa.or_(*fits)
