"""Checks of the whole installation: what is well, what is wrong, and what to do about it. Changes nothing.

Not covered: whether another machine of a shared store is well (run it there), and data sets other than MNIST, which are checked when a run
asks for them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import psutil
import sqlalchemy as sa

from mnist_dash.core.data.archives import MNIST_ARCHIVES, check_archives
from mnist_dash.core.hardware.devices import n_cuda_devices
from mnist_dash.errors import (
    ArtifactError,
    ArtifactsElsewhere,
    DataError,
    MnistDashError,
    StorageUnavailable,
    StoreError,
    StoreLocked,
    StoreTooNew,
)
from mnist_dash.redaction import redact
from mnist_dash.runs.execution.lost_jobs import lost_jobs
from mnist_dash.runs.store import artifacts, schema
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.database_errors import check_url
from mnist_dash.runs.store.database_file import sqlite_file
from mnist_dash.runs.store.hosts import blocked, hosts
from mnist_dash.runs.store.places.opening import place_of
from mnist_dash.runs.store.places.place import PlacedFile
from mnist_dash.runs.store.records import Worker
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.schema import now
from mnist_dash.runs.store.states import RunState
from mnist_dash.settings import Settings
from mnist_dash.text import plural, verb

N_NAMED = 3
"""How many of a kind of trouble are named one by one."""
ORPHAN_SECONDS = 3600
"""Age from which a file that no run names was not just written."""
TIGHT_FACTOR = 5
"""Free room below this many times the least is worth a warning."""
REPAIR = "`python -m mnist_dash doctor --repair` mends it."
_START_WORKER = "Start one with `make run`, or with `python -m mnist_dash worker`."
_PROBE = """\
import json, torch, torchvision
from torchvision.ops import nms
print(json.dumps({"torch": torch.__version__, "torchvision": torchvision.__version__, "cuda": torch.cuda.is_available()}))
"""


class Verdict(StrEnum):
    """How a check went."""

    OK = "ok"
    """As it should be."""
    WARNING = "warning"
    """Works, yet somebody should know."""
    PROBLEM = "problem"
    """Something does not work until a person acts."""


@dataclass(frozen=True)
class Check:
    """What one check found."""

    subject: str
    """What was looked at, in a word."""
    verdict: Verdict
    finding: str
    """A sentence."""
    remedy: str = ""
    """What to do about it; empty when all is well."""


def examine(settings: Settings) -> tuple[Check, ...]:
    """Check the machine, then the store."""
    return tuple(map(_shown, (*examine_machine(settings), *examine_store(settings))))


def _shown(check: Check) -> Check:
    return replace(check, finding=redact(check.finding), remedy=redact(check.remedy))


def examine_machine(settings: Settings) -> tuple[Check, ...]:
    """Check the data set's archives, the disk, the processor and torch; takes some seconds, because torch is imported."""
    return (_data(settings), _disk(settings), _processor(settings), _torch())


def examine_store(settings: Settings) -> tuple[Check, ...]:
    """Check the database and what it knows: artifacts, queue and workers."""
    try:
        check_url(settings.database_url)
    except StoreError as error:
        return (
            Check("database", Verdict.PROBLEM, str(error), "Correct the variable, or unset it."),
        )
    database = sqlite_file(settings.database_url)
    if database is not None and not database.exists():
        return (
            Check(
                "database",
                Verdict.OK,
                f"there is none yet at {database}; the first start makes it.",
            ),
        )
    try:
        store = Store.open(settings)
    except StoreError as error:
        return (_unusable(error),)
    checks: list[Check] = []
    try:
        checks.extend(_look_inside(store))
    except MnistDashError as error:
        checks.append(_unusable(error))
    finally:
        store.close()
    return tuple(checks)


def _look_inside(store: Store) -> Iterator[Check]:
    database = _database(store)
    yield database
    if database.verdict is Verdict.PROBLEM:
        return
    yield _artifacts(store)
    yield from _orphans(store)
    workers = store.workers()
    alive = [worker for worker in workers if worker.state != "gone"]
    yield from _queue(store, alive)
    yield _workers(store.settings, alive, n_gone=len(workers) - len(alive))


def _data(settings: Settings) -> Check:
    try:
        check_archives(settings.data_dir)
    except DataError as error:
        return Check(
            "data",
            Verdict.PROBLEM,
            str(error),
            "See the sentence before; runs on MNIST are refused until then.",
        )
    except OSError as error:
        return Check(
            "data",
            Verdict.PROBLEM,
            f"the archives cannot be read: {error}.",
            "Make the file readable for this user.",
        )
    return Check(
        "data",
        Verdict.OK,
        f"the {len(MNIST_ARCHIVES)} original archives of MNIST are there and have their published hashes.",
    )


def _disk(settings: Settings) -> Check:
    folder = next(
        path for path in (settings.artifact_dir, *settings.artifact_dir.parents) if path.exists()
    )
    free, least = shutil.disk_usage(folder).free, settings.min_free_bytes
    finding = f"{_megabytes(free)} free at {settings.artifact_dir}; runs are accepted from {_megabytes(least)} on."
    remedy = "Delete runs or other files, or set MNIST_DASH_HOME to a larger disk."
    if not os.access(folder, os.W_OK):
        return Check(
            "disk",
            Verdict.PROBLEM,
            f"{folder} cannot be written by this user.",
            "Make it writable, or set MNIST_DASH_HOME.",
        )
    if free < least:
        return Check("disk", Verdict.PROBLEM, finding, remedy)
    return (
        Check("disk", Verdict.WARNING, finding, remedy)
        if free < TIGHT_FACTOR * least
        else Check("disk", Verdict.OK, finding)
    )


def _processor(settings: Settings) -> Check:
    cores = len(os.sched_getaffinity(0))
    model, flags = _processor_facts()
    native = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in flags]
    bfloat16 = (
        "computes bfloat16 natively"
        if {"avx512_bf16", "amx_bf16"} & flags
        else "has no native bfloat16: float32 is faster"
    )
    finding = (
        f"{model}, {cores} cores for this process, {settings.n_threads} threads for workers; "
        f"{', '.join(native) or 'no AVX2'}; {bfloat16}."
    )
    if settings.n_threads > cores:
        remedy = f"Set MNIST_DASH_THREADS to {cores} or less: more threads than cores train slower."
        return Check("processor", Verdict.WARNING, finding, remedy)
    return Check("processor", Verdict.OK, finding)


def _torch() -> Check:
    """Import torch and torchvision in a process of their own, which also survives an import that crashes."""
    probe = subprocess.run(  # noqa: S603
        [sys.executable, "-c", _PROBE], capture_output=True, text=True, timeout=300, check=False
    )
    if probe.returncode != 0:
        last = (probe.stderr.strip().splitlines() or [f"exit code {probe.returncode}"])[-1]
        remedy = (
            "Install the plain pair together: `pip install --force-reinstall -r requirements.txt`."
        )
        return Check(
            "torch", Verdict.PROBLEM, f"torch and torchvision cannot be imported: {last}", remedy
        )
    found = json.loads(probe.stdout)
    n_cuda = n_cuda_devices()
    versions = f"torch {found['torch']} with torchvision {found['torchvision']}"
    if n_cuda and not found["cuda"]:
        remedy = (
            "Update the driver to what this torch needs; until then runs train on the CPU only."
        )
        return Check(
            "torch",
            Verdict.WARNING,
            f"{versions} cannot use the {n_cuda} CUDA device(s) of the driver.",
            remedy,
        )
    return Check(
        "torch",
        Verdict.OK,
        f"{versions}; {f'{n_cuda} CUDA device(s)' if n_cuda else 'no CUDA device, runs train on the CPU'}.",
    )


def _database(store: Store) -> Check:
    with store.reading() as connection:
        version = connection.execute(
            sa.select(schema.meta.c.value).where(schema.meta.c.key == "schema_version")
        ).scalar_one()
        faults = (
            list(connection.exec_driver_sql("PRAGMA integrity_check").scalars())
            if store.settings.is_sqlite
            else ["ok"]
        )
    if faults != ["ok"]:
        remedy = "Stop all workers, keep a copy, and restore a backup or recover it with `sqlite3 FILE .recover`."
        return Check(
            "database", Verdict.PROBLEM, f"it is damaged: {'; '.join(faults[:N_NAMED])}.", remedy
        )
    with store.writing():
        pass  # taking and giving back the write lock is the check
    where = store.engine.url.render_as_string(hide_password=True)
    return Check(
        "database",
        Verdict.OK,
        f"version {version}, whole, can be written; {plural(store.count(), 'run')} in {where}.",
    )


def _unusable(error: MnistDashError) -> Check:
    match error:
        case ArtifactsElsewhere():
            return Check("artifacts", Verdict.PROBLEM, str(error), "See the sentence before.")
        case StoreTooNew() | StoreLocked() | StorageUnavailable():
            remedy = "See the sentence before."
        case _:
            remedy = "Restore it from a backup, or move it away to begin with an empty one; the artifacts stay where they are."
    return Check("database", Verdict.PROBLEM, str(error), remedy)


def _artifacts(store: Store) -> Check:
    table = schema.artifacts
    with store.reading() as connection:
        rows = connection.execute(
            sa.select(table.c.run_id, table.c.kind, table.c.part).order_by(table.c.run_id)
        ).all()
    faults = [
        fault
        for row in rows
        if (fault := _fault(store, row.run_id, ArtifactKind(row.kind), row.part)) is not None
    ]
    if not faults:
        return Check(
            "artifacts",
            Verdict.OK,
            f"{plural(len(rows), 'file')} with the hashes that were recorded.",
        )
    more = f" And {len(faults) - N_NAMED} more." if len(faults) > N_NAMED else ""
    remedy = "Restore these files from a backup, or train the runs again: the same configuration gives the same result."
    return Check(
        "artifacts",
        Verdict.PROBLEM,
        f"{len(faults)} of {len(rows)} files: {' '.join(faults[:N_NAMED])}{more}",
        remedy,
    )


def _fault(store: Store, run_id: str, kind: ArtifactKind, part: str) -> str | None:
    """Say what is wrong with a file; a live run replaces its checkpoint between two looks, so a fault is one that is found twice."""
    for _ in range(2):
        try:
            artifacts.read(store, run_id, kind, part)
        except ArtifactError as error:
            fault = str(error)
        else:
            return None
    return fault


def _orphans(store: Store) -> Iterator[Check]:
    orphans = orphaned_files(store)
    if orphans:
        size = _megabytes(sum(file.n_bytes for file in orphans))
        first = place_of(store.settings).location(orphans[0].path)
        finding = (
            f"{plural(len(orphans), 'file')} ({size}) {verb(len(orphans), 'belong')} to no run, such as {first}. "
            "A crash between a file and its row leaves them."
        )
        yield Check("artifacts", Verdict.WARNING, finding, REPAIR)


def orphaned_files(store: Store) -> list[PlacedFile]:
    """Find the files beside the artifacts that no row names, those of the last hour left out: their rows may be on their way."""
    with store.reading() as connection:
        known = set(connection.execute(sa.select(schema.artifacts.c.path)).scalars())
    files = place_of(store.settings).files()
    return sorted(
        (file for file in files if file.path not in known and file.age_seconds > ORPHAN_SECONDS),
        key=lambda file: file.path,
    )


def _queue(store: Store, alive: list[Worker]) -> Iterator[Check]:
    runs = schema.runs
    with store.reading() as connection:
        silent = [
            *connection.execute(
                sa.select(runs.c.id).where(
                    runs.c.state == RunState.RUNNING, runs.c.lease_until < now()
                )
            ).scalars()
        ]
    queued = store.queue()
    taken = store.queue_client.claimed()
    stuck = sorted(job.run_id for job in lost_jobs(store))
    left = [
        job.run_id for job, worker_id in taken if worker_id not in {worker.id for worker in alive}
    ]
    if stuck:
        remedy = "A living worker gives them another within seconds." if alive else REPAIR
        yield Check(
            "queue",
            Verdict.PROBLEM,
            f"{plural(len(stuck), 'queued run')} without a job: {_named(stuck)}.",
            remedy,
        )
    if silent or left:
        found = sorted({*silent, *left})
        remedy = (
            "A living worker hands them on by itself within seconds." if alive else _START_WORKER
        )
        yield Check(
            "queue",
            Verdict.WARNING,
            f"{plural(len(found), 'run')} {verb(len(found), 'were')} left by a dead worker: {_named(found)}.",
            remedy,
        )
    if queued and not alive:
        yield Check(
            "queue",
            Verdict.WARNING,
            f"{plural(len(queued), 'run')} {verb(len(queued), 'wait')} and no worker is alive.",
            _START_WORKER,
        )
    out_of_reach = blocked(store, alive) if alive else {}
    if out_of_reach:
        n = len(out_of_reach)
        finding = f"{plural(n, 'run')} {verb(n, 'wait')} for a device that no living worker has: {_named(sorted(out_of_reach))}."
        yield Check("queue", Verdict.WARNING, finding, next(iter(out_of_reach.values())))
    if not stuck and not silent and not left and not out_of_reach and not (queued and not alive):
        n_running = store.count(states=[RunState.RUNNING])
        yield Check(
            "queue",
            Verdict.OK,
            f"{plural(n_running, 'run')} in training, {len(queued)} waiting, none stuck.",
        )


def _workers(settings: Settings, alive: list[Worker], *, n_gone: int) -> Check:
    gone = f"; {n_gone} ended or died within the hour" if n_gone else ""
    if not alive:
        return Check(
            "workers",
            Verdict.OK,
            f"none is alive{gone}. The dashboard and `train` start their own.",
        )
    where = hosts(alive)
    listed = ", ".join(
        f"{worker.id} ({worker.device}, {worker.n_threads} threads, {worker.state})"
        for worker in alive
    )
    if len(where) > 1:
        listed = ", ".join(map(str, where))
    here = sum(
        worker.n_threads
        for worker in alive
        if worker.device == "cpu" and worker.host == os.uname().nodename
    )
    finding = f"{len(alive)} alive: {listed}{gone}."
    if here > settings.n_threads:
        remedy = f"End one, or start each with --threads so that together they have at most {settings.n_threads}."
        return Check(
            "workers", Verdict.WARNING, f"{finding} Together they have {here} threads here.", remedy
        )
    return Check("workers", Verdict.OK, finding)


def _processor_facts() -> tuple[str, frozenset[str]]:
    """Read the processor's name and features where Linux tells them."""
    info = Path("/proc/cpuinfo")
    pairs = (
        dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
        if info.exists()
        else {}
    )
    values = {name.strip(): value.strip() for name, value in pairs.items()}
    memory = f"{psutil.virtual_memory().total / 2**30:.0f} GiB of memory"
    return f"{values.get('model name', os.uname().machine)}, {memory}", frozenset(
        values.get("flags", values.get("Features", "")).split()
    )


def _named(run_ids: list[str]) -> str:
    more = f" and {len(run_ids) - N_NAMED} more" if len(run_ids) > N_NAMED else ""
    return ", ".join(run_ids[:N_NAMED]) + more


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 2**20:,.0f} MiB"
