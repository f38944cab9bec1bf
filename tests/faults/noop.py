"""A training that computes nothing: for tests of the queue alone."""

from __future__ import annotations

from collections.abc import Callable

from mnist_dash.core.reports import Ending, TrainingResult
from mnist_dash.runs.trainer import Message, Task


def finish_at_once(_task: Task, _send: Callable[[Message], None], _should_stop: Callable[[], bool]) -> TrainingResult:
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
