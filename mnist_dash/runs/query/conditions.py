"""A query's tree as an SQL condition: every value a bound parameter, every comparison true or false and never unknown."""

from __future__ import annotations

import sqlalchemy as sa

from mnist_dash.runs.query.fields import Expression, Field, FieldKind
from mnist_dash.runs.query.language import (
    Comparison,
    Conjunction,
    Disjunction,
    Membership,
    Negation,
    Node,
    Value,
    bounds,
)
from mnist_dash.runs.store import schema

Condition = sa.ColumnElement[bool]


def condition(node: Node, dialect: str) -> Condition:
    """Write a tree as a condition on rows of `schema.runs`.

    Args:
        node: what must hold.
        dialect: the database's, ``sqlite`` or ``postgresql``.
    """
    match node:
        case Comparison(field, operator, value):
            return _compared(field, operator, value, dialect)
        case Membership(field, values):
            return sa.or_(*(_compared(field, "==", value, dialect) for value in values))
        case Negation(part):
            return sa.not_(condition(part, dialect))
        case Conjunction(parts):
            return sa.and_(*(condition(part, dialect) for part in parts))
        case Disjunction(parts):
            return sa.or_(*(condition(part, dialect) for part in parts))


def names_of(
    field: Field,
) -> tuple[sa.FromClause, sa.ColumnElement[str], list[sa.ColumnElement[str]]]:
    """Say where the names of a run lie: the table, its column of runs, and the columns of names, the one to show first."""
    if field.name == "tag":
        tags = schema.run_tags
        return tags, tags.c.run_id, [tags.c.tag]
    links, studies = schema.trial_runs, schema.studies
    return (
        links.join(studies, links.c.study_id == studies.c.id),
        links.c.run_id,
        [studies.c.name, studies.c.id],
    )


def _compared(field: Field, operator: str, value: Value, dialect: str) -> Condition:
    if field.kind is FieldKind.NAMES:
        return _has_name(field, operator, value, dialect)
    found = field.value(dialect)
    if value is None:
        return found.is_(None)
    return sa.func.coalesce(_known(found, operator, value, dialect), sa.false(), type_=sa.Boolean())


def _known(found: Expression, operator: str, value: float | str | bool, dialect: str) -> Condition:  # noqa: FBT001 - one of several kinds of value
    if operator == "contains":
        within = sa.func.instr if dialect == "sqlite" else sa.func.strpos
        return within(sa.func.lower(found), sa.func.lower(sa.literal(value, sa.Text()))) > 0
    if isinstance(value, bool):
        return found == sa.literal(value, sa.Boolean())
    if isinstance(value, str):
        return found == sa.literal(value, sa.Text())
    least, largest = bounds(value)
    low: sa.BindParameter[float] = sa.literal(least, sa.Double())
    high: sa.BindParameter[float] = sa.literal(largest, sa.Double())
    match operator:
        case "<":
            return found < low
        case "<=":
            return found <= high
        case ">":
            return found > high
        case ">=":
            return found >= low
    return found.between(low, high)


def _has_name(field: Field, operator: str, value: Value, dialect: str) -> Condition:
    tables, owner, names = names_of(field)
    query = (
        sa.select(sa.literal(1))
        .select_from(tables)
        .where(owner == schema.runs.c.id)
        .correlate(schema.runs)
    )
    if value is None:
        return ~query.exists()
    return query.where(sa.or_(*(_known(name, operator, value, dialect) for name in names))).exists()
