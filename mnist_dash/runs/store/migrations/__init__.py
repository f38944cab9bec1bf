"""Create a database's tables, and bring a database of a former schema version up to date with Alembic.

Each module of `versions` is one step, named after the schema version that it ends in. A step says what its version added and nothing of
later ones, so it never changes once it is released. Within one schema version the tables differed from time to time, so a step adds what
is missing and leaves alone what is there, and a database without Alembic's own table goes through its own version's step again.

A new version: count up `schema.SCHEMA_VERSION`, change the tables there, and write the step; the tests compare what both give. Alembic is
imported where a database is of a former version and nowhere else: opening one of today's does not wait for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from mnist_dash.errors import StoreTooNew
from mnist_dash.redaction import redact
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.database_file import copy_sqlite, sqlite_file
from mnist_dash.runs.store.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    from alembic.config import Config

BACKUP_FOLDER, N_BACKUPS = "backups", 3
LOCK_NUMBER = 0x6D6E697374
"""Names the lock on PostgreSQL that one migrating process holds; any number that nobody else uses."""


def migrate(engine: sa.Engine) -> None:
    """Create the tables where there are none, and bring those of a former version up to date.

    All of it is one transaction: a process that is killed in it leaves the database as it was. Processes that open the database meanwhile
    wait, and find it done. On SQLite the transaction has the write lock from its start, also where there is nothing to do: opening a
    database that another process holds fails here, with a sentence, and not in the queue, which waits three times as long.

    Raises:
        StoreTooNew: a newer MNIST Dash wrote this database.
    """
    with engine.begin() as connection:
        keep_others_out(connection)
        version = _version(connection)
        if version is None:
            version = _create(connection)
        elif version < SCHEMA_VERSION:
            version = _upgrade(connection, version)
    if version > SCHEMA_VERSION:
        raise StoreTooNew(
            f"The database {redact(engine.url.render_as_string(hide_password=True))} has schema version {version}; this MNIST Dash reads "
            f"versions up to {SCHEMA_VERSION}. Upgrade MNIST Dash, or point MNIST_DASH_HOME at another folder."
        )


def config_for(connection: sa.Connection) -> Config:
    """Configure Alembic for these steps and a connection, in whose transaction they run."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _version(connection: sa.Connection) -> int | None:
    """Read what a database says of itself; None where it has no tables yet."""
    if not sa.inspect(connection).has_table("meta"):
        return None
    meta = schema.meta
    return int(
        connection.execute(
            sa.select(meta.c.value).where(meta.c.key == "schema_version")
        ).scalar_one()
    )


def keep_others_out(connection: sa.Connection) -> None:
    """Let no other process migrate until this transaction ends."""
    schema.wait_for_turn(connection, LOCK_NUMBER)


def _create(connection: sa.Connection) -> int:
    """Create today's tables and return their version."""
    is_empty = not sa.inspect(connection).get_table_names()
    schema.metadata.create_all(connection, checkfirst=not is_empty)
    connection.execute(
        schema.meta.insert(),
        [{"key": "schema_version", "value": SCHEMA_VERSION}, {"key": "revision", "value": 1}],
    )
    connection.execute(
        schema.alembic_version.insert().values(version_num=_revision(SCHEMA_VERSION))
    )
    return SCHEMA_VERSION


def _upgrade(connection: sa.Connection, version: int) -> int:
    """Go through the steps that a database of a former version lacks, and return the version that it has then.

    Where Alembic has not counted its steps yet, the step of its own version is one of them.
    """
    from alembic import command

    _save_former(connection, version)
    config, meta = config_for(connection), schema.meta
    if not sa.inspect(connection).has_table("alembic_version"):
        command.stamp(config, _revision(version - 1) if version > 1 else "base")
    command.upgrade(config, _revision(SCHEMA_VERSION))
    connection.execute(
        meta.update().where(meta.c.key == "schema_version").values(value=SCHEMA_VERSION)
    )
    return SCHEMA_VERSION


def _save_former(connection: sa.Connection, version: int) -> None:
    """Keep a copy of a SQLite database before it is changed, in ``backups`` beside it; the copies of the last three versions stay.

    Of a PostgreSQL database its administrator has backups; the change is one transaction there as here.
    """
    database = sqlite_file(connection.engine.url.render_as_string(hide_password=False))
    if database is None:
        return
    folder = database.parent / BACKUP_FOLDER
    copy = folder / f"{database.stem}-version-{version}.db"
    folder.mkdir(exist_ok=True)
    temporary = copy.with_suffix(".part")
    temporary.unlink(missing_ok=True)
    copy_sqlite(database, temporary)
    temporary.replace(copy)
    for old in sorted(folder.glob("*-version-*.db"), key=lambda path: path.stat().st_mtime)[
        :-N_BACKUPS
    ]:
        old.unlink()


def _revision(version: int) -> str:
    """Name the step that ends in a schema version, as Alembic's table has it."""
    return f"{version:04d}"
