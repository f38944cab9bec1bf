"""A PostgreSQL server of the tests' own: a new cluster in a folder, reached by a socket in it alone."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

PROGRAMS = ("initdb", "pg_ctl")
_OPTIONS = "-c fsync=off -c log_min_messages=fatal"
GIVEN = os.environ.get("MNIST_DASH_TEST_POSTGRES")
DEBIAN = Path("/usr/lib/postgresql")
"""Where Debian keeps programs that servers alone use: a folder a version."""


@dataclass(frozen=True)
class Server:
    """A running server."""

    folder: Path
    programs: dict[str, str]
    user: str
    given: str | None = None
    """URL of any database of a server that is not this module's."""
    address: str = ""
    """Of this machine, at which it listens too; empty where its socket is enough."""

    def url(self, database: str) -> str:
        """Name a database of it."""
        if self.given is not None:
            return (
                sa.make_url(self.given).set(database=database).render_as_string(hide_password=False)
            )
        if self.address:
            return f"postgresql+psycopg://{self.user}@{self.address}/{database}"
        return f"postgresql+psycopg://{self.user}@/{database}?host={self.folder}"

    def new_database(self) -> str:
        """Create an empty database and return its URL."""
        name = f"test_{secrets.token_hex(4)}"
        engine = sa.create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        engine.dispose()
        return self.url(name)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        data, options = (
            str(self.folder / "data"),
            f"-c listen_addresses='{self.address}' -c unix_socket_directories='{self.folder}' {_OPTIONS}",
        )
        self.run(
            "pg_ctl",
            "--pgdata",
            data,
            "--log",
            str(self.folder / "log"),
            "--wait",
            "--options",
            options,
            "start",
        )

    def stop(self) -> None:
        """Stop it as a crash does: every connection breaks."""
        self.run(
            "pg_ctl", "--pgdata", str(self.folder / "data"), "--mode", "immediate", "--wait", "stop"
        )

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs as the cluster's owner; it refuses to run as root."""
        subprocess.run(
            [self.programs[program], *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            user=self.user if os.geteuid() == 0 else None,
            cwd=self.folder,
        )


@contextmanager
def server(address: str = "") -> Iterator[Server]:
    """Start a server, or use the one that ``MNIST_DASH_TEST_POSTGRES`` names; with an address, always one that listens there.

    Where there can be none, the test is skipped with the reason; in continuous integration it fails.
    """
    if GIVEN is not None and not address:
        yield Server(Path(), {}, "", GIVEN)
        return
    programs = {name: path for name in PROGRAMS if (path := _find(name)) is not None}
    if missing := set(PROGRAMS) - set(programs):
        (pytest.fail if os.environ.get("CI") else pytest.skip)(
            f"PostgreSQL is not installed ({', '.join(sorted(missing))} not found): nothing is tested on it. `apt-get install postgresql`"
        )
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    # Not pytest's own folder: its path is too long for a socket.
    folder = Path(tempfile.mkdtemp(prefix="mnist-dash-postgresql-"))
    shutil.chown(folder, user)
    started = Server(folder, programs, user, address=address)
    try:
        started.run(
            "initdb",
            "--pgdata",
            str(folder / "data"),
            "--auth",
            "trust",
            "--no-sync",
            "--encoding",
            "UTF8",
            "--locale",
            "C",
        )
        if address:
            with (folder / "data" / "pg_hba.conf").open("a") as file:
                file.write("host all all samenet trust\n")
        started.start()
        try:
            yield started
        finally:
            started.stop()
    finally:
        shutil.rmtree(folder)


def _find(program: str) -> str | None:
    """Find a program on the path, or in the newest of Debian's folders."""
    versions = sorted(
        DEBIAN.glob("*/bin"),
        key=lambda path: int(path.parent.name) if path.parent.name.isdigit() else 0,
        reverse=True,
    )
    return shutil.which(
        program, path=os.pathsep.join([os.environ.get("PATH", ""), *map(str, versions)])
    )
