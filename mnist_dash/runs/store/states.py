"""The states of a run, and which may follow which."""

from __future__ import annotations

from enum import StrEnum


class RunState(StrEnum):
    """Where a run is in its life; `ALLOWED` says where it may go from there."""

    QUEUED = "queued"
    """Accepted and waiting for a worker."""
    RUNNING = "running"
    """A worker has it, renews its lease and records its epochs."""
    PAUSED = "paused"
    """Set aside by a person, after an epoch or before its first; keeps its checkpoint and waits to be resumed."""
    FINISHED = "finished"
    """Trained to its end, or to where early stopping ended it, and evaluated."""
    STOPPED = "stopped"
    """Ended by a person; the epochs until then are kept."""
    PRUNED = "pruned"
    """Ended by a study's pruner because it lagged behind."""
    DIVERGED = "diverged"
    """Its loss became infinite or not a number; the epochs before are kept."""
    FAILED = "failed"
    """Ended by an error, or its workers died too often; the reason is kept."""

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more will be recorded in this state."""
        return self not in (RunState.QUEUED, RunState.RUNNING, RunState.PAUSED)

    @property
    def is_live(self) -> bool:
        """Whether the run may change without a person doing anything."""
        return self in (RunState.QUEUED, RunState.RUNNING)


ALLOWED: dict[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset(
        {RunState.RUNNING, RunState.PAUSED, RunState.STOPPED, RunState.FAILED}
    ),
    RunState.RUNNING: frozenset(set(RunState) - {RunState.RUNNING}),
    RunState.PAUSED: frozenset({RunState.QUEUED, RunState.STOPPED, RunState.PRUNED}),
    RunState.FINISHED: frozenset(),
    RunState.STOPPED: frozenset(),
    RunState.PRUNED: frozenset(),
    RunState.DIVERGED: frozenset(),
    RunState.FAILED: frozenset(),
}
"""The states that may follow each state."""


def sources(target: RunState) -> tuple[RunState, ...]:
    """Name the states from which `target` may be reached."""
    return tuple(state for state, targets in ALLOWED.items() if target in targets)
