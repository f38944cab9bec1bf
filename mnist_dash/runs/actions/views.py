"""Views of a page that people have named: the query string that brings each back."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from mnist_dash.errors import InvalidInput
from mnist_dash.runs.access.permission import require
from mnist_dash.runs.actions.run_annotations import check_text, shown
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.schema import now

MAX_NAME = 80
MAX_ADDRESS = 8000


@dataclass(frozen=True)
class SavedView:
    """One view of one page."""

    page: str
    name: str
    address: str
    """The query string, without its question mark."""
    person: str | None = None


def saved_views(store: Store, page: str) -> tuple[SavedView, ...]:
    """List the views of a page by name."""
    table = schema.saved_views
    query = (
        sa.select(table.c.page, table.c.name, table.c.address, table.c.person)
        .where(table.c.page == page)
        .order_by(table.c.name)
    )
    with store.reading() as connection:
        return tuple(SavedView(*row) for row in connection.execute(query))


def save_view(store: Store, page: str, name: str, address: str) -> SavedView:
    """Keep a view under a name that no view of the page has.

    Raises:
        InvalidInput: the name is taken, empty, too long or has control characters.
    """
    require(store, "save a view")
    text = check_text("A view's name", name.strip(), MAX_NAME)
    if not text:
        raise InvalidInput("The view has no name. Type one, such as: best of the CNNs.")
    if len(address) > MAX_ADDRESS:
        raise InvalidInput(
            f"The view's address has {len(address):,} characters, which are too many (at most {MAX_ADDRESS:,}). Shorten its query."
        )
    view = SavedView(page, text, address, store.person.email)
    _insert(store, view)
    return view


def delete_view(store: Store, page: str, name: str) -> SavedView | None:
    """Forget a view; what it was is returned, for an undo, or None where there is none of this name."""
    require(store, "delete a view")
    table = schema.saved_views
    found = next((view for view in saved_views(store, page) if view.name == name), None)
    with store.writing() as connection:
        connection.execute(table.delete().where(table.c.page == page, table.c.name == name))
    return found


def restore_view(store: Store, view: SavedView) -> None:
    """Bring a deleted view back.

    Raises:
        InvalidInput: another one has been saved under its name since.
    """
    require(store, "save a view")
    _insert(store, view)


def _insert(store: Store, view: SavedView) -> None:
    table = schema.saved_views
    with store.writing(in_turn=True) as connection:
        taken = connection.execute(
            sa.select(table.c.name).where(table.c.page == view.page, table.c.name == view.name)
        ).scalar()
        if taken is not None:
            raise InvalidInput(
                f"A view's name is its own; {shown(view.name)} is taken. Choose another, or delete that view first."
            )
        row = {
            "page": view.page,
            "name": view.name,
            "address": view.address,
            "person": view.person,
            "created_at": now(),
        }
        connection.execute(table.insert().values(row))
