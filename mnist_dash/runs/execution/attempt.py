"""One attempt of a run: what its trainer reports, held until database and disk take it, up to its outcome."""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from mnist_dash.core.config.run_config import canonical_json
from mnist_dash.core.training.reports import (
    Checkpoint,
    Ending,
    EpochReport,
    StepReport,
    TrainingResult,
)
from mnist_dash.errors import ArtifactError, Fenced, MnistDashError, StorageUnavailable
from mnist_dash.runs.execution.trainer import Broken, Message, Task, Trainer, TrainerDied
from mnist_dash.runs.execution.worker_records import Outcome, Wish, WorkerRecords
from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.artifacts import ArtifactKind, StoredFile
from mnist_dash.runs.store.patience import TRANSIENT, GaveUp, Outage, patiently
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState

Result = TypeVar("Result")
RENEW_SECONDS = 0.4
"""Between two writes of the steps of an epoch in hand, each of which renews the lease."""
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
log = logging.getLogger("mnist_dash.worker")

_STATES = {
    Ending.FINISHED: RunState.FINISHED,
    Ending.STOPPED: RunState.STOPPED,
    Ending.DIVERGED: RunState.DIVERGED,
}


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


class Attempt:
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
            # Of the epoch that had begun with the former settings.
            self._steps, self._epoch = (
                [],
                None,
            )

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
