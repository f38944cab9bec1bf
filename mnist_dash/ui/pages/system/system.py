"""System: workers, queue, storage, versions."""

import importlib.metadata
import platform

import pandas as pd
import streamlit as st

from mnist_dash import formatting
from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.hosts import NOBODY, Host, blocked, hosts
from mnist_dash.runs.store.records import Run, Worker
from mnist_dash.text import plural
from mnist_dash.ui.app.moving import moving
from mnist_dash.ui.app.navigation import run_link
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.app.visitor import may_edit
from mnist_dash.ui.components.export import import_section
from mnist_dash.ui.components.run_look import title_of
from mnist_dash.ui.pages.system.identities import people_section
from mnist_dash.ui.pages.system.retention import retention_section

TICK_SECONDS = 2.0
PACKAGES = (
    "streamlit",
    "torch",
    "torchvision",
    "plotly",
    "dbos",
    "sqlalchemy",
    "numpy",
    "scikit-learn",
)
MAX_SHOWN = 20
"""Workers and queued runs that are drawn one by one."""
WORKER_COLORS = {"running": "blue", "idle": "green"}


def workers_section(workers: tuple[Worker, ...]) -> None:
    """Draw one row a worker; those that are gone are only counted."""
    st.subheader("Workers")
    alive = [worker for worker in workers if worker.state != "gone"]
    if not alive:
        st.info(
            "No worker is running, so runs wait in the queue. Start one with `mnist-dash worker`.",
            icon=":material/info:",
        )
    if len(alive) > 1:
        hosts_table(hosts(alive))
    for worker in alive[:MAX_SHOWN]:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            threads = f", {plural(worker.n_threads, 'thread')}" if worker.device == "cpu" else ""
            st.markdown(
                f"**{worker.device.upper()}**{threads} :{WORKER_COLORS[worker.state]}-badge[{worker.state}]",
                width="content",
            )
            st.markdown(
                f":gray[{worker.host}, process {worker.pid}, started {formatting.ago(worker.started_at)}]",
                width="stretch",
            )
            if worker.run_id:
                run_link(worker.run_id, f"Training {title_of(worker.run_id)}")
    if len(alive) > MAX_SHOWN:
        st.caption(f"and {plural(len(alive) - MAX_SHOWN, 'more worker')}")
    n_gone = len(workers) - len(alive)
    if n_gone:
        st.caption(f"{plural(n_gone, 'worker')} ended in the last hour.")


def hosts_table(found: list[Host]) -> None:
    """Draw one row a host and kind of device."""
    rows = [
        (
            one.name,
            one.device.upper(),
            one.n_slots,
            one.n_threads,
            one.n_running,
            one.n_slots - one.n_running,
        )
        for one in found
    ]
    columns = ["Host", "Device", "Slots", "Threads", "Training", "Idle"]
    st.dataframe(pd.DataFrame(rows, columns=columns), hide_index=True, alt="Slots of each host")


def queue_section(queue: tuple[Run, ...], out_of_reach: dict[str, str]) -> None:
    """Draw the queue in the order in which it will be worked off, and say which runs no living worker can take."""
    st.subheader("Queue")
    if not queue:
        st.caption("The queue is empty.")
        return
    for place, run in enumerate(queue[:MAX_SHOWN], start=1):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f"{place}. {plural(run.config.epochs, 'epoch')}, submitted {formatting.ago(run.created_at)}",
                width="stretch",
            )
            run_link(run.id, formatting.plain(run.title))
        if run.id in out_of_reach and out_of_reach[run.id] != NOBODY:  # that is said above
            st.caption(f":material/hourglass_top: {out_of_reach[run.id]}")
    if len(queue) > MAX_SHOWN:
        st.caption(f"and {plural(len(queue) - MAX_SHOWN, 'more run')}")


def storage_section() -> None:
    """Draw what the store takes and where it lies."""
    st.subheader("Storage")
    use, settings = artifacts.storage(store()), store().settings
    figures = (
        ("Runs", f"{store().count():,}", f"{store().count(deleted=True):,} more deleted"),
        ("Artifacts", formatting.size(use.bytes_artifacts), plural(use.n_files, "file")),
        (
            "Database",
            formatting.size(use.bytes_database),
            "SQLite" if settings.is_sqlite else "PostgreSQL server",
        ),
        (
            "Free",
            "no limit" if use.bytes_free is None else formatting.size(use.bytes_free),
            "where the artifacts lie",
        ),
    )
    with st.grid(4, min_column_width=150):
        for label, value, note in figures:
            st.metric(label, value, note, delta_color="off", delta_arrow="off", border=True)
    st.table(
        {
            "Data folder": f"`{settings.home}`",
            "Data sets": f"`{settings.data_dir}`",
            "Artifacts": f"`{settings.artifact_dir}`",
        },
        border="horizontal",
        alt="Folders",
    )


def versions_section() -> None:
    """Draw what is installed."""
    st.subheader("Versions")
    rows = [("Python", platform.python_version()), *((name, installed(name)) for name in PACKAGES)]
    st.dataframe(
        pd.DataFrame(rows, columns=["Package", "Version"]),
        hide_index=True,
        width="content",
        alt="Installed versions",
    )


def installed(package: str) -> str:
    """Name a package's version without importing it."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def moving_section() -> None:
    """Draw what changes by itself."""
    workers = store().workers()
    workers_section(workers)
    queue_section(store().queue(), blocked(store(), workers))


st.title("System")
st.caption(
    "`mnist-dash doctor` checks data, database, artifacts and workers, and says how to solve problems."
)
moving(moving_section, every=TICK_SECONDS)()
people_section()
storage_section()
retention_section()
if may_edit():
    import_section()
versions_section()
