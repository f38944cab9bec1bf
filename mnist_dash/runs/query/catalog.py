"""Many runs at once: filtered, sorted and paged by the database; their groups; the values that a field has among them.

Whatever the number of runs, no more configurations are parsed than one page shows.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from mnist_dash.runs.query.conditions import Condition, condition, names_of
from mnist_dash.runs.query.fields import RUN_FIELDS, Field, FieldKind
from mnist_dash.runs.query.language import (
    Comparison,
    Conjunction,
    Disjunction,
    Membership,
    Negation,
    Node,
    Query,
)
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store, run_from_row
from mnist_dash.runs.store.states import RunState

MAX_DISTINCT = 200
"""Values of a field that are listed at most, the most frequent ones."""
MAX_GROUPS = 500


@dataclass(frozen=True)
class Scope:
    """Which runs are meant."""

    query: Query | None = None
    states: tuple[RunState, ...] | None = None
    archived: bool = False
    """Whether those that are archived, instead of the others; a query that says `archived` decides it itself."""
    deleted: bool = False
    """Whether those in the bin, archived or not, instead of the others."""


@dataclass(frozen=True)
class Order:
    """By what runs are sorted; those without a value come last, equal ones newest first."""

    field: Field = RUN_FIELDS["created"]
    descending: bool = True


@dataclass(frozen=True)
class Listed:
    """One run of a list, with what other tables know of it."""

    run: Run
    tags: tuple[str, ...]
    """In alphabetical order."""
    studies: tuple[str, ...]
    """Names of the studies that it is a trial's run of."""


@dataclass(frozen=True)
class Spread:
    """A figure over the runs of a group."""

    n: int
    """How many of them have it."""
    mean: float | None
    deviation: float | None
    """Standard deviation of the sample (n - 1); None below two runs."""


@dataclass(frozen=True)
class Group:
    """Runs that agree in the fields that they were grouped by."""

    key: tuple[Any, ...]
    """A value for each field; None where the runs have none."""
    n: int
    spreads: tuple[Spread, ...]
    """One a figure."""


def count(store: Store, scope: Scope) -> int:
    """Count the runs of a scope."""
    query = sa.select(sa.func.count()).select_from(schema.runs).where(*_conditions(store, scope))
    with store.reading() as connection:
        return int(connection.execute(query).scalar_one())


def page(
    store: Store, scope: Scope, *, order: Order | None = None, limit: int = 50, offset: int = 0
) -> tuple[Listed, ...]:
    """List the runs of one page."""
    query = (
        sa.select(schema.runs.c.id)
        .where(*_conditions(store, scope))
        .order_by(*_ordering(store, order or Order()))
    )
    with store.reading() as connection:
        ids = connection.execute(query.limit(limit).offset(offset)).scalars().all()
    return by_ids(store, ids)


def by_ids(store: Store, run_ids: Sequence[str]) -> tuple[Listed, ...]:
    """List certain runs in the order in which they are named; ids that no run has are left out."""
    runs = schema.runs
    with store.reading() as connection:
        rows = connection.execute(sa.select(runs).where(runs.c.id.in_(run_ids))).mappings().all()
    found = {row["id"]: run_from_row(row) for row in rows}
    tags, studies = (_names(store, RUN_FIELDS[name], run_ids) for name in ("tag", "study"))
    return tuple(
        Listed(found[run_id], tags.get(run_id, ()), studies.get(run_id, ()))
        for run_id in dict.fromkeys(run_ids)
        if run_id in found
    )


def values(
    store: Store, run_ids: Sequence[str], fields: Sequence[Field]
) -> dict[str, tuple[Any, ...]]:
    """Read some fields of certain runs; names are given as tuples."""
    plain = [field for field in fields if field.kind is not FieldKind.NAMES]
    names = {
        field.name: _names(store, field, run_ids)
        for field in fields
        if field.kind is FieldKind.NAMES
    }
    query = sa.select(schema.runs.c.id, *_labelled(store, plain)).where(
        schema.runs.c.id.in_(run_ids)
    )
    with store.reading() as connection:
        rows = connection.execute(query).all()
    found = {}
    for run_id, *cells in rows:
        known = dict(zip((field.name for field in plain), cells, strict=True))
        found[run_id] = tuple(
            names[field.name].get(run_id, ()) if field.name in names else known[field.name]
            for field in fields
        )
    return found


def distinct(store: Store, field: Field, scope: Scope) -> tuple[tuple[Any, int], ...]:
    """List the values that a field has among the runs of a scope, each with the number of its runs, the most frequent first."""
    runs = schema.runs
    if field.kind is FieldKind.NAMES:
        table, owner, (name, *_) = names_of(field)
        value: sa.ColumnElement[Any] = name
        query = sa.select(value, sa.func.count()).select_from(table.join(runs, owner == runs.c.id))
    else:
        value = field.value(store.engine.dialect.name)
        query = sa.select(value, sa.func.count()).select_from(runs)
    # by its place in the list: on PostgreSQL the same expression with new parameters is another one
    grouped = (
        query.where(*_conditions(store, scope))
        .group_by(sa.text("1"))
        .order_by(sa.func.count().desc(), sa.text("1"))
    )
    with store.reading() as connection:
        return tuple(
            (row[0], int(row[1])) for row in connection.execute(grouped.limit(MAX_DISTINCT))
        )


def groups(
    store: Store, scope: Scope, by: Sequence[Field], figures: Sequence[Field]
) -> tuple[Group, ...]:
    """Group the runs of a scope by some fields, the largest mean of the first figure first; a run with two tags is in both their groups.

    Args:
        store: where the runs are.
        scope: which runs.
        by: at least one field.
        figures: numbers, of which mean and deviation are wanted.
    """
    plain = [field for field in by if field.kind is not FieldKind.NAMES]
    query = sa.select(schema.runs.c.id, *_labelled(store, [*plain, *figures])).where(
        *_conditions(store, scope)
    )
    with store.reading() as connection:
        rows = connection.execute(query).all()
    names = {field.name: _names(store, field) for field in by if field.kind is FieldKind.NAMES}
    members: dict[tuple[Any, ...], list[Sequence[float | None]]] = {}
    for run_id, *cells in rows:
        known = dict(zip((field.name for field in plain), cells, strict=False))
        figures_of_run = cells[len(plain) :]
        keys = [
            names[field.name].get(run_id, (None,)) if field.name in names else (known[field.name],)
            for field in by
        ]
        for key in itertools.product(*keys):
            members.setdefault(key, []).append(figures_of_run)
    found = [
        Group(key, len(each), tuple(_spread(column) for column in zip(*each, strict=True)))
        for key, each in members.items()
    ]
    return tuple(sorted(found, key=_rank)[:MAX_GROUPS])


def mentions(node: Node | None, name: str) -> bool:
    """Say whether a query speaks of a field."""
    match node:
        case Comparison(field) | Membership(field):
            return field.name == name
        case Negation(part):
            return mentions(part, name)
        case Conjunction(parts) | Disjunction(parts):
            return any(mentions(part, name) for part in parts)
    return False


def _conditions(store: Store, scope: Scope) -> list[Condition]:
    runs = schema.runs
    root = None if scope.query is None else scope.query.root
    found: list[Condition] = [
        runs.c.deleted_at.is_not(None) if scope.deleted else runs.c.deleted_at.is_(None)
    ]
    if not scope.deleted and (scope.archived or not mentions(root, "archived")):
        found.append(
            runs.c.archived_at.is_not(None) if scope.archived else runs.c.archived_at.is_(None)
        )
    if scope.states is not None:
        found.append(runs.c.state.in_(scope.states))
    if root is not None:
        found.append(condition(root, store.engine.dialect.name))
    return found


def _ordering(store: Store, order: Order) -> list[sa.ColumnElement[Any]]:
    runs = schema.runs
    newest = [runs.c.created_at.desc(), runs.c.id]
    if order.field.name == "created":
        return newest if order.descending else [runs.c.created_at, runs.c.id]
    if order.field.kind is FieldKind.NAMES:
        table, owner, (name, *_) = names_of(order.field)
        first = (
            sa.select(sa.func.min(name))
            .select_from(table)
            .where(owner == runs.c.id)
            .correlate(runs)
            .scalar_subquery()
        )
        value: sa.ColumnElement[Any] = first
    else:
        value = order.field.value(store.engine.dialect.name)
    return [(value.desc() if order.descending else value.asc()).nulls_last(), *newest]


def _labelled(store: Store, fields: Iterable[Field]) -> list[sa.ColumnElement[Any]]:
    dialect = store.engine.dialect.name
    return [field.value(dialect).label(f"field_{place}") for place, field in enumerate(fields)]


def _names(
    store: Store, field: Field, run_ids: Sequence[str] | None = None
) -> Mapping[str, tuple[str, ...]]:
    table, owner, (name, *_) = names_of(field)
    query = sa.select(owner, name).select_from(table).order_by(owner, name)
    if run_ids is not None:
        query = query.where(owner.in_(run_ids))
    found: dict[str, tuple[str, ...]] = {}
    with store.reading() as connection:
        for run_id, each in connection.execute(query):
            found[run_id] = (*found.get(run_id, ()), each)
    return found


def _spread(column: Sequence[float | None]) -> Spread:
    known = [value for value in column if value is not None]
    if not known:
        return Spread(0, None, None)
    mean = math.fsum(known) / len(known)
    return Spread(len(known), mean, statistics.stdev(known, mean) if len(known) > 1 else None)


def _rank(group: Group) -> tuple[float, str]:
    mean = group.spreads[0].mean if group.spreads else None
    return (math.inf if mean is None else -mean, str(group.key))
