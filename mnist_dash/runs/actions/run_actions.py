"""What a person may do to runs. Pages and commands act through these functions and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Iterable

from mnist_dash.core.config.batches import check_batches
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.data.archives import check_archives
from mnist_dash.core.hardware.devices import check_device, n_cuda_devices
from mnist_dash.errors import IllegalTransition, StorageFull
from mnist_dash.runs.access import quotas
from mnist_dash.runs.access.permission import require
from mnist_dash.runs.store import events
from mnist_dash.runs.store.events import EventKind
from mnist_dash.runs.store.run_store import Store, transition, update
from mnist_dash.runs.store.states import RunState


def submit(
    store: Store, config: RunConfig, *, key: str | None = None, preset: str | None = None
) -> str:
    """Accept a configuration as a run: from here on it is never lost.

    Args:
        store: where to.
        config: what to train.
        key: names this submission; the same key again gives the same run, however often a button was pressed.
        preset: the published experiment that the configuration is, unchanged.

    Returns:
        The run's id.

    Raises:
        NotAllowed: the person may only look.
        QuotaExceeded: the person has as much in the queue or in training as one may.
        InvalidConfig: its batches are too small for its batch normalisation.
        DeviceUnavailable: the configuration asks for a device that neither this machine nor a living worker has.
        DataError: the data set's archives are missing or damaged.
        StorageFull: the disk has no room for the run's artifacts.
        StoreError: the database cannot be written.
    """
    require(store, "train a network")
    check_can_run(store, config)
    with store.writing(in_turn=True) as connection:
        known = store.submitted(connection, key)
        if known is not None:
            return known
        quotas.check_run(connection, store, config)
        return store.insert_run(connection, config, key=key, preset=preset)


def check_can_run(store: Store, config: RunConfig) -> None:
    """Check what a run needs besides a valid configuration; raises what `submit` does."""
    check_batches(config)
    if config.device == "cuda":
        elsewhere = sum(
            worker.device == "cuda" and worker.state != "gone" for worker in store.workers()
        )
        check_device(config.device, n_cuda=n_cuda_devices() + elsewhere)
    if config.dataset == "mnist":
        check_archives(store.settings.data_dir)
    free = shutil.disk_usage(store.settings.artifact_dir).free
    if free < store.settings.min_free_bytes:
        raise StorageFull(
            f"The disk is nearly full: {free >> 20} MiB are free at {store.settings.artifact_dir}, and a run needs "
            f"{store.settings.min_free_bytes >> 20} MiB. Delete runs or other files, or set MNIST_DASH_HOME to a larger disk."
        )


def stop(store: Store, run_id: str) -> RunState:
    """Stop a run and keep what it has: a queued one at once, a running one within about two seconds.

    Returns:
        The run's state now; RUNNING where its worker has been asked.

    Raises:
        UnknownRun: no run has this id.
        IllegalTransition: the run has ended already.
    """
    require(store, f"stop run {run_id[:16]}")
    run = store.run(run_id)
    kept = (
        "Stopped by hand while no worker had it, so it was not evaluated; its checkpoint is kept."
    )
    reason = "Stopped by hand before it began." if run.epoch == 0 else kept
    waiting = (RunState.QUEUED, RunState.PAUSED)
    with store.writing() as connection:
        is_over = any(
            transition(connection, run_id, RunState.STOPPED, only_from=state, reason=reason)
            for state in waiting
        )
        if not is_over and not update(
            connection, run_id, only_in=RunState.RUNNING, stop_requested=True
        ):
            raise IllegalTransition(
                f"Run {run_id} is {run.state} and cannot be stopped; only one that waits or trains can. Open it to see why."
            )
        sentence = "Stopped." if is_over else "Asked to stop."
        events.write(
            connection,
            run_id,
            EventKind.STOPPED,
            sentence,
            epoch=run.epoch,
            person=store.person.email,
        )
    return RunState.STOPPED if is_over else RunState.RUNNING


def delete(store: Store, run_ids: Iterable[str]) -> tuple[str, ...]:
    """Put ended runs into the bin, from which `undelete` takes them.

    Returns:
        The ids, for an undo.

    Raises:
        UnknownRun: no run has one of these ids; nothing is deleted.
        IllegalTransition: one of them has not ended; nothing is deleted.
    """
    require(store, "delete runs")
    wanted = tuple(run_ids)
    for run in map(store.run, wanted):
        if not run.state.is_terminal:
            raise IllegalTransition(
                f"Run {run.id} is {run.state} and cannot be deleted before it has ended. Stop it first."
            )
    store.mark_deleted(wanted, deleted=True)
    return wanted


def undelete(store: Store, run_ids: Iterable[str]) -> None:
    """Take runs out of the bin again."""
    require(store, "bring deleted runs back")
    store.mark_deleted(run_ids, deleted=False)
