"""Several hosts on one network, one database and one artifact folder; a cable is pulled."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from mnist_dash.runs.store import schema
from mnist_dash.runs.store.hosts import hosts
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.search.actions import steering
from mnist_dash.search.definition.study_files import parse_study
from mnist_dash.search.studies import study_store
from mnist_dash.search.studies.records import StudyState
from mnist_dash.settings import Settings
from tests import postgresql
from tests.faults.network import Network, network
from tests.faults.outcomes import assert_whole
from tests.waiting import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.slow
STUDY = """
name: rates
base: mlp_quick
set: {epochs: 8, split.fraction: 0.9, batch_size: 128, early_stopping: none}
space: {optimizer.learning_rate: [0.0003, 0.001, 0.003, 0.01]}
sampler: grid
parallelism: 2
"""
REFUSED = "is not held by attempt"
WORKER = ("-m", "mnist_dash", "worker", "--threads", "1")
STUDIES = ("-m", "mnist_dash", "study", "conduct")
DASHBOARD = (
    "-m",
    "streamlit",
    "run",
    "streamlit_app.py",
    "--server.headless",
    "true",
    "--server.address",
    "0.0.0.0",  # noqa: S104 - of a network of the test's own
)


@pytest.fixture
def lan() -> Iterator[Network]:
    """A host for the pages, and two that train."""
    with network("pages", "train-1", "train-2") as made:
        yield made


@pytest.fixture
def settings(lan: Network, tmp_path: Path) -> Iterator[Settings]:
    """Settings of this process, which is at the network by the bridge."""
    with postgresql.server(lan.address) as server:
        yield Settings.from_environment(_variables(tmp_path, "here", server.new_database()))


def _variables(folder: Path, host: str, url: str) -> dict[str, str]:
    """Give a host's settings: a home of its own, and what all share."""
    return {
        "MNIST_DASH_HOME": str(folder / host),
        "MNIST_DASH_ARTIFACT_DIR": str(folder / "artifacts"),
        "MNIST_DASH_DATABASE_URL": url,
        "MNIST_DASH_LEASE_SECONDS": "3",
        "MNIST_DASH_THREADS": "1",
        "MNIST_DASH_WORKERS": "0",
    }


def test_host_that_is_cut_off_loses_its_run_and_nothing_else(
    lan: Network, store: Store, tmp_path: Path
) -> None:
    """A study goes on over two hosts when one is gone for longer than its lease; what that one writes when it is back is refused."""
    pages, first, second = lan.hosts
    url = store.settings.database_url
    log = {host: tmp_path / f"{host.name}.log" for host in lan.hosts}
    for host, module in ((pages, STUDIES), (pages, DASHBOARD), (first, WORKER), (second, WORKER)):
        lan.start(host, _variables(tmp_path, host.name, url), log[host], *module)
    study = steering.create(store, parse_study(STUDY))
    wait_until(lambda: len(_holders(store)) == 2, "both hosts train")
    assert [(host.name, host.n_slots, host.n_running) for host in hosts(store.workers())] == [
        ("train-1", 1, 1),
        ("train-2", 1, 1),
    ]
    cut = _holders(store)[first.name]
    first.unplug()
    wait_until(lambda: store.run(cut).attempt == 2, "its run goes on elsewhere")
    assert _host_of(store, cut) == second.name
    first.plug()
    wait_until(lambda: REFUSED in log[first].read_text(), "its late writes are refused")
    wait_until(
        lambda: study_store.find(store, study).state is StudyState.FINISHED, "the study ends"
    )
    _assert_nothing_lost(store, study)
    assert _is_served(lan.address.rpartition(".")[0] + ".2")
    variables = _variables(tmp_path, pages.name, url)
    lan.start(pages, variables, tmp_path / "doctor.log", "-m", "mnist_dash", "doctor").wait(
        PATIENCE_SECONDS
    )
    assert "All is well." in (tmp_path / "doctor.log").read_text()


def _host_of(store: Store, run_id: str) -> str:
    """Name the host that has a run, or had it last."""
    return next(worker.host for worker in store.workers() if worker.id == store.run(run_id).worker)


def _holders(store: Store) -> dict[str, str]:
    """Give the runs in training that have finished an epoch, by the name of the host that holds each."""
    return {
        _host_of(store, run.id): run.id
        for run in store.runs(states=[RunState.RUNNING])
        if run.epoch > 0
    }


def _assert_nothing_lost(store: Store, study: str) -> None:
    """Assert four trials, one run each, and each run whole; the doctor's own checks are for the hosts."""
    with store.reading() as connection:
        ids = (
            connection.execute(
                sa.select(schema.trial_runs.c.run_id).where(schema.trial_runs.c.study_id == study)
            )
            .scalars()
            .all()
        )
    assert len(set(ids)) == len(ids) == 4
    assert {run.id for run in store.runs()} == set(ids)
    for run_id in ids:
        assert_whole(store, store.run(run_id))
    assert sum(store.run(run_id).attempt > 1 for run_id in ids) >= 1


def _is_served(address: str) -> bool:
    with urllib.request.urlopen(
        f"http://{address}:8501/_stcore/health", timeout=PATIENCE_SECONDS
    ) as answer:
        return bool(answer.status == 200)
