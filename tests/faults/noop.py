"""Trainings that compute nothing: for tests of the queue and of the trainer alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from mnist_dash.core.training.reports import Ending, TrainingResult
from mnist_dash.runs.execution.trainer import Message, Task


def finish_at_once(
    _task: Task, _send: Callable[[Message], None], _should_stop: Callable[[], bool]
) -> TrainingResult:
    """End a run without any epoch."""
    return TrainingResult(
        ending=Ending.FINISHED,
        reason="",
        epochs=0,
        best_epoch=0,
        seconds_training=0.0,
        seconds_evaluation=0.0,
        device="cpu",
        precision="float32",
        n_threads=1,
        weights=b"",
        test_loss=None,
        test_accuracy=None,
        test_probabilities=None,
        validation_probabilities=None,
        seconds_per_image_test=None,
    )


SLOW_SECONDS = 5.0
"""Longer than obeying may take, and than the lease of the tests of faults."""


def evaluate_slowly(
    task: Task, send: Callable[[Message], None], should_stop: Callable[[], bool]
) -> TrainingResult:
    """Obey a stop at once, and take longer over the final figures than obeying may take."""
    while not should_stop():
        time.sleep(0.01)  # an endless training
    send(Ending.STOPPED)
    time.sleep(SLOW_SECONDS)  # a large network's evaluation
    return replace(finish_at_once(task, send, should_stop), ending=Ending.STOPPED)


def ignore_stops(
    _task: Task, _send: Callable[[Message], None], _should_stop: Callable[[], bool]
) -> TrainingResult:
    """Hang."""
    while True:
        time.sleep(1)
