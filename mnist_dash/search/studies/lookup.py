"""Finding studies by a few words of their name, or the beginning of their id."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from mnist_dash.runs.query.lookup import words_of
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.run_store import Store
from mnist_dash.search.studies.records import StudyState


@dataclass(frozen=True)
class FoundStudy:
    """What a list of finds says of a study."""

    study_id: str
    name: str
    state: StudyState


def lookup_studies(store: Store, text: str, *, limit: int = 5) -> tuple[FoundStudy, ...]:
    """List the studies whose name has all words or whose id begins with them, newest first; without words, the newest.

    Args:
        store: of the studies.
        text: as typed.
        limit: the most that are listed.
    """
    table, wanted = schema.studies, words_of(text)
    if text.strip() and not wanted:
        return ()
    fits = [
        table.c.name.icontains(word, autoescape=True) | table.c.id.startswith(word, autoescape=True)
        for word in wanted
    ]
    query = (
        sa.select(table.c.id, table.c.name, table.c.state)
        .where(*fits)
        .order_by(table.c.created_at.desc())
        .limit(limit)
    )
    with store.reading() as connection:
        return tuple(
            FoundStudy(row.id, row.name, StudyState(row.state)) for row in connection.execute(query)
        )
