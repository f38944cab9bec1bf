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
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from mnist_dash import logs
from mnist_dash.core.config.run_config import canonical_json
from mnist_dash.core.hardware.devices import VISIBLE_GPUS, DeviceKind, n_cuda_devices
from mnist_dash.core.hardware.threads import worthwhile_threads
from mnist_dash.core.training.reports import (
    Checkpoint,
    Ending,
    EpochReport,
    StepReport,
    TrainingResult,
)
from mnist_dash.errors import ArtifactError, Fenced, MnistDashError, StorageUnavailable
from mnist_dash.runs.access.permission import thin_audit
from mnist_dash.runs.execution.lost_jobs import lost_jobs
from mnist_dash.runs.execution.processes import machine_id, own_mark
from mnist_dash.runs.execution.race import Cohort, race_of, waiting_rivals
from mnist_dash.runs.execution.trainer import (
    Broken,
    Message,
    Task,
    Trainer,
    TrainerDied,
    Training,
    train_task,
)
from mnist_dash.runs.execution.turns import Turns
from mnist_dash.runs.execution.worker_records import Outcome, Wish, WorkerIdentity, WorkerRecords
from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.artifact_policy import empty_bin, thin_checkpoints
from mnist_dash.runs.store.artifacts import ArtifactKind, StoredFile
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
from mnist_dash.runs.store.states import RunState
from mnist_dash.settings import Settings

Result = TypeVar("Result")
RENEW_SECONDS = 0.4
"""Between two writes of the steps of an epoch in hand, each of which renews the lease."""
BEAT_SECONDS = 1.0
END_SECONDS = 2 * BEAT_SECONDS + RENEW_SECONDS
"""How long a worker that ends waits for its run to be given back."""
LOOK_SECONDS = 0.05
"""How long the worker waits for its trainer's next message."""
OBEDIENCE_SECONDS = 2.0
"""How long a trainer may take to obey a stop before it is killed."""
FINAL_SECONDS = 1800.0
"""How long a trainer that has obeyed may take to compute the final figures; the lease is renewed meanwhile."""
MOST_WAITING_BYTES = 256 * 2**20
"""Memory for finished epochs that wait to be recorded; beyond it the training waits as well."""
EPOCH_MARGIN = 1.2
"""How much longer than the last epoch the next one may take, with its checkpoint, for a worker whose time is limited."""
EMPTY_BIN_SECONDS = 600.0
BENCHMARK_IDLE_SECONDS = 2.0
"""How long a worker that began with a run to do must have been idle before it times its device."""
OFFER_LOST_SECONDS = 5.0
"""Between two looks for queued runs that have no job."""
log = logging.getLogger("mnist_dash.worker")

_STATES = {
    Ending.FINISHED: RunState.FINISHED,
    Ending.STOPPED: RunState.STOPPED,
    Ending.DIVERGED: RunState.DIVERGED,
}


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
            if (
                self._nothing_waits()
            ):  # whoever waits for the first run does not wait for this as well
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
            time.sleep(
                60
            )  # never says that the job is done: the process ends first and the job is handed on
        if job == self._in_hand:
            return  # it was offered again just when it was begun
        self._in_hand = job
        try:
            self._claim_and_attempt(job)
        finally:
            self._in_hand = None

    def _claim_and_attempt(self, job: Job) -> None:
        with contextlib.suppress(
            GaveUp
        ):  # the worker ends; whoever takes the run over goes on from what is recorded
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
        execution = _Execution(
            run,
            store=self._store,
            records=self._records,
            trainer=trainer,
            n_threads=self._identity.n_threads,
            is_ending=self._ending.is_set,
            ends_at=self._ends_at,
        )
        try:
            execution.go()
            if execution.is_out_of_time:
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


@dataclass
class _FinishedEpoch:
    """An epoch that the trainer has finished and the store does not have yet."""

    steps: list[StepReport]
    epoch: EpochReport
    checkpoint: Checkpoint
    files: list[StoredFile] = field(default_factory=list)
    """Its checkpoint, and its probabilities where they are kept, once they lie on the disk."""

    @property
    def n_bytes(self) -> int:
        """Memory that it takes, about."""
        kept = self.checkpoint.test_probabilities
        return len(self.checkpoint.payload) + (0 if kept is None else kept.nbytes)


class _Execution:
    """One attempt of one run, from its task to its outcome.

    What the trainer reports waits here until database and disk take it; the training goes on meanwhile, up to `MOST_WAITING_BYTES`.
    """

    def __init__(
        self,
        run: Run,
        *,
        store: Store,
        records: WorkerRecords,
        trainer: Trainer,
        n_threads: int,
        is_ending: Callable[[], bool],
        ends_at: float = math.inf,
    ) -> None:
        self._run, self._store, self._records, self._trainer = run, store, records, trainer
        self._settings = store.settings
        self._n_threads = n_threads
        self._is_ending = is_ending
        self._ends_at = ends_at
        """By `time.monotonic`: no epoch is begun that would not end before."""
        self.is_out_of_time = False
        self._steps: list[StepReport] = []
        self._epoch: EpochReport | None = None
        self._waiting: deque[_FinishedEpoch] = deque()
        self._database, self._disk = Outage(log), Outage(log)
        self._trouble = ""
        """What the run waits for, as its page says it."""
        self._renewed_at = time.monotonic()
        self._has_moved = False
        """Whether a step has been recorded: the first one is at once, for whoever watches."""
        self._stop_asked = False
        self._wish = Wish.NONE
        """What is to be done at the end of an epoch; a stop waits for none."""

    def go(self) -> None:
        """Train to the end, or to where it is paused or has to be given back.

        Raises:
            Fenced: another attempt has the run.
            GaveUp: the worker ends while a database or a disk does not answer; whoever takes the run over goes on from what is recorded.
        """
        try:
            result = self._train()
        except TrainerDied as error:
            self._settle()
            self._hold(
                partial(self._records.release, self._run.id, self._run.attempt, reason=str(error))
            )
            return
        if self._wish is Wish.PAUSE:
            self._hold(lambda: self._records.pause(self._run))
        elif result is None and not self._stop_asked:
            reason = (
                "its worker's time was up" if self.is_out_of_time else "its worker was shut down"
            )
            self._hold(
                partial(
                    self._records.release,
                    self._run.id,
                    self._run.attempt,
                    reason=reason,
                    count=False,
                )
            )
        else:
            self._settle()
            self._finish(result)
        self._trainer.done()

    def _train(self) -> TrainingResult | Broken | None:
        """Train to the end, or to where the trainer was killed; changed settings hold from the checkpoint on."""
        while True:
            self._trainer.start(self._task())
            result = self._follow()
            if self._wish is not Wish.CHANGE:
                return result
            self._run, self._wish = self._hold(lambda: self._records.change(self._run)), Wish.NONE
            self._steps, self._epoch = (
                [],
                None,
            )  # of the epoch that had begun with the former settings

    def _task(self) -> Task:
        """Say what to train, from the newest checkpoint that can be read; without any, from the start, which gives the same figures."""
        resume = None
        while self._run.epoch and resume is None:
            try:
                resume = self._hold(
                    lambda: artifacts.read(self._store, self._run.id, ArtifactKind.CHECKPOINT)
                )
            except ArtifactError as error:
                log.warning("%s", error)
                self._run = self._hold(partial(self._go_back, str(error)))
        return Task(
            canonical_json(self._run.config), self._settings.data_dir, self._n_threads, resume
        )

    def _go_back(self, reason: str) -> Run:
        """Go back to the last earlier epoch whose checkpoint can be read, or to the start."""
        for epoch in self._records.checkpoint_epochs(self._run):
            try:
                artifacts.read(self._store, self._run.id, ArtifactKind.EPOCH_CHECKPOINT, str(epoch))
            except ArtifactError as error:
                log.warning("%s", error)
                continue
            return self._records.rewind(self._run, epoch, reason)
        return self._records.rewind(self._run, 0, reason)

    def _follow(self) -> TrainingResult | Broken | None:
        """Take messages until the result comes; None where the trainer was killed."""
        deadline = math.inf  # of a stop that was asked for
        while True:
            message = self._receive()
            if isinstance(message, TrainingResult | Broken):
                return message
            if isinstance(message, Ending):
                deadline = time.monotonic() + FINAL_SECONDS
            elif message is not None:
                self._take(message)
            self._record()
            if (
                self._wish is not Wish.NONE
                or self.is_out_of_time
                or self._is_ending()
                or time.monotonic() > deadline
            ):
                self._trainer.kill()
                return None
            if self._stop_asked and deadline == math.inf:
                self._trainer.ask_to_stop()
                deadline = time.monotonic() + OBEDIENCE_SECONDS

    def _receive(self) -> Message | None:
        """Wait a moment for a message; where too much waits to be recorded, it stays with the trainer, which pauses in turn."""
        if sum(one.n_bytes for one in self._waiting) > MOST_WAITING_BYTES:
            time.sleep(LOOK_SECONDS)
            return None
        return self._trainer.receive(LOOK_SECONDS)

    def _take(self, message: Message) -> None:
        match message:
            case StepReport():
                self._steps.append(message)
            case EpochReport():
                self._epoch = message
            case Checkpoint():
                assert self._epoch is not None
                assert self._epoch.epoch == message.epoch
                self._waiting.append(_FinishedEpoch(self._steps, self._epoch, message))
                self._steps, self._epoch = [], None
            case _:
                raise TypeError(f"The trainer sent a {type(message).__name__} instead of a report.")

    def _record(self) -> None:
        """Record what has come in as far as disk and database take it, and renew the lease."""
        if self._waiting and self._disk.is_due:
            try:
                for one in self._waiting:
                    self._write_files(one)
            except StorageUnavailable as error:
                self._disk.failed(error)
                self._trouble = str(error)
            else:
                self._disk.ended()
                self._trouble = ""
        if not self._database.is_due:
            return
        try:
            while self._waiting and self._waiting[0].files:
                self._record_epoch(self._waiting[0])
                self._waiting.popleft()
            if time.monotonic() - self._renewed_at > RENEW_SECONDS or (
                self._steps and not self._has_moved
            ):
                self._renew()
        except TRANSIENT as error:
            self._database.failed(error)
        else:
            self._database.ended()

    def _write_files(self, one: _FinishedEpoch) -> None:
        if one.files:
            return
        files = [
            artifacts.write(
                self._settings, self._run.id, ArtifactKind.CHECKPOINT, one.checkpoint.payload
            )
        ]
        if one.checkpoint.test_probabilities is not None:
            packed = artifacts.pack_probabilities(one.checkpoint.test_probabilities)
            try:
                files.append(
                    artifacts.write(
                        self._settings, self._run.id, ArtifactKind.EPOCH_PROBABILITIES, packed
                    )
                )
            except StorageUnavailable:
                artifacts.discard(self._settings, files[0].path)
                raise
        one.files = files

    def _record_epoch(self, one: _FinishedEpoch) -> None:
        try:
            wish = self._records.record_epoch(self._run, one.steps, one.epoch, *one.files)
        except Fenced:
            for file in one.files:
                artifacts.discard(self._settings, file.path)
            raise
        self._stop_asked |= wish is Wish.STOP
        if one.epoch.epoch < self._run.config.epochs and len(self._waiting) == 1:
            if wish in (Wish.PAUSE, Wish.CHANGE):
                self._wish = wish
            seconds = EPOCH_MARGIN * (one.epoch.seconds_training + one.epoch.seconds_evaluation)
            self.is_out_of_time = (
                not self._stop_asked and time.monotonic() + seconds > self._ends_at
            )
        self._renewed_at = time.monotonic()

    def _renew(self) -> None:
        """Record the steps of the epoch in hand and renew the lease."""
        steps = [] if self._waiting else self._steps
        self._stop_asked |= self._records.renew(self._run, steps, reason=self._trouble)
        if steps:
            self._steps, self._has_moved = [], True
        self._renewed_at = time.monotonic()

    def _settle(self) -> None:
        """Wait until every finished epoch is recorded."""
        while True:
            self._record()
            if not self._waiting:
                return
            if self._is_ending():
                raise GaveUp
            time.sleep(LOOK_SECONDS)

    def _hold(self, action: Callable[[], Result]) -> Result:
        """Do something with the database or the disk, again while it does not answer, and keep the run meanwhile."""
        result = patiently(
            action, log=log, is_over=self._is_ending, sleep=self._sleep, tell=self._note
        )
        self._trouble = ""
        return result

    def _note(self, error: MnistDashError) -> None:
        """Have the run's page say what it waits for."""
        self._trouble = str(error)

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self._is_ending():
            if time.monotonic() - self._renewed_at > RENEW_SECONDS and self._database.is_due:
                try:
                    self._renew()
                except TRANSIENT as error:
                    self._database.failed(error)
            time.sleep(LOOK_SECONDS)

    def _finish(self, result: TrainingResult | Broken | None) -> None:
        files: dict[ArtifactKind, StoredFile] = {}
        if result is None:
            reason = "Stopped; the trainer did not obey in time, so it was not evaluated."
            outcome = Outcome(RunState.STOPPED, reason=reason)
        elif isinstance(result, Broken):
            outcome = Outcome(RunState.FAILED, reason=result.reason)
        else:
            outcome = Outcome(
                state=_STATES[result.ending],
                reason=result.reason,
                seconds_training=result.seconds_training,
                seconds_evaluation=result.seconds_evaluation,
                device=result.device,
                precision=result.precision,
                n_threads=result.n_threads,
                best_epoch=result.best_epoch or None,
                test_loss=result.test_loss,
                test_accuracy=result.test_accuracy,
                n_test=None
                if result.test_probabilities is None
                else len(result.test_probabilities),
                seconds_per_image_test=result.seconds_per_image_test,
            )
            files = self._files(result)
        self._hold(lambda: self._records.finish(self._run, outcome, steps=self._steps, files=files))

    def _files(self, result: TrainingResult) -> dict[ArtifactKind, StoredFile]:
        contents = {ArtifactKind.WEIGHTS: result.weights} if result.weights else {}
        if result.test_probabilities is not None:
            contents[ArtifactKind.TEST_PROBABILITIES] = artifacts.pack_probabilities(
                result.test_probabilities
            )
        if result.validation_probabilities is not None:
            contents[ArtifactKind.VALIDATION_PROBABILITIES] = artifacts.pack_probabilities(
                result.validation_probabilities
            )
        return {
            kind: self._hold(partial(artifacts.write, self._settings, self._run.id, kind, content))
            for kind, content in contents.items()
        }


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
