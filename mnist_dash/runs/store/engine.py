"""The durable queue, DBOS Transact behind a handful of verbs.

A job is one attempt of one run, named ``RUN.ATTEMPT``; exactly one job can claim that attempt in the run table, so a job that is executed
twice does its work once. Jobs live in the same database as the runs and are added in the same transaction. Nothing is pickled: arguments
are JSON. DBOS does not notice a dead worker; `mnist_dash.runs.execution.worker_records.WorkerRecords.sweep` does, and adds the next
attempt as a new job.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer

from mnist_dash.core.hardware.devices import DeviceKind
from mnist_dash.runs.store.database_errors import classify_error
from mnist_dash.runs.store.schema import with_timeouts

APPLICATION = "mnist-dash"
APPLICATION_VERSION = "1"
QUEUES: dict[DeviceKind, str] = {"cpu": "runs.cpu", "cuda": "runs.cuda"}
"""One queue a kind of device; a worker takes from its own device's alone. `mnist_dash.runs.store.routing` chooses."""
WORKFLOW = "execute_run"
POLL_SECONDS = 0.1
"""How often an idle worker looks for work; the larger part of what passes between submitting and starting."""


class _WithoutOutages(logging.Filter):
    """Leaves out what the queue's own threads say, with a traceback each time, while the database does not answer: the worker says it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record is written."""
        text = record.getMessage()
        return not any(sign in text for sign in ("OperationalError", "Notification listener error"))


logging.getLogger("dbos").addFilter(_WithoutOutages())


@dataclass(frozen=True)
class Job:
    """One attempt of one run."""

    run_id: str
    attempt: int

    @property
    def name(self) -> str:
        """Name of the job in the queue."""
        return f"{self.run_id}.{self.attempt}"

    @classmethod
    def parse(cls, name: str) -> Job:
        """Read a job's name back."""
        run_id, attempt = name.rsplit(".", 1)
        return cls(run_id, int(attempt))


class JobQueue:
    """The queue from outside: add, cancel, and hand on what a dead worker had taken but not begun.

    Safe to use from several threads.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        logging.getLogger("dbos").setLevel(logging.WARNING)
        DBOS.migrate(url)
        self._client = DBOSClient(
            system_database_url=with_timeouts(url),
            serializer=DBOSPortableJSONSerializer(),
            application_name=APPLICATION,
        )

    def add(self, connection: sa.Connection, job: Job, device: DeviceKind) -> None:
        """Add a job for workers of a kind of device, within the caller's transaction."""
        self._client.enqueue_in_transaction(
            connection,
            {
                "workflow_name": WORKFLOW,
                "queue_name": QUEUES[device],
                "workflow_id": job.name,
                "app_version": APPLICATION_VERSION,
                "application_name": APPLICATION,
            },
            job.run_id,
            job.attempt,
        )

    def cancel(self, job: Job) -> None:
        """Withdraw a job; one that has ended stays as it is."""
        with classify_error(self._url):
            self._client.cancel_workflow(job.name)

    def claimed(self) -> list[tuple[Job, str]]:
        """List the jobs that a worker has taken and not ended, each with that worker's id, whether or not it still lives."""
        queues = list(QUEUES.values())
        with classify_error(self._url):
            found = self._client.list_workflows(
                status="PENDING", queue_name=queues, load_input=False, load_output=False
            )
        return [(Job.parse(status.workflow_id), status.executor_id or "") for status in found]

    def waiting(self, device: DeviceKind | None = None) -> list[Job]:
        """List the jobs that no worker has taken yet, of one kind of device or of all."""
        queues = [QUEUES[device]] if device else list(QUEUES.values())
        with classify_error(self._url):
            found = self._client.list_workflows(
                status="ENQUEUED", queue_name=queues, load_input=False, load_output=False
            )
        return [Job.parse(status.workflow_id) for status in found]

    def requeue(self, job: Job) -> None:
        """Offer a job that was taken and never begun to the workers again."""
        with classify_error(self._url):
            (status,) = self._client.list_workflows(
                workflow_ids=[job.name], load_input=False, load_output=False
            )
            self._client.resume_workflow(job.name, queue_name=status.queue_name)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.destroy()


class JobConsumer:
    """A device's queue from inside a worker process: one job at a time. DBOS allows one consumer in a process."""

    def __init__(
        self, url: str, worker_id: str, device: DeviceKind, execute: Callable[[Job], None]
    ) -> None:
        self._url = url
        self._config: DBOSConfig = {
            "name": APPLICATION,
            "system_database_url": with_timeouts(url),
            "application_version": APPLICATION_VERSION,
            "executor_id": worker_id,
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "WARNING",
        }
        self._queue = QUEUES[device]

        @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=1000)
        def execute_run(run_id: str, attempt: int) -> None:
            execute(Job(run_id, attempt))

    def start(self) -> None:
        """Begin to take jobs.

        Raises:
            StoreError: the database does not answer; nothing was begun, and it may be tried again.
        """
        with classify_error(self._url):
            DBOS(config=self._config)
            try:
                DBOS.listen_queues([self._queue])
                DBOS.launch()
                DBOS.register_queue(
                    self._queue, worker_concurrency=1, polling_interval_sec=POLL_SECONDS
                )
            except Exception:
                DBOS.destroy(workflow_completion_timeout_sec=0)
                raise

    def stop(self) -> None:
        """Take no more jobs; a job in hand is left to its thread."""
        DBOS.destroy(workflow_completion_timeout_sec=0)
