"""Acceptance, reading and transitions on a real database."""

from __future__ import annotations

import sqlite3
import threading

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from mnist_dash.core.config.run_config import RunConfig, TestAsValidation, with_overrides
from mnist_dash.errors import (
    DeviceUnavailable,
    IllegalTransition,
    StorageFull,
    StoreError,
    StoreLocked,
    StoreTooNew,
    UnknownRun,
)
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import ALLOWED, RunState, sources
from mnist_dash.settings import DATABASE_FILE, Settings
from tests.databases import JOBS_SCHEMA

CONFIG = RunConfig(epochs=2)


def test_accepted_run_is_read_back_whole(store: Store) -> None:
    """What was submitted is what the store gives back, configuration and all."""
    run = store.run(run_actions.submit(store, CONFIG, preset="mlp_512_256"))
    assert (run.state, run.config, run.preset, run.attempt, run.epoch) == (
        RunState.QUEUED,
        CONFIG,
        "mlp_512_256",
        0,
        0,
    )
    assert run.n_steps == 2 * 391
    assert store.queue() == (run,)


def test_same_key_gives_same_run(store: Store) -> None:
    """Two clicks on one form are one run, also when they come at once."""
    barrier, ids = threading.Barrier(4), []

    def click() -> None:
        barrier.wait()
        ids.append(run_actions.submit(store, CONFIG, key="form-1"))

    threads = [threading.Thread(target=click) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 4
    assert len(set(ids)) == 1
    assert store.count() == 1


def test_each_run_has_a_name_of_its_own_from_birth(store: Store) -> None:
    """Network, optimizer and number: a number is given once, and a store with older runs begins after them."""
    names = [store.run(run_actions.submit(store, CONFIG)).name for _ in range(2)]
    assert names == ["512-256 Adam 0.001 #1", "512-256 Adam 0.001 #2"]
    with store.writing() as connection:  # as a store is that older versions have filled
        connection.execute(schema.meta.delete().where(schema.meta.c.key == "run_number"))
        connection.execute(schema.runs.update().values(name=None))
    run_id = run_actions.submit(store, CONFIG)
    assert store.run(run_id).title == "512-256 Adam 0.001 #3"
    old = next(run for run in store.runs() if run.id != run_id)
    assert old.title == f"512-256 Adam 0.001 #{old.id[:4]}"


def test_runs_that_are_submitted_at_once_have_different_names(store: Store) -> None:
    """The number is counted up within the transaction that writes the run."""
    threads = [threading.Thread(target=run_actions.submit, args=(store, CONFIG)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({run.name for run in store.runs()}) == store.count() == 6


def test_run_and_job_commit_together(store: Store) -> None:
    """Where the job cannot be written, neither is the run, and the sentence says whom to ask."""
    with store.writing() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {JOBS_SCHEMA}workflow_status RENAME TO hidden")
    with pytest.raises(StoreError, match="doctor"):
        run_actions.submit(store, CONFIG)
    assert store.count() == 0
    with store.writing() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {JOBS_SCHEMA}hidden RENAME TO workflow_status")
    assert store.run(run_actions.submit(store, CONFIG)).state is RunState.QUEUED


def test_runs_are_listed_newest_first_by_page(store: Store) -> None:
    """Pages of runs do not overlap and miss none."""
    ids = [run_actions.submit(store, CONFIG) for _ in range(5)]
    pages = [run.id for offset in (0, 2, 4) for run in store.runs(limit=2, offset=offset)]
    assert pages == ids[::-1]


def test_every_write_changes_the_revision(store: Store) -> None:
    """Pages that read only the revision miss nothing."""
    before = store.revision()
    run_id = run_actions.submit(store, CONFIG)
    submitted = store.revision()
    run_actions.stop(store, run_id)
    stopped = store.revision()
    run_actions.delete(store, [run_id])
    assert before < submitted < stopped < store.revision()


def test_delete_is_undone(store: Store) -> None:
    """A deleted run leaves the list and comes back whole."""
    run_id = run_actions.submit(store, CONFIG)
    run_actions.stop(store, run_id)
    deleted = run_actions.delete(store, [run_id])
    assert store.count() == 0
    assert store.count(deleted=True) == 1
    run_actions.undelete(store, deleted)
    assert store.run(run_id).deleted_at is None
    assert store.count() == 1


def test_live_run_is_not_deleted(store: Store) -> None:
    """Deleting what still waits is refused, and nothing of the selection goes."""
    ended, waiting = run_actions.submit(store, CONFIG), run_actions.submit(store, CONFIG)
    run_actions.stop(store, ended)
    with pytest.raises(IllegalTransition, match="Stop it first"):
        run_actions.delete(store, [ended, waiting])
    assert store.count() == 2


def test_terminal_run_is_not_stopped_again(store: Store) -> None:
    """Stopping twice names the state and changes nothing."""
    run_id = run_actions.submit(store, CONFIG)
    assert run_actions.stop(store, run_id) is RunState.STOPPED
    with pytest.raises(IllegalTransition, match="is stopped and cannot be stopped"):
        run_actions.stop(store, run_id)


def test_unknown_run_is_named(store: Store) -> None:
    """A wrong id gets a sentence with the id and the way to the right one."""
    with pytest.raises(UnknownRun, match=r"No run 'nosuch'\. List runs"):
        store.run("nosuch")
    run_id = run_actions.submit(store, CONFIG)
    with pytest.raises(UnknownRun, match=rf"Did you mean {run_id}\? List runs"):
        store.run(run_id[:3] + "x" + run_id[4:])


def test_cuda_without_device_is_refused(store: Store) -> None:
    """No silent fallback to the CPU, and nothing queued."""
    from mnist_dash.core.hardware.devices import n_cuda_devices

    if n_cuda_devices():
        pytest.skip("this machine has CUDA")
    with pytest.raises(DeviceUnavailable, match="Choose auto or cpu"):
        run_actions.submit(store, with_overrides(CONFIG, [("device", "cuda")]))
    assert store.count() == 0


def test_full_disk_accepts_no_run(settings: Settings) -> None:
    """A run is refused while there is no room for what it will leave."""
    from dataclasses import replace

    store = Store.open(replace(settings, min_free_bytes=2**60))
    with pytest.raises(StorageFull, match="MiB"):
        run_actions.submit(store, CONFIG)
    assert store.count() == 0
    store.close()


def test_newer_database_is_refused(store: Store, settings: Settings) -> None:
    """A database from the future is left alone."""
    with store.writing() as connection:
        connection.execute(
            schema.meta.update().where(schema.meta.c.key == "schema_version").values(value=99)
        )
    with pytest.raises(StoreTooNew, match="version 99"):
        Store.open(settings)


@pytest.mark.sqlite
def test_locked_database_is_named(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that another program holds gives a sentence, not a stack trace."""
    monkeypatch.setattr(schema, "BUSY_TIMEOUT_SECONDS", 0.1)
    impatient = Store.open(settings)
    holder = sqlite3.connect(settings.home / DATABASE_FILE, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreLocked, match="Close what else has it open"):
        run_actions.submit(impatient, CONFIG)
    holder.rollback()
    holder.close()
    assert run_actions.submit(impatient, CONFIG)
    impatient.close()


def test_same_configuration_is_found_when_finished(store: Store) -> None:
    """Only a finished run of the very same configuration counts as the same."""
    run_id = run_actions.submit(store, CONFIG)
    assert store.find_same(CONFIG) is None
    with store.writing() as connection:
        connection.execute(
            schema.runs.update().where(schema.runs.c.id == run_id).values(state=RunState.FINISHED)
        )
    assert store.find_same(RunConfig(epochs=2)) == store.run(run_id)
    assert store.find_same(RunConfig(epochs=2, split=TestAsValidation())) is None


def test_reading_does_not_wait_for_a_writer(store: Store) -> None:
    """Pages read while a worker writes."""
    run_actions.submit(store, CONFIG)
    with store.engine.begin() as connection:
        connection.execute(sa.text("UPDATE runs SET epoch = 7"))
        assert store.runs()[0].epoch == 0


@given(st.lists(st.sampled_from(list(RunState)), max_size=12))
def test_no_path_leaves_a_terminal_state(targets: list[RunState]) -> None:
    """Whatever is tried in whatever order, an ended run stays as it ended."""
    state, ended = RunState.QUEUED, None
    for target in targets:
        if target in ALLOWED[state]:
            assert state in sources(target)
            state = target
        if state.is_terminal:
            ended = ended or state
            assert state is ended
