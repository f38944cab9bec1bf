"""A worker: takes jobs from the queue, has them trained by its trainer, records what it reports.

The process is a loop on its main thread (signs of life, sweeping up after dead workers, ending) and a thread of the queue's in which one
job at a time is executed. A job of a race takes the race's waiting runs along, each with a thread and a trainer of its own. What it writes
goes through `WorkerRecords`, at most twice a second and run.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from mnist_dash import logs
from mnist_dash.core.hardware.devices import VISIBLE_GPUS, DeviceKind, n_cuda_devices
from mnist_dash.core.hardware.threads import worthwhile_threads
from mnist_dash.errors import Fenced
from mnist_dash.runs.access.permission import thin_audit
from mnist_dash.runs.execution.attempt import RENEW_SECONDS, Attempt
from mnist_dash.runs.execution.lost_jobs import lost_jobs
from mnist_dash.runs.execution.processes import machine_id, own_mark
from mnist_dash.runs.execution.race import Cohort, race_of, waiting_rivals
from mnist_dash.runs.execution.trainer import (
    Trainer,
    Training,
    train_task,
)
from mnist_dash.runs.execution.turns import Turns
from mnist_dash.runs.execution.worker_records import WorkerIdentity, WorkerRecords
from mnist_dash.runs.store.artifact_policy import empty_bin, thin_checkpoints
from mnist_dash.runs.store.engine import Job, JobConsumer
from mnist_dash.runs.store.patience import (
    LONGEST_PAUSE_SECONDS,
    TRANSIENT,
    GaveUp,
    Outage,
    patiently,
)
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.settings import Settings

Result = TypeVar("Result")
BEAT_SECONDS = 1.0
END_SECONDS = 2 * BEAT_SECONDS + RENEW_SECONDS
"""How long a worker that ends waits for its run to be given back."""
EMPTY_BIN_SECONDS = 600.0
BENCHMARK_IDLE_SECONDS = 2.0
"""How long a worker that began with a run to do must have been idle before it times its device."""
OFFER_LOST_SECONDS = 5.0
"""Between two looks for queued runs that have no job."""
log = logging.getLogger("mnist_dash.worker")


class Worker:
    """One device slot at work; `run` returns when the worker was asked to end."""

    def __init__(
        self,
        settings: Settings,
        *,
        device: DeviceKind,
        n_threads: int,
        training: Training = train_task,
    ) -> None:
        host, (pid, process_began) = socket.gethostname(), own_mark()
        identity = WorkerIdentity(
            id=f"{host}-{pid}-{secrets.token_hex(3)}",
            host=host,
            machine=machine_id(),
            pid=pid,
            device=device,
            n_threads=n_threads,
            process_began=process_began,
        )
        self._settings = settings
        self._identity = identity
        self._trainer = Trainer(training, keep_warm=device == "cuda")
        self._trainer.begin_warm_up()  # beside the opening of the store, which takes as long on a machine that is busy
        self._store = patiently(lambda: Store.open(settings), log=log)
        self._records = WorkerRecords(self._store, identity)
        self._outage = Outage(log)
        self._beaten_at = self._watches_since = self._offer_lost_at = _awake()
        self._training = training
        self._turns = Turns(n_threads)
        self._ending = threading.Event()
        self._in_hand: Job | None = None
        self._ends_at = math.inf
        self._is_benchmarked = False
        self._idle_since: float | None = time.monotonic()
        self._empty_bin_at = time.monotonic() + EMPTY_BIN_SECONDS

    def run(
        self, *, exit_when_idle_seconds: float | None = None, ends_at: float = math.inf
    ) -> None:
        """Work until SIGTERM or SIGINT, until there was nothing to do for a while, or until a moment of `time.monotonic`."""
        self._ends_at = ends_at - END_SECONDS
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: self._ending.set())
        self._trainer.warm_up()
        with contextlib.suppress(GaveUp):
            # Whoever waits for the first run does not wait for this as well.
            if self._nothing_waits():
                self._benchmark_once()
            self._wait(self._records.sign_on)
        self._idle_since = time.monotonic()  # warming up and the benchmark were no idling
        consumer = JobConsumer(
            self._settings.database_url, self._identity.id, self._identity.device, self._execute
        )
        with contextlib.suppress(GaveUp):
            self._wait(consumer.start)
        log.info(
            "Worker %s takes runs on %s with %d threads.",
            self._identity.id,
            self._identity.device,
            self._identity.n_threads,
        )
        while not self._ending.wait(BEAT_SECONDS):
            self._beat()
            if time.monotonic() > self._ends_at:
                self._ending.set()
            if not self._is_benchmarked and self._idle_seconds() > BENCHMARK_IDLE_SECONDS:
                with contextlib.suppress(GaveUp):
                    self._benchmark_once()
            if (
                exit_when_idle_seconds is not None
                and self._idle_seconds() > exit_when_idle_seconds
                and self._nothing_waits()
            ):
                self._ending.set()
        self._end()

    def _benchmark_once(self) -> None:
        """Time the device, unless that was done on this machine before."""
        if not self._is_benchmarked and not self._wait(self._records.is_benchmarked):
            rates = self._trainer.benchmark(self._identity.device, self._identity.n_threads)
            self._wait(lambda: self._records.record_benchmark(rates))
        self._is_benchmarked = True

    def _idle_seconds(self) -> float:
        since = self._idle_since
        return 0.0 if since is None else time.monotonic() - since

    def _nothing_waits(self) -> bool:
        with contextlib.suppress(*TRANSIENT):
            return not self._store.queue_client.waiting(self._identity.device) and not lost_jobs(
                self._store
            )
        return False

    def _wait(self, action: Callable[[], Result]) -> Result:
        """Do something with the database, again while it does not answer, unless the worker was asked to end."""
        return patiently(action, log=log, is_over=self._ending.is_set, sleep=self._ending.wait)

    def _beat(self) -> None:
        """Say that the worker lives, and see to the runs of those that do not."""
        if not self._outage.is_due:
            return
        try:
            self._records.heartbeat()
            lease, moment = self._settings.lease_seconds, _awake()
            if moment - self._beaten_at > lease / 2:
                self._watches_since = moment  # the database was away, or this machine asleep: others must have time for their next try
            self._beaten_at = moment
            self._records.sweep(
                judge_silence=moment - self._watches_since > lease + LONGEST_PAUSE_SECONDS
            )
            if moment > self._offer_lost_at:
                self._records.offer_lost()
                self._offer_lost_at = moment + OFFER_LOST_SECONDS
            if self._idle_since is not None and time.monotonic() > self._empty_bin_at:
                empty_bin(self._store)
                thin_checkpoints(self._store)
                thin_audit(self._store)
                self._empty_bin_at = time.monotonic() + EMPTY_BIN_SECONDS
        except TRANSIENT as error:
            self._outage.failed(error)
        else:
            self._outage.ended()

    def _end(self) -> None:
        """Give the run in hand back to the queue, sign off and leave without waiting for the queue's threads."""
        deadline = time.monotonic() + END_SECONDS
        while self._idle_since is None and time.monotonic() < deadline:
            time.sleep(0.02)
        self._trainer.kill()
        with contextlib.suppress(*TRANSIENT):
            self._records.sign_off()
            self._store.close()
        os._exit(0)

    def _execute(self, job: Job) -> None:
        """Execute a job; called on a thread of the queue's."""
        if self._ending.is_set():
            self._ending.wait()
            # Never says that the job is done: the process ends first and the job is handed on.
            time.sleep(60)
        if job == self._in_hand:
            return  # it was offered again just when it was begun
        self._in_hand = job
        try:
            self._claim_and_attempt(job)
        finally:
            self._in_hand = None

    def _claim_and_attempt(self, job: Job) -> None:
        # The worker ends; whoever takes the run over goes on from what is recorded.
        with contextlib.suppress(GaveUp):
            run = self._wait(lambda: self._records.claim(job))
            if run is not None:
                self._idle_since = None
                try:
                    self._train(run)
                finally:
                    self._idle_since = time.monotonic()
                self._wait(self._records.mark_idle)

    def _train(self, run: Run) -> None:
        """Train a run; where it is one of a race, with those of its rivals that wait too."""
        race = self._wait(lambda: race_of(self._store, run.id))
        if race is None:
            self._attempt(run, self._trainer)
        else:
            cohort = Cohort(
                partial(self._next_rival, race), self._race, is_ending=self._ending.is_set
            )
            cohort.go(run)

    def _next_rival(self, race: str) -> Run | None:
        """Take a run of a race that waits; None where there is none."""
        for job in self._wait(lambda: waiting_rivals(self._store, race)):
            run = self._wait(partial(self._records.claim, job))
            if run is not None:
                with contextlib.suppress(*TRANSIENT):  # it would be found void
                    self._store.queue_client.cancel(job)
                return run
        return None

    def _race(self, run: Run) -> None:
        """Train a run of a race in a trainer of its own, in turns with its rivals."""
        trainer, most = Trainer(self._training), self._identity.n_threads
        n_threads = worthwhile_threads(run.config, most) if self._identity.device == "cpu" else most
        with contextlib.suppress(GaveUp), self._turns.taken_by(trainer, n_threads):
            self._attempt(run, trainer)

    def _attempt(self, run: Run, trainer: Trainer) -> None:
        with logs.about(run=run.id, attempt=run.attempt):
            self._execute_attempt(run, trainer)

    def _execute_attempt(self, run: Run, trainer: Trainer) -> None:
        """Execute one attempt of a run. Whatever happens, the trainer is free afterwards and the run is not left to nobody."""
        log.info("Run %s, attempt %d.", run.id, run.attempt)
        attempt = Attempt(
            run,
            store=self._store,
            records=self._records,
            trainer=trainer,
            n_threads=self._identity.n_threads,
            is_ending=self._ending.is_set,
            ends_at=self._ends_at,
        )
        try:
            attempt.go()
            if attempt.is_out_of_time:
                self._ending.set()
        except Fenced as error:
            log.warning("%s", error)
            trainer.kill()
        except GaveUp:
            trainer.kill()
            raise
        except Exception as error:
            log.exception("Run %s, attempt %d, broke.", run.id, run.attempt)
            trainer.kill()
            reason = f"its worker met an error ({type(error).__name__}: {error})"
            self._wait(lambda: self._records.release(run.id, run.attempt, reason=reason))


def _awake() -> float:
    """Read a clock that nobody sets and that counts the time in which the machine was asleep, in seconds."""
    return (
        time.clock_gettime(time.CLOCK_BOOTTIME)
        if hasattr(time, "CLOCK_BOOTTIME")
        else time.monotonic()
    )


def main(
    settings: Settings,
    *,
    exit_when_idle_seconds: float | None = None,
    for_seconds: float = math.inf,
    device: DeviceKind | None = None,
    n_threads: int | None = None,
) -> None:
    """Run a worker in this process until it is asked to end, or its time is up."""
    ends_at = time.monotonic() + for_seconds
    logs.set_up(settings)
    where: DeviceKind = device or ("cuda" if n_cuda_devices() else "cpu")
    if where == "cpu":
        os.environ[VISIBLE_GPUS] = ""  # its trainers use none, whatever a configuration leaves open
    worker = Worker(settings, device=where, n_threads=n_threads or settings.n_threads)
    worker.run(exit_when_idle_seconds=exit_when_idle_seconds, ends_at=ends_at)
