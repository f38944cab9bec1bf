"""Which process is which, on which machine: told without a clock, which people and time servers set.

A process is known by its id and the moment at which it began, counted by the kernel in ticks since the machine started; ids are used again,
that pair is not.
"""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

import psutil

PROC = Path("/proc")


def machine_id() -> str:
    """Name the space in which process ids mean something: this boot of this machine, and this container of it."""
    boot, space = PROC / "sys/kernel/random/boot_id", PROC / "self/ns/pid"
    if not boot.exists():
        return socket.gethostname()
    return hashlib.sha256(f"{boot.read_text()}{space.stat().st_ino}".encode()).hexdigest()[:16]


def began(pid: int) -> int | None:
    """Say when a process of this machine began, in ticks since the machine started; None where there is no such process any more.

    Field 22 of ``/proc/PID/stat`` (man 5 proc). Where there is no such file, seconds since 1970 by psutil.
    """
    if not PROC.joinpath("self/stat").exists():
        return _began_without_proc(pid)
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, ticks = fields[0], int(fields[19])
    return None if state in "ZX" else ticks


def own_mark() -> tuple[int, int]:
    """Give this process's id and when it began."""
    pid = os.getpid()
    mark = began(pid)
    assert mark is not None
    return pid, mark


def process_lives(pid: int, mark: int | None) -> bool:
    """Say whether the process that had this id and began then still runs; where it is not known when, whether any has the id."""
    found = began(pid)
    return found is not None and mark in (None, found)


def _began_without_proc(pid: int) -> int | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else int(process.create_time())
    except psutil.NoSuchProcess:
        return None
