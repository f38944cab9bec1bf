"""Removing the files of ended runs by age, by size and by star: what would go is said first. Rows, histories and metrics stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from mnist_dash import formatting
from mnist_dash.errors import InvalidInput
from mnist_dash.runs.access.permission import require
from mnist_dash.runs.store import artifacts, events, schema
from mnist_dash.runs.store.events import EventKind
from mnist_dash.runs.store.identities import Role
from mnist_dash.runs.store.run_store import Store, update
from mnist_dash.runs.store.schema import now
from mnist_dash.runs.store.states import RunState
from mnist_dash.text import plural

DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Rule:
    """Which runs lose their files; what breaks either bound goes, the oldest first."""

    older_than_days: float | None = None
    """Runs that ended longer ago."""
    max_bytes: float | None = None
    """Runs until the files of all runs together have at most so many bytes."""
    keep_starred: bool = True
    """Whether starred runs keep theirs, whatever their age; they count for the size."""

    def __str__(self) -> str:
        old = (
            ""
            if self.older_than_days is None
            else f"older than {plural(self.older_than_days, 'day')}"
        )
        large = (
            ""
            if self.max_bytes is None
            else f"at most {formatting.size(self.max_bytes)} of artifacts"
        )
        starred = "starred runs kept" if self.keep_starred else "starred runs too"
        return ", ".join(part for part in (old, large, starred) if part)


@dataclass(frozen=True)
class Candidate:
    """A run whose files a rule removes."""

    run_id: str
    ended_at: datetime
    starred: bool
    n_files: int
    n_bytes: int


def preview(store: Store, rule: Rule) -> tuple[Candidate, ...]:
    """List the runs whose files a rule removes, the oldest first; changes nothing.

    A run stays as it is while it has not ended, lies in the bin, or is what a run that has not ended goes on from.

    Raises:
        InvalidInput: the rule has neither an age nor a size.
    """
    if rule.older_than_days is None and rule.max_bytes is None:
        raise InvalidInput(
            "The rule names neither an age nor a size, so it would remove everything. Give one of them, or both."
        )
    with store.reading() as connection:
        total = connection.execute(
            sa.select(sa.func.coalesce(sa.func.sum(schema.artifacts.c.n_bytes), 0))
        ).scalar_one()
        oldest = connection.execute(
            sa.select(now() - (rule.older_than_days or 0) * DAY_SECONDS)
        ).scalar_one()
        rows = connection.execute(_removable(rule)).all()
    found: list[Candidate] = []
    for row in rows:
        is_old = rule.older_than_days is not None and row.ended_at < oldest
        is_much = rule.max_bytes is not None and total > rule.max_bytes
        if is_old or is_much:
            total -= row.n_bytes
            ended_at = datetime.fromtimestamp(row.ended_at, tz=UTC)
            found.append(
                Candidate(row.id, ended_at, bool(row.starred), int(row.n_files), int(row.n_bytes))
            )
    return tuple(found)


def apply(store: Store, rule: Rule, candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Remove the files of the runs of a preview, a run a transaction; those that a rule removes no more are left alone. For admins.

    The files cannot be brought back; the same configuration trains them again.

    Returns:
        The runs whose files were removed.

    Raises:
        NotAllowed: the person is no admin.
    """
    require(store, "remove artifacts", role=Role.ADMIN)
    return tuple(candidate for candidate in candidates if _clear(store, rule, candidate))


def _removable(rule: Rule) -> sa.Select[tuple[str, float, bool, int, int]]:
    """Select ended runs with files that may go by what they are, with their numbers of files and bytes, the oldest first."""
    runs, files = schema.runs, schema.artifacts
    child = runs.alias()
    needed = sa.select(child.c.parent_id).where(
        child.c.parent_id.is_not(None), child.c.state.in_(_OPEN)
    )
    query = (
        sa.select(
            runs.c.id,
            runs.c.ended_at,
            runs.c.starred,
            sa.func.count().label("n_files"),
            sa.func.sum(files.c.n_bytes).label("n_bytes"),
        )
        .join_from(runs, files, files.c.run_id == runs.c.id)
        .where(
            runs.c.state.not_in(_OPEN),
            runs.c.ended_at.is_not(None),
            runs.c.deleted_at.is_(None),
            runs.c.id.not_in(needed),
        )
        .group_by(runs.c.id, runs.c.ended_at, runs.c.starred)
        .order_by(runs.c.ended_at, runs.c.id)
    )
    return (
        query.where(sa.not_(sa.func.coalesce(runs.c.starred, sa.false())))
        if rule.keep_starred
        else query
    )


def _clear(store: Store, rule: Rule, candidate: Candidate) -> bool:
    files, run_id = schema.artifacts, candidate.run_id
    with store.writing() as connection:
        if connection.execute(_removable(rule).where(schema.runs.c.id == run_id)).first() is None:
            return False  # starred, deleted or continued since
        rows = connection.execute(
            sa.select(files.c.path, files.c.n_bytes).where(files.c.run_id == run_id)
        ).all()
        epoch = connection.execute(
            sa.select(schema.runs.c.epoch).where(schema.runs.c.id == run_id)
        ).scalar_one()
        connection.execute(files.delete().where(files.c.run_id == run_id))
        connection.execute(schema.analyses.delete().where(schema.analyses.c.run_id == run_id))
        size = formatting.size(sum(row.n_bytes for row in rows))
        sentence = f"{plural(len(rows), 'artifact')} removed ({size}) by the rule: {rule}. Metrics and curves stay; rerun it for the rest."
        events.write(
            connection, run_id, EventKind.CLEARED, sentence, epoch=epoch, person=store.person.email
        )
        update(connection, run_id)
    for row in rows:
        artifacts.discard(store.settings, row.path)
    return True


_OPEN = [state for state in RunState if not state.is_terminal]
