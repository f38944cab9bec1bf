"""Share links: a secret in an address lets whoever has it look at one run, comparison or study, until it expires or is revoked.

A token is ``ID.SECRET``. The store keeps the SHA-256 of the secret, so that whoever reads the database has no link, and shows the secret
once. The id finds the row; the secret is compared in constant time, whether there is a row or not, and a forged, an expired and a revoked
token get the same answer.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from mnist_dash.errors import InvalidInput, NotAllowed
from mnist_dash.runs.access.permission import require
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.identities import Person, Role
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.schema import now
from mnist_dash.runs.store.schema import share_links as table
from mnist_dash.text import listed, plural

PAGES = ("run", "compare", "study")
"""The pages that a link may lead to."""
DAYS = 30
MAX_DAYS = 365
MAX_TARGETS = 200
_SECRET_BYTES = 32
_DAY_SECONDS = 86_400
_ID = re.compile(r"[0-9a-f]{16}")
_NO_HASH = hashlib.sha256(b"no link").hexdigest()
_INVALID = (
    "This share link is unknown, has expired or was revoked. Ask whoever sent it for a new one."
)


@dataclass(frozen=True)
class Link:
    """A share link as the store knows it: without its secret. Times are aware and in UTC."""

    id: str
    page: str
    address: str
    """The query string of the view."""
    targets: tuple[str, ...]
    """Ids of the runs and studies that may be read."""
    person: str | None
    """Who made it; None on a machine with one person."""
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    is_open: bool
    """Whether it lets anybody in now."""


def create(
    store: Store, page: str, address: str, targets: Sequence[str], *, days: int = DAYS
) -> str:
    """Make a link and return its token, which is kept nowhere.

    Args:
        store: where the targets are.
        page: one of `PAGES`.
        address: the query string of the view.
        targets: ids of the runs and studies that it shows.
        days: after which it expires.

    Raises:
        NotAllowed: the person may only look.
        InvalidInput: the page is another one, a target does not exist, or the days are out of bounds.
    """
    require(store, "share a view")
    if page not in PAGES:
        raise InvalidInput(
            f"The page {page!r} cannot be shared ({listed(PAGES)}). Open one of them and share that."
        )
    if not 1 <= days <= MAX_DAYS:
        raise InvalidInput(
            f"{days} days are too {'few' if days < 1 else 'many'} for a link (1 to {MAX_DAYS})."
        )
    wanted = tuple(dict.fromkeys(targets))
    if not 1 <= len(wanted) <= MAX_TARGETS:
        raise InvalidInput(
            f"{plural(len(wanted), 'run')} cannot be shared by one link (1 to {MAX_TARGETS})."
        )
    _check_exist(store, wanted)
    link_id, secret = secrets.token_hex(8), secrets.token_urlsafe(_SECRET_BYTES)
    row = {
        "id": link_id,
        "token_hash": _hash(secret),
        "page": page,
        "address": address,
        "targets": json.dumps(wanted),
        "person": store.person.email,
        "created_at": now(),
        "expires_at": now() + days * _DAY_SECONDS,
    }
    with store.writing() as connection:
        connection.execute(table.insert().values(row))
    return f"{link_id}.{secret}"


def revoke(store: Store, link_id: str) -> None:
    """Let nobody in by a link any more; one's own, or as an admin anybody's.

    Raises:
        NotAllowed: the person may only look, or the link is somebody else's.
        InvalidInput: there is no such link.
    """
    require(store, "revoke a share link")
    with store.reading() as connection:
        row = connection.execute(sa.select(table.c.person).where(table.c.id == link_id)).first()
    if row is None:
        raise InvalidInput(f"No link {link_id[:40]!r}. Choose one of the list.")
    if row.person != store.person.email:
        require(store, "revoke a share link of somebody else", role=Role.ADMIN)
    with store.writing() as connection:
        connection.execute(
            table.update()
            .where(table.c.id == link_id, table.c.revoked_at.is_(None))
            .values(revoked_at=now())
        )


def links(store: Store, *, target: str | None = None) -> tuple[Link, ...]:
    """List the links, newest first; only the open ones that show a run or study where asked."""
    with store.reading() as connection:
        rows = connection.execute(_query().order_by(table.c.created_at.desc(), table.c.id)).all()
    found = tuple(map(_from_row, rows))
    return (
        found
        if target is None
        else tuple(link for link in found if link.is_open and target in link.targets)
    )


def open_link(store: Store, token: str) -> Link:
    """Find the link of a token.

    Raises:
        NotAllowed: the token is forged, expired or revoked; the answer is the same.
    """
    link_id, _, secret = token.partition(".")
    named = link_id if _ID.fullmatch(link_id) else ""
    with store.reading() as connection:
        row = connection.execute(_query().where(table.c.id == named)).first()
    is_right = hmac.compare_digest(_hash(secret), _NO_HASH if row is None else str(row.token_hash))
    if row is None or not is_right or not row.is_open:
        raise NotAllowed(_INVALID)
    return _from_row(row)


def visitor(store: Store, token: str) -> Person:
    """Give whoever has a token what it allows: to look at what the link was made for.

    Raises:
        NotAllowed: as `open_link` does.
    """
    return Person(Role.VIEWER, only=frozenset(open_link(store, token).targets))


def refusals(store: Store, *, limit: int = 50) -> tuple[tuple[datetime, str, str, str], ...]:
    """List what was refused, newest first: when, to whom, in which role, what."""
    audit = schema.audit
    query = (
        sa.select(audit).where(sa.not_(audit.c.allowed)).order_by(audit.c.id.desc()).limit(limit)
    )
    with store.reading() as connection:
        return tuple(
            (_time(row.at), str(row.person), str(row.role), str(row.deed))
            for row in connection.execute(query)
        )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", errors="surrogatepass")).hexdigest()


def _check_exist(store: Store, ids: Sequence[str]) -> None:
    runs, studies = schema.runs, schema.studies
    with store.reading() as connection:
        known = set(connection.execute(sa.select(runs.c.id).where(runs.c.id.in_(ids))).scalars())
        known |= set(
            connection.execute(sa.select(studies.c.id).where(studies.c.id.in_(ids))).scalars()
        )
    missing = [one for one in ids if one not in known]
    if missing:
        raise InvalidInput(
            f"No run or study {missing[0][:40]!r}. Open the view again and share that."
        )


def _query() -> sa.Select[tuple[object, ...]]:
    is_open = sa.and_(table.c.revoked_at.is_(None), table.c.expires_at > now())
    return sa.select(table, is_open.label("is_open"))


def _from_row(row: sa.Row[tuple[object, ...]]) -> Link:
    return Link(
        id=row.id,
        page=row.page,
        address=row.address,
        targets=tuple(json.loads(row.targets)),
        person=row.person,
        created_at=_time(row.created_at),
        expires_at=_time(row.expires_at),
        revoked_at=None if row.revoked_at is None else _time(row.revoked_at),
        is_open=bool(row.is_open),
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)
