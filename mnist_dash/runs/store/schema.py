"""The tables, and the engine that opens them.

One SQLite file by default: WAL, so that pages read while a worker writes; IMMEDIATE write transactions, so that a writer waits at its
start instead of failing at its end; full synchronisation, so that an accepted run survives a power cut.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

SCHEMA_VERSION = 6
BUSY_TIMEOUT_SECONDS = 10
TURN = 0x4D4E4953
"""Number of the lock under which transactions take turns; any number that nobody else in the database uses."""
CLIENT_TIMEOUTS = {
    "connect_timeout": "10",
    "keepalives_idle": "3",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "9000",
}
"""Of libpq, in seconds, the last in milliseconds: 9 s of silence is a cut network
(https://www.postgresql.org/docs/current/libpq-connect.html)."""
SERVER_TIMEOUTS = {
    "tcp_keepalives_idle": 3,
    "tcp_keepalives_interval": 2,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 9000,
}
"""The same at the server's end, for a session; it ignores them where client and server are on one machine and use a socket."""
metadata = sa.MetaData()

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("key", sa.String(32), primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)

alembic_version = sa.Table(
    "alembic_version",
    metadata,
    sa.Column(
        "version_num",
        sa.String(32),
        primary_key=True,
        doc="the last step of `runs.store.migrations` that it went through",
    ),
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("submit_key", sa.String(64), unique=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False, default=0),
    sa.Column("config", sa.Text, nullable=False),
    sa.Column("config_hash", sa.String(16), nullable=False, index=True),
    sa.Column("preset", sa.String(64)),
    sa.Column("created_at", sa.Float, nullable=False, index=True),
    sa.Column("started_at", sa.Float),
    sa.Column("ended_at", sa.Float),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("epoch", sa.Integer, nullable=False, default=0),
    sa.Column("step", sa.Integer, nullable=False, default=0),
    sa.Column("n_steps", sa.Integer, nullable=False),
    sa.Column("n_parameters", sa.Integer, nullable=False),
    sa.Column("worker", sa.String(80)),
    sa.Column("device", sa.String(16)),
    sa.Column("precision", sa.String(16)),
    sa.Column("n_threads", sa.Integer),
    sa.Column("best_val_accuracy", sa.Float),
    sa.Column("best_epoch", sa.Integer),
    sa.Column("last_val_accuracy", sa.Float),
    sa.Column("last_val_loss", sa.Float),
    sa.Column("test_accuracy", sa.Float),
    sa.Column("test_loss", sa.Float),
    sa.Column("n_test", sa.Integer),
    sa.Column("seconds_training", sa.Float, nullable=False, default=0.0),
    sa.Column("seconds_evaluation", sa.Float, nullable=False, default=0.0),
    sa.Column("revision", sa.Integer, nullable=False, default=1),
    sa.Column("stop_requested", sa.Boolean, nullable=False, default=False),
    sa.Column("prune_requested", sa.Boolean, doc="whether the stop is a pruner's; NULL is no"),
    sa.Column("seconds_per_image_test", sa.Float),
    sa.Column("deleted_at", sa.Float),
    sa.Column("lease_until", sa.Float),
    sa.Column(
        "name",
        sa.String(120),
        doc="what it was called at its birth or by a person since; NULL where it was taken away",
    ),
    sa.Column("notes", sa.Text, doc="Markdown of a person's, shown as typed"),
    sa.Column("starred", sa.Boolean, doc="NULL is no"),
    sa.Column("archived_at", sa.Float, doc="since when it is out of the list, though not deleted"),
    sa.Column("owner", sa.String(254), doc="who submitted it; NULL on a machine with one person"),
    sa.Column("parent_id", sa.String(16), doc="the run that it was forked from or goes on with"),
    sa.Column("parent_epoch", sa.Integer, doc="the parent's epoch after which it goes its own way"),
    sa.Column("pause_requested", sa.Boolean, doc="NULL is no"),
    sa.Column(
        "change_requested",
        sa.Text,
        doc="JSON of a change of settings that its worker is to make; NULL is none",
    ),
    sa.Column(
        "n_deaths",
        sa.Integer,
        doc="how many attempts have died since its last finished epoch; NULL is none",
    ),
    sa.Index("ix_runs_state", "state", "created_at"),
)

run_tags = sa.Table(
    "run_tags",
    metadata,
    sa.Column("run_id", sa.String(16), primary_key=True),
    sa.Column("tag", sa.String(40), primary_key=True, index=True),
)

run_events = sa.Table(
    "run_events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run_id", sa.String(16), nullable=False, index=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False, doc="finished epochs when it took effect"),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("sentence", sa.Text, nullable=False),
    sa.Column("person", sa.String(254)),
)

epochs = sa.Table(
    "epochs",
    metadata,
    sa.Column("run_id", sa.String(16), primary_key=True),
    sa.Column("epoch", sa.Integer, primary_key=True),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("learning_rate", sa.Float, nullable=False),
    sa.Column("running_loss", sa.Float, nullable=False),
    sa.Column("running_accuracy", sa.Float, nullable=False),
    sa.Column("train_loss", sa.Float, nullable=False),
    sa.Column("train_accuracy", sa.Float, nullable=False),
    sa.Column("val_loss", sa.Float, nullable=False),
    sa.Column("val_accuracy", sa.Float, nullable=False),
    sa.Column(
        "test_loss",
        sa.Float,
        doc="NULL in runs of the first version, which evaluated the test set at the end alone",
    ),
    sa.Column("test_accuracy", sa.Float, doc="the same"),
    sa.Column("seconds_training", sa.Float, nullable=False),
    sa.Column("seconds_evaluation", sa.Float, nullable=False),
    sa.Column("images_per_second", sa.Float, nullable=False),
)

epoch_layers = sa.Table(
    "epoch_layers",
    metadata,
    sa.Column("run_id", sa.String(16), primary_key=True),
    sa.Column("epoch", sa.Integer, primary_key=True),
    sa.Column("layers", sa.Text, nullable=False, doc="JSON, packed by core.layer_statistics"),
)

step_chunks = sa.Table(
    "step_chunks",
    metadata,
    sa.Column("run_id", sa.String(16), primary_key=True),
    sa.Column("first_step", sa.Integer, primary_key=True),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column(
        "points",
        sa.LargeBinary,
        nullable=False,
        doc="float64 rows of (step, epoch, seconds, loss, accuracy), little-endian",
    ),
)

artifacts = sa.Table(
    "artifacts",
    metadata,
    sa.Column("run_id", sa.String(16), primary_key=True),
    sa.Column("kind", sa.String(32), primary_key=True),
    sa.Column(
        "part",
        sa.String(32),
        primary_key=True,
        default="",
        doc="which of several files of the kind",
    ),
    sa.Column("path", sa.String(255), nullable=False, doc="relative to the artifact folder"),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("n_bytes", sa.BigInteger, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False, doc="finished epochs when it was made"),
    sa.Column("created_at", sa.Float, nullable=False),
)

analyses = sa.Table(
    "analyses",
    metadata,
    sa.Column("run_id", sa.String(16), primary_key=True),
    sa.Column("kind", sa.String(32), primary_key=True),
    sa.Column(
        "part",
        sa.String(32),
        primary_key=True,
        doc="hash of the parameters, and the part of the artifact",
    ),
    sa.Column("parameters", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("attempt", sa.Integer, nullable=False, default=0),
    sa.Column(
        "n_tries", sa.Integer, nullable=False, default=0, doc="attempts since it was last asked for"
    ),
    sa.Column("fraction", sa.Float, nullable=False, default=0.0),
    sa.Column("phrase", sa.String(80), nullable=False, default=""),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("machine", sa.String(64)),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("started_at", sa.Float),
    sa.Column("ended_at", sa.Float),
    sa.Column("lease_until", sa.Float),
)

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("id", sa.String(80), primary_key=True),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column(
        "machine",
        sa.String(64),
        nullable=False,
        doc="names the space in which the pid means something",
    ),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("device", sa.String(16), nullable=False),
    sa.Column("n_threads", sa.Integer, nullable=False),
    sa.Column("run_id", sa.String(16)),
    sa.Column("started_at", sa.Float, nullable=False),
    sa.Column("seen_at", sa.Float, nullable=False),
    sa.Column("ended_at", sa.Float),
    sa.Column(
        "process_began",
        sa.BigInteger,
        doc="by `runs.execution.processes`; NULL where a former version wrote the row",
    ),
)


calibrations = sa.Table(
    "calibrations",
    metadata,
    sa.Column("machine", sa.String(64), primary_key=True),
    sa.Column("device", sa.String(16), primary_key=True),
    sa.Column("n_threads", sa.Integer, primary_key=True),
    sa.Column("family", sa.String(8), primary_key=True),
    sa.Column("flops_per_second", sa.Float, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
)


drawings = sa.Table(
    "drawings",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("label", sa.SmallInteger, nullable=False),
    sa.Column("pixels", sa.LargeBinary, nullable=False, doc="28 x 28 bytes, 0 is background"),
    sa.Column(
        "strokes", sa.Text, nullable=False, doc="as `core.data.drawing.encode_strokes` writes them"
    ),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("deleted_at", sa.Float),
)


studies = sa.Table(
    "studies",
    metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False, unique=True),
    sa.Column(
        "definition",
        sa.Text,
        nullable=False,
        doc="JSON of search.definition.StudyDefinition, as it is now",
    ),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("ended_at", sa.Float),
    sa.Column(
        "seconds_used", sa.Float, nullable=False, default=0.0, doc="running, pauses left out"
    ),
    sa.Column("advanced_at", sa.Float),
    sa.Column(
        "revision",
        sa.Integer,
        nullable=False,
        default=1,
        doc="changes with every change to the study or its trials",
    ),
    sa.Column("edition", sa.Integer, nullable=False, default=1, doc="changes with its definition"),
    sa.Column(
        "owner", sa.String(254), doc="e-mail of who created it; NULL on a machine with one person"
    ),
    sa.Column("held_by", sa.String(120), doc="the process that advances it"),
    sa.Column("held_until", sa.Float),
)

trials = sa.Table(
    "trials",
    metadata,
    sa.Column("study_id", sa.String(16), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("origin", sa.String(16), nullable=False),
    sa.Column("parameters", sa.Text, nullable=False, doc="JSON, by path"),
    sa.Column("figures", sa.Text, doc="JSON list, one an objective; NULL where there is none"),
    sa.Column("deviation", sa.Float, doc="standard deviation of the first objective over seeds"),
    sa.Column(
        "curve",
        sa.Text,
        nullable=False,
        default="[]",
        doc="JSON list, the first objective by epoch, mean over seeds",
    ),
    sa.Column(
        "attributes",
        sa.Text,
        nullable=False,
        default="{}",
        doc="JSON, what the sampler and the pruner remember of it",
    ),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("started_at", sa.Float),
    sa.Column("ended_at", sa.Float),
    sa.Column("told_order", sa.Integer, doc="the place in which it ended among the study's trials"),
    sa.Column(
        "revision", sa.Integer, nullable=False, default=1, doc="the study's when it changed last"
    ),
    sa.Index("ix_trials_state", "study_id", "state"),
)

trial_runs = sa.Table(
    "trial_runs",
    metadata,
    sa.Column("study_id", sa.String(16), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("seed", sa.BigInteger, primary_key=True),
    sa.Column("run_id", sa.String(16), nullable=False, unique=True),
)

study_events = sa.Table(
    "study_events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("study_id", sa.String(16), nullable=False, index=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("sentence", sa.Text, nullable=False),
    sa.Column("former", sa.Text, doc="the definition before the change, where it was changed"),
)

saved_views = sa.Table(
    "saved_views",
    metadata,
    sa.Column("page", sa.String(16), primary_key=True),
    sa.Column("name", sa.String(80), primary_key=True),
    sa.Column("address", sa.Text, nullable=False, doc="the query string that brings the view back"),
    sa.Column("person", sa.String(254)),
    sa.Column("created_at", sa.Float, nullable=False),
)

share_links = sa.Table(
    "share_links",
    metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column(
        "token_hash",
        sa.String(64),
        nullable=False,
        doc="SHA-256 of the secret part; the secret is shown once",
    ),
    sa.Column("page", sa.String(16), nullable=False, doc="run, compare or study"),
    sa.Column("address", sa.Text, nullable=False, doc="the query string of the view"),
    sa.Column("targets", sa.Text, nullable=False, doc="JSON list of the ids that may be read"),
    sa.Column("person", sa.String(254)),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),
    sa.Column("revoked_at", sa.Float),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", sa.Float, nullable=False, index=True),
    sa.Column("person", sa.String(254), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("deed", sa.String(120), nullable=False),
    sa.Column("allowed", sa.Boolean, nullable=False),
)


class now(FunctionElement[float]):  # noqa: N801 - reads as the SQL function it is
    """Seconds since 1970 on the database's own clock, which all workers share."""

    type = sa.Float()
    inherit_cache = True


@compiles(now, "sqlite")
def _now_sqlite(_element: now, _compiler: Any, **_options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's signature
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(now, "postgresql")
def _now_postgresql(_element: now, _compiler: Any, **_options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's signature
    return "extract(epoch from clock_timestamp())"


def _limit_server(connection: Any, _record: Any) -> None:  # noqa: ANN401 - a DBAPI connection
    """Have the server end a transaction whose client is cut off, and free what it has locked, before others give their leases up."""
    with connection.cursor() as cursor:
        for name, value in SERVER_TIMEOUTS.items():
            cursor.execute(f"SET {name} = {value}")
    connection.commit()


def with_timeouts(url: str) -> str:
    """Have a PostgreSQL server that is cut off from this machine be noticed within seconds; what the URL says itself holds.

    Without it a process waits for an answer that never comes for as long as the kernel goes on sending, a quarter of an hour.
    """
    made = sa.make_url(url)
    if made.get_backend_name() != "postgresql":
        return url
    return made.set(query=CLIENT_TIMEOUTS | dict(made.query)).render_as_string(hide_password=False)


def create_engine(url: str) -> Engine:
    """Open a database; SQLite gets WAL, IMMEDIATE writes and a busy timeout, PostgreSQL notices a cut network."""
    if not url.startswith("sqlite"):
        server = sa.create_engine(with_timeouts(url), pool_pre_ping=True)
        event.listen(server, "connect", _limit_server)
        return server
    engine = sa.create_engine(
        url, connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:  # noqa: ANN401 - a DBAPI connection
        connection.isolation_level = None  # transactions are begun below, explicitly
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def wait_for_turn(connection: sa.Connection, lock: int = TURN) -> None:
    """Let one transaction at a time pass a lock, until it ends; on SQLite the write lock, which it has from its start, does so."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(lock)))
