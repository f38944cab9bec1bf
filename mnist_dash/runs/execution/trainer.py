"""The trainer: a child process of a worker that only computes.

It gets a task through a pipe and answers with reports; a thread of its own sends them, so that training never waits for the worker, let
alone for the database. On the CPU every run gets a fresh child, forked from a server that has torch and the data in memory already: nothing
leaks from run to run and killing it costs nothing. CUDA cannot be forked after it was touched, so there one child is kept warm.

The child dies with its worker: when the pipe closes, it exits at once.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import select
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from mnist_dash.core.config.run_config import parse_config
from mnist_dash.core.training.reports import (
    Checkpoint,
    Ending,
    EpochReport,
    StepReport,
    TrainingResult,
)
from mnist_dash.errors import MnistDashError

JOIN_SECONDS = 2.0
"""How long a process whose pipe has closed may take to end."""
MOST_UNSENT_BYTES = 128 * 2**20
"""Checkpoints that may wait for the worker to take them; beyond that the training waits."""
WARM_MODULE = "mnist_dash.runs.execution.warm"
ENVIRONMENT = {
    "OMP_WAIT_POLICY": "PASSIVE",  # threads that wait in a barrier sleep, so that a busy page server beside them costs little
    "GOMP_SPINCOUNT": "5000",  # they spin for a moment before, which carries them from one operation of a step to the next
    "MALLOC_MMAP_THRESHOLD_": "33554432",  # tensors come from the heap again and again instead of from fresh, zeroed pages
    "MALLOC_TRIM_THRESHOLD_": "1073741824",
    "MALLOC_TOP_PAD_": "67108864",
}
"""What the trainer's process must find in its environment before torch is loaded."""


@dataclass(frozen=True)
class Task:
    """One training, as it goes through the pipe."""

    config_json: str
    data_dir: Path
    n_threads: int
    resume: bytes | None
    """The payload of the checkpoint to go on from."""


@dataclass(frozen=True)
class Broken:
    """The training raised an exception."""

    reason: str


class Word(StrEnum):
    """What the worker tells a trainer that has a task."""

    STOP = "stop"
    WAIT = "wait"
    """Others have the turn."""
    GO = "go"


Message = StepReport | EpochReport | Checkpoint | Ending | TrainingResult | Broken


class Pace:
    """The trainer's side of stopping and of taking turns. Told by the thread that listens, asked by the one that trains."""

    def __init__(self) -> None:
        self._stop, self._turn = threading.Event(), threading.Event()
        self._seconds_waited = 0.0

    def __call__(self) -> bool:
        """Wait for the turn, and say whether to stop; a stop needs no turn."""
        if not self._turn.is_set():
            began = time.perf_counter()
            self._turn.wait()
            self._seconds_waited += time.perf_counter() - began
        return self._stop.is_set()

    def clock(self) -> float:
        """Read a clock that stands still while others have the turn, in seconds."""
        return time.perf_counter() - self._seconds_waited

    def tell(self, word: Word) -> None:
        """Take a word of the worker's."""
        match word:
            case Word.STOP:
                self._stop.set()
                self._turn.set()
            case Word.GO:
                self._turn.set()
            case Word.WAIT if not self._stop.is_set():
                self._turn.clear()

    def begin(self) -> None:
        """Prepare for a task: a stop was meant for the former one, and whether it has the turn is still to be said."""
        self._stop.clear()
        self._turn.clear()


Training = Callable[[Task, Callable[[Message], None], Pace], TrainingResult]
"""What a trainer executes: the task, a function that takes reports, and what says whether to stop."""


def train_task(task: Task, send: Callable[[Message], None], pace: Pace) -> TrainingResult:
    """Train a task's configuration; the `Training` of every real trainer."""
    import torch

    from mnist_dash.core.training.loop import train

    torch.set_num_threads(task.n_threads)
    return train(
        parse_config(task.config_json),
        data_dir=task.data_dir,
        resume=task.resume,
        on_step=send,
        on_epoch=send,
        on_checkpoint=send,
        should_stop=pace,
        on_ending=send,
        clock=pace.clock,
    )


class TrainerDied(Exception):
    """The trainer's process ended without a result."""

    def __init__(self, exit_code: int | None) -> None:
        killed = exit_code is not None and exit_code < 0
        how = (
            f"was killed by {signal.Signals(-exit_code).name}"
            if killed and exit_code is not None
            else f"ended with code {exit_code}"
        )
        super().__init__(f"the trainer's process {how}")


_processes = threading.RLock()
"""Held to start and to end a child: `multiprocessing` looks after all children of the process whenever one is started."""


class Trainer:
    """The worker's handle on a trainer process. One task at a time; for one thread, but for `give_turn`."""

    def __init__(self, training: Training = train_task, *, keep_warm: bool = False) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([WARM_MODULE])
        self._training = training
        self._keep_warm = keep_warm
        self._process: Any = None
        self._pipe: Connection | None = None
        self._sending = threading.Lock()
        self._has_turn = True

    @property
    def pid(self) -> int | None:
        """Process id of the living child, None where there is none."""
        return None if self._process is None else self._process.pid

    def begin_warm_up(self) -> None:
        """Start the server that children are forked from and return at once; it loads torch and the data meanwhile."""
        os.environ.update(
            {name: value for name, value in ENVIRONMENT.items() if name not in os.environ}
        )
        forkserver.ensure_running()

    def warm_up(self) -> None:
        """Wait until the server that children are forked from has torch and the data in its memory."""
        self.begin_warm_up()
        process = self._context.Process(target=_nothing, daemon=True)
        process.start()
        process.join()

    def benchmark(self, device: str, n_threads: int) -> dict[str, float]:
        """Time the device in a child of its own: operations a second by kind of network, empty where it could not be timed."""
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=_benchmark, args=(theirs, device, n_threads), daemon=True
        )
        # A worker that began with a run times its device later, beside the threads of its jobs.
        with _processes:
            process.start()
        theirs.close()
        try:
            rates: dict[str, float] = ours.recv()
        except EOFError:
            rates = {}
        with _processes:
            process.join()
        return rates

    def start(self, task: Task) -> None:
        """Begin a task, in a warm child where one is kept, in a fresh one otherwise."""
        with self._sending:
            with _processes:
                if self._process is None or not self._process.is_alive():
                    self._pipe, theirs = self._context.Pipe()
                    self._process = self._context.Process(
                        target=_serve, args=(theirs, self._training), daemon=True
                    )
                    self._process.start()
                    theirs.close()
            assert self._pipe is not None
            self._pipe.send(task)
            self._pipe.send(Word.GO if self._has_turn else Word.WAIT)

    def give_turn(self, has_turn: bool) -> None:  # noqa: FBT001 - the one thing that it says
        """Let the task go on, or have it wait before its next step; it keeps its memory and gives up its cores."""
        with self._sending:
            if has_turn is not self._has_turn and self._pipe is not None:
                if not select.select([], [self._pipe], [], 0)[1]:
                    return  # frozen: it has not read what was said to it for long
                with contextlib.suppress(OSError):
                    self._pipe.send(Word.GO if has_turn else Word.WAIT)
            self._has_turn = has_turn

    def receive(self, timeout_seconds: float) -> Message | None:
        """Wait for the next message; None when none came in time.

        Raises:
            TrainerDied: the process has ended, and every message that it sent has been received.
        """
        assert self._pipe is not None
        try:
            if not self._pipe.poll(timeout_seconds):
                return None
            message: Message = self._pipe.recv()
        except (EOFError, OSError) as error:
            with _processes:
                self._process.join(JOIN_SECONDS)
                exit_code = self._process.exitcode
            self.kill()
            raise TrainerDied(exit_code) from error
        return message

    def ask_to_stop(self) -> None:
        """Ask the task in hand to end; its result follows."""
        assert self._pipe is not None
        with self._sending, contextlib.suppress(OSError):
            self._pipe.send(Word.STOP)

    def done(self) -> None:
        """Let the child go after its result, unless it is kept warm."""
        if not self._keep_warm:
            self.kill()

    def kill(self) -> None:
        """End the child now, whatever it does."""
        with self._sending:
            if self._process is not None:
                with _processes:
                    self._process.kill()
                    self._process.join()
                    self._process.close()
            if self._pipe is not None:
                self._pipe.close()
            self._process = self._pipe = None


def _nothing() -> None:
    """Be forked, so that the server runs."""


def _benchmark(pipe: Connection, device: str, n_threads: int) -> None:
    import torch

    from mnist_dash.core.training.device_benchmark import benchmark

    torch.set_num_threads(n_threads)
    pipe.send({rate.family: rate.flops_per_second for rate in benchmark(device)})


def _serve(pipe: Connection, training: Training) -> None:
    """Execute tasks until the pipe closes; the body of the child."""
    # Ctrl+C in a terminal goes to the worker, which decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()
    outbox = _Outbox()
    pace = Pace()
    threading.Thread(target=_listen, args=(pipe, tasks, pace), daemon=True).start()
    threading.Thread(target=_speak, args=(pipe, outbox), daemon=True).start()
    while True:
        task = tasks.get()
        try:
            outbox.put(training(task, outbox.put, pace))
        except MnistDashError as error:
            outbox.put(Broken(str(error)))
        except MemoryError:
            outbox.put(Broken(_OUT_OF_MEMORY))
        except Exception as error:  # noqa: BLE001 - whatever it is, the run's row must say so
            outbox.put(Broken(_failure(error)))


_OUT_OF_MEMORY = "Training ran out of memory. Use a smaller batch or network."


def _failure(error: Exception) -> str:
    """Say why a training failed; torch has an error of its own for a full GPU, and none for a full main memory."""
    import torch  # loaded by now, or else the error comes from before there is anything to train

    if isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error):
        return _OUT_OF_MEMORY
    return f"Training failed: {type(error).__name__}: {error}. Please report this as a bug."


def _listen(pipe: Connection, tasks: queue.SimpleQueue[Task], pace: Pace) -> None:
    """Take tasks and words; when the worker is gone, so is its trainer."""
    while True:
        try:
            message = pipe.recv()
        except (EOFError, OSError):
            os._exit(1)
        if isinstance(message, Task):
            pace.begin()  # here, so that a stop that follows at once is not lost
            tasks.put(message)
        else:
            pace.tell(message)


class _Outbox:
    """Messages that wait to be sent, with a bound on the memory that their checkpoints take."""

    def __init__(self) -> None:
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._n_bytes = 0
        self._room = threading.Condition()

    def put(self, message: Message) -> None:
        """Leave a message; wait first while checkpoints of `MOST_UNSENT_BYTES` and more lie here."""
        if isinstance(message, Checkpoint):
            with self._room:
                self._room.wait_for(lambda: self._n_bytes < MOST_UNSENT_BYTES)
                self._n_bytes += len(message.payload)
        self._messages.put(message)

    def get(self) -> Message:
        """Take the next message, or wait for one."""
        message = self._messages.get()
        if isinstance(message, Checkpoint):
            with self._room:
                self._n_bytes -= len(message.payload)
                self._room.notify_all()
        return message


def _speak(pipe: Connection, outbox: _Outbox) -> None:
    while True:
        message = outbox.get()
        try:
            pipe.send(message)
        except (BrokenPipeError, OSError):
            os._exit(1)
