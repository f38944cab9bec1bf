"""A worker: takes jobs from the queue, has them trained by its trainer, records what it reports.

The process is a loop on its main thread (signs of life, sweeping up after dead workers, ending) and a thread of the queue's in which one
job at a time is executed. What it writes goes through `WorkerRecords`, at most twice a second.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from mnist_dash.core.config.run_config import canonical_json
from mnist_dash.core.hardware.devices import VISIBLE_GPUS, DeviceKind, n_cuda_devices
from mnist_dash.core.training.reports import Checkpoint, Ending, EpochReport, StepReport, TrainingResult
from mnist_dash.errors import ArtifactError, Fenced, MnistDashError, StoreLocked
from mnist_dash.runs.execution.trainer import Broken, Message, Task, Trainer, TrainerDied, Training, train_task, wait_or_kill
from mnist_dash.runs.execution.worker_records import Outcome, Wish, WorkerIdentity, WorkerRecords
from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.artifact_policy import empty_bin, thin_checkpoints
from mnist_dash.runs.store.artifacts import ArtifactKind, StoredFile
from mnist_dash.runs.store.database_errors import classify_error
from mnist_dash.runs.store.engine import Job, JobConsumer
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.settings import Settings

FLUSH_SECONDS = 0.4
BEAT_SECONDS = 1.0
EMPTY_BIN_SECONDS = 600.0
log = logging.getLogger("mnist_dash.worker")

_STATES = {Ending.FINISHED: RunState.FINISHED, Ending.STOPPED: RunState.STOPPED, Ending.DIVERGED: RunState.DIVERGED}


def machine_id() -> str:
    """Name the space in which process ids mean something: this boot of this machine, and this container of it."""
    boot, space = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    if not boot.exists():
        return socket.gethostname()
    return hashlib.sha256(f"{boot.read_text()}{space.stat().st_ino}".encode()).hexdigest()[:16]


class Worker:
    """One device slot at work; `run` returns when the worker was asked to end."""

    def __init__(self, settings: Settings, *, device: DeviceKind, n_threads: int, training: Training = train_task) -> None:
        host = socket.gethostname()
        identity = WorkerIdentity(
            id=f"{host}-{os.getpid()}-{secrets.token_hex(3)}",
            host=host,
            machine=machine_id(),
            pid=os.getpid(),
            device=device,
            n_threads=n_threads,
        )
        self._settings = settings
        self._identity = identity
        self._store = Store.open(settings)
        self._records = WorkerRecords(self._store, identity)
        self._trainer = Trainer(training, keep_warm=device == "cuda")
        self._ending = threading.Event()
        self._idle_since: float | None = time.monotonic()
        self._empty_bin_at = time.monotonic() + EMPTY_BIN_SECONDS

    def run(self, *, exit_when_idle_seconds: float | None = None) -> None:
        """Work until SIGTERM or SIGINT, or until there was nothing to do for a while."""
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: self._ending.set())
        self._trainer.warm_up()
        if not self._records.is_benchmarked():
            self._records.record_benchmark(self._trainer.benchmark(self._identity.device, self._identity.n_threads))
        self._records.sign_on()
        self._idle_since = time.monotonic()  # warming up and the benchmark were no idling
        consumer = JobConsumer(self._settings.database_url, self._identity.id, self._identity.device, self._execute)
        consumer.start()
        log.info("Worker %s takes runs on %s with %d threads.", self._identity.id, self._identity.device, self._identity.n_threads)
        while not self._ending.wait(BEAT_SECONDS):
            self._beat()
            if exit_when_idle_seconds is not None and self._idle_seconds() > exit_when_idle_seconds and self._nothing_waits():
                self._ending.set()
        self._end()

    def _idle_seconds(self) -> float:
        since = self._idle_since
        return 0.0 if since is None else time.monotonic() - since

    def _nothing_waits(self) -> bool:
        with contextlib.suppress(StoreLocked), classify_error(self._settings.database_url):
            return not self._store.queue_client.waiting(self._identity.device)
        return False

    def _beat(self) -> None:
        try:
            self._records.heartbeat()
            self._records.sweep()
            if self._idle_since is not None and time.monotonic() > self._empty_bin_at:
                empty_bin(self._store)
                thin_checkpoints(self._store)
                self._empty_bin_at = time.monotonic() + EMPTY_BIN_SECONDS
        except StoreLocked as error:
            log.warning("%s", error)  # the next beat tries again; a lease outlasts several

    def _end(self) -> None:
        """Give the run in hand back to the queue, sign off and leave without waiting for the queue's threads."""
        deadline = time.monotonic() + 2 * BEAT_SECONDS + FLUSH_SECONDS
        while self._idle_since is None and time.monotonic() < deadline:
            time.sleep(0.02)
        self._trainer.kill()
        self._records.sign_off()
        self._store.close()
        os._exit(0)

    def _execute(self, job: Job) -> None:
        """Execute a job; called on a thread of the queue's."""
        if self._ending.is_set():
            self._ending.wait()
            time.sleep(60)  # never says that the job is done: the process ends first and the job is handed on
        run = self._records.claim(job)
        if run is None:
            return
        self._idle_since = None
        log.info("Run %s, attempt %d.", run.id, run.attempt)
        try:
            execution = _Execution(run, store=self._store, records=self._records, trainer=self._trainer, n_threads=self._identity.n_threads)
            execution.go(self._ending.is_set)
        except Fenced as error:
            log.warning("%s", error)
            self._trainer.kill()
        finally:
            self._records.mark_idle()
            self._idle_since = time.monotonic()


class _Execution:
    """One attempt of one run, from its task to its outcome."""

    def __init__(self, run: Run, *, store: Store, records: WorkerRecords, trainer: Trainer, n_threads: int) -> None:
        self._run, self._store, self._records, self._trainer = run, store, records, trainer
        self._settings = store.settings
        self._n_threads = n_threads
        self._steps: list[StepReport] = []
        self._epoch: EpochReport | None = None
        self._flushed_at = time.monotonic()
        self._stop_asked = False
        self._wish = Wish.NONE
        """What is to be done at the end of an epoch; a stop waits for none."""

    def go(self, is_ending: Callable[[], bool]) -> None:
        """Train to the end, or to where it is paused or has to be given back.

        Raises:
            Fenced: another attempt has the run.
        """
        try:
            result = self._train(is_ending)
        except TrainerDied as error:
            self._records.release(self._run.id, self._run.attempt, reason=str(error))
            return
        except Fenced:
            raise
        except (MnistDashError, OSError) as error:
            self._trainer.kill()
            self._records.finish(self._run, Outcome(RunState.FAILED, reason=str(error)), files={})
            return
        if self._wish is Wish.PAUSE:
            self._records.pause(self._run)
        elif result is None and not self._stop_asked:
            self._records.release(self._run.id, self._run.attempt, reason="its worker was shut down", count=False)
        else:
            self._finish(result)
        self._trainer.done()

    def _train(self, is_ending: Callable[[], bool]) -> TrainingResult | Broken | None:
        """Train to the end, or to where the trainer was killed; changed settings hold from the checkpoint on."""
        while True:
            self._trainer.start(self._task())
            result = self._follow(is_ending)
            if self._wish is not Wish.CHANGE:
                return result
            self._run, self._wish = self._records.change(self._run), Wish.NONE

    def _task(self) -> Task:
        resume = None
        if self._run.epoch:
            try:
                resume = artifacts.read(self._store, self._run.id, ArtifactKind.CHECKPOINT)
            except ArtifactError as error:
                raise ArtifactError(f"{error} Its {self._run.epoch} finished epochs are kept.") from error
        return Task(canonical_json(self._run.config), self._settings.data_dir, self._n_threads, resume)

    def _follow(self, is_ending: Callable[[], bool]) -> TrainingResult | Broken | None:
        """Take messages until the result comes; None where the trainer was killed."""
        while True:
            message = self._trainer.receive(0.05)
            if isinstance(message, TrainingResult | Broken):
                return message
            if message is not None:
                self._take(message)
            if self._wish is not Wish.NONE:
                self._trainer.kill()
                return None
            if time.monotonic() - self._flushed_at > FLUSH_SECONDS:
                self._flush()
            if self._stop_asked:
                self._trainer.ask_to_stop()
                return wait_or_kill(self._trainer, self._take)
            if is_ending():
                self._trainer.kill()
                return None

    def _take(self, message: Message) -> None:
        match message:
            case StepReport():
                self._steps.append(message)
            case EpochReport():
                self._epoch = message
            case Checkpoint():
                self._record_epoch(message)
            case Ending():
                pass  # the final figures follow
            case _:
                raise TypeError(f"The trainer sent a {type(message).__name__} instead of a report.")

    def _record_epoch(self, checkpoint: Checkpoint) -> None:
        assert self._epoch is not None
        assert self._epoch.epoch == checkpoint.epoch
        files = [artifacts.write(self._settings, self._run.id, ArtifactKind.CHECKPOINT, checkpoint.payload)]
        try:
            if checkpoint.test_probabilities is not None:
                packed = artifacts.pack_probabilities(checkpoint.test_probabilities)
                files.append(artifacts.write(self._settings, self._run.id, ArtifactKind.EPOCH_PROBABILITIES, packed))
            wish = self._records.record_epoch(self._run, self._steps, self._epoch, *files)
        except MnistDashError:
            for file in files:
                artifacts.discard(self._settings, file.path)
            raise
        self._stop_asked = wish is Wish.STOP
        if wish in (Wish.PAUSE, Wish.CHANGE) and checkpoint.epoch < self._run.config.epochs:
            self._wish = wish
        self._steps, self._epoch, self._flushed_at = [], None, time.monotonic()

    def _flush(self) -> None:
        """Record what has come in and renew the lease."""
        self._stop_asked = self._records.renew(self._run, self._steps)
        self._steps, self._flushed_at = [], time.monotonic()

    def _finish(self, result: TrainingResult | Broken | None) -> None:
        if result is None:
            outcome = Outcome(RunState.STOPPED, reason="Stopped; the trainer did not obey in time, so it was not evaluated.")
            self._records.finish(self._run, outcome, steps=self._steps, files={})
            return
        if isinstance(result, Broken):
            self._records.finish(self._run, Outcome(RunState.FAILED, reason=result.reason), steps=self._steps, files={})
            return
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
            n_test=None if result.test_probabilities is None else len(result.test_probabilities),
            seconds_per_image_test=result.seconds_per_image_test,
        )
        self._records.finish(self._run, outcome, steps=self._steps, files=self._files(result))

    def _files(self, result: TrainingResult) -> dict[ArtifactKind, StoredFile]:
        contents = {ArtifactKind.WEIGHTS: result.weights} if result.weights else {}
        if result.test_probabilities is not None:
            contents[ArtifactKind.TEST_PROBABILITIES] = artifacts.pack_probabilities(result.test_probabilities)
        if result.validation_probabilities is not None:
            contents[ArtifactKind.VALIDATION_PROBABILITIES] = artifacts.pack_probabilities(result.validation_probabilities)
        return {kind: artifacts.write(self._settings, self._run.id, kind, content) for kind, content in contents.items()}


def main(
    settings: Settings, *, exit_when_idle_seconds: float | None = None, device: DeviceKind | None = None, n_threads: int | None = None
) -> None:
    """Run a worker in this process until it is asked to end."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    where: DeviceKind = device or ("cuda" if n_cuda_devices() else "cpu")
    if where == "cpu":
        os.environ[VISIBLE_GPUS] = ""  # its trainers use none, whatever a configuration leaves open
    Worker(settings, device=where, n_threads=n_threads or settings.n_threads).run(exit_when_idle_seconds=exit_when_idle_seconds)
