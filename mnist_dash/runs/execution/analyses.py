"""Computations about ended runs that are neither training nor a page's work: asked for here, done by `mnist_dash.runs.execution.analyst`.

A request is a row, unique by run, kind and parameters: asking again gives the same one, and whoever looks sees how far it is.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa

from mnist_dash.errors import UnknownRun
from mnist_dash.runs.access.permission import require
from mnist_dash.runs.execution.supervisor import start_companion
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.schema import now
from mnist_dash.settings import Settings

_starting = threading.Lock()
_started: dict[str, subprocess.Popen[bytes]] = {}


class AnalysisKind(StrEnum):
    """What is computed; what comes of it is an artifact of the same name."""

    EMBEDDING = "embedding"
    """Images on a plane: `mnist_dash.core.analysis.embedding`."""

    @property
    def artifact(self) -> ArtifactKind:
        """The kind of file that it leaves."""
        return ArtifactKind(self.value)


class AnalysisState(StrEnum):
    """Where an analysis is; only queued and failed ones can be asked for again."""

    QUEUED = "queued"
    """Waits for an analyst."""
    RUNNING = "running"
    """An analyst has it and renews its lease."""
    DONE = "done"
    """Its artifact is stored."""
    FAILED = "failed"
    """Ended by an error, or its analysts died too often; the reason is kept."""

    @property
    def is_live(self) -> bool:
        """Whether it may change without a person doing anything."""
        return self in (AnalysisState.QUEUED, AnalysisState.RUNNING)


@dataclass(frozen=True)
class Analysis:
    """One analysis as the store knows it."""

    run_id: str
    kind: AnalysisKind
    part: str
    """Hash of its parameters, and the part of its artifact."""
    parameters: str
    """Canonical JSON."""
    state: AnalysisState
    attempt: int
    """How often an analyst has claimed it; every write of an analyst names its attempt."""
    fraction: float
    """Share of the expected time that is over, in [0, 1]."""
    phrase: str
    """What is being done."""
    reason: str
    """Why it failed, in a sentence; empty while it has not."""
    seconds: float
    """Since it was claimed, until its end."""

    @property
    def seconds_left(self) -> float | None:
        """Estimated seconds until its end at the pace so far; None where there is no pace yet."""
        if self.state is not AnalysisState.RUNNING or self.fraction < 0.05:
            return None
        return self.seconds * (1 - self.fraction) / self.fraction


def request(
    store: Store,
    run_id: str,
    kind: AnalysisKind,
    parameters: Mapping[str, object],
    *,
    again: bool = False,
) -> Analysis:
    """Ask for an analysis and see to it that an analyst runs.

    Args:
        store: where the run is.
        run_id: the run.
        kind: what to compute.
        parameters: what decides the result besides the run; JSON values.
        again: whether to compute one anew that is done already, because its artifact is damaged.

    Returns:
        The analysis: a new one, or the one that was asked for before; a failed one is queued again.

    Raises:
        NotAllowed: the person may only look.
        UnknownRun: no run has this id.
    """
    require(store, f"have an {kind} computed")
    store.run(run_id)  # raises when there is none
    text, part = canonical(parameters)
    table = schema.analyses
    waiting = {
        "state": AnalysisState.QUEUED,
        "n_tries": 0,
        "fraction": 0.0,
        "phrase": "",
        "reason": "",
    }
    restarted = [AnalysisState.FAILED, *([AnalysisState.DONE] if again else [])]
    here = identified(run_id, kind, part)
    with store.writing(in_turn=True) as connection:
        if connection.execute(sa.select(table.c.state).where(here)).first() is None:
            row = {
                "run_id": run_id,
                "kind": kind,
                "part": part,
                "parameters": text,
                "state": AnalysisState.QUEUED,
                "created_at": now(),
            }
            connection.execute(table.insert().values(row))
        connection.execute(table.update().where(here, table.c.state.in_(restarted)).values(waiting))
    ensure_analyst(store.settings)
    found = find(store, run_id, kind, parameters)
    if found is None:
        raise UnknownRun(f"Run {run_id} was removed meanwhile. Choose another run.")
    return found


def find(
    store: Store, run_id: str, kind: AnalysisKind, parameters: Mapping[str, object]
) -> Analysis | None:
    """Read an analysis; None where nobody has asked for it."""
    table = schema.analyses
    query = sa.select(
        table, (sa.func.coalesce(table.c.ended_at, now()) - table.c.started_at).label("seconds")
    )
    with store.reading() as connection:
        row = (
            connection.execute(query.where(identified(run_id, kind, canonical(parameters)[1])))
            .mappings()
            .first()
        )
    return None if row is None else analysis_from_row(row)


def newest_done(store: Store, run_id: str, kind: AnalysisKind) -> Analysis | None:
    """Read the analysis of a kind that was done last; None where there is none."""
    table = schema.analyses
    query = sa.select(table, (table.c.ended_at - table.c.started_at).label("seconds"))
    here = (
        (table.c.run_id == run_id) & (table.c.kind == kind) & (table.c.state == AnalysisState.DONE)
    )
    with store.reading() as connection:
        row = (
            connection.execute(query.where(here).order_by(table.c.ended_at.desc()).limit(1))
            .mappings()
            .first()
        )
    return None if row is None else analysis_from_row(row)


def canonical(parameters: Mapping[str, object]) -> tuple[str, str]:
    """Write parameters as JSON with sorted keys, and the hash that names them."""
    text = json.dumps(parameters, sort_keys=True, separators=(",", ":"))
    return text, hashlib.sha256(text.encode()).hexdigest()[:16]


def identified(run_id: str, kind: AnalysisKind, part: str) -> sa.ColumnElement[bool]:
    """Say which row is an analysis's."""
    table = schema.analyses
    return (table.c.run_id == run_id) & (table.c.kind == kind) & (table.c.part == part)


def analysis_from_row(row: sa.RowMapping) -> Analysis:
    """Build the record of an analysis from its row, with the seconds that it has taken."""
    fields = {name: row[name] for name in Analysis.__dataclass_fields__}
    return Analysis(
        **fields
        | {
            "kind": AnalysisKind(row["kind"]),
            "state": AnalysisState(row["state"]),
            "seconds": row["seconds"] or 0.0,
        }
    )


def ensure_analyst(settings: Settings) -> None:
    """See to it that an analyst of this machine and store runs; cheap when one does. It ends by itself when there is nothing to do.

    A read-only server starts none.
    """
    if settings.access.read_only:
        return
    with _starting:
        known = _started.get(settings.database_url)
        if known is not None and known.poll() is None:
            return
        _started[settings.database_url] = start_companion(
            settings, "mnist_dash.runs.execution.analyst"
        )
