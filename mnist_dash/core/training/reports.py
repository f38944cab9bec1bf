"""What a training says while it runs and when it ends; no torch, so that the store can read it.

Epochs count from 1; a step is one optimizer update, counted from the run's beginning; accuracies are fractions in [0, 1]; times are in
seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True)
class StepReport:
    """Loss and accuracy of one batch, as it was trained on."""

    step: int
    epoch: int
    seconds: float
    """Training and evaluation since the run's beginning, through resumes."""
    loss: float
    accuracy: float


@dataclass(frozen=True)
class EpochReport:
    """Everything measured of one epoch; `train_`, `val_` and `test_` figures are taken after it with dropout off, over the whole sets.

    The test figures are for looking back only: nothing is chosen by them.
    """

    epoch: int
    step: int
    learning_rate: float
    running_loss: float
    """Mean over the epoch's batches as they were trained on, with dropout and a network that was still changing."""
    running_accuracy: float
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    test_loss: float
    test_accuracy: float
    seconds_training: float
    seconds_evaluation: float
    images_per_second: float
    """Images trained on in a second of training."""
    layers: str | None = None
    """What the weights and activations of each layer are like; None where not measured.

    Packed by `mnist_dash.core.analysis.layer_statistics`.
    """


@dataclass(frozen=True)
class Checkpoint:
    """Everything needed to go on after an epoch as if nothing had happened."""

    epoch: int
    payload: bytes
    """safetensors: weights, optimizer, schedule, random states, early stopping and counters."""
    test_probabilities: npt.NDArray[np.float32] | None = None
    """``(N, 10)`` after this epoch, in the order of the test images; None where they are not kept."""


class Ending(StrEnum):
    """Why a training ended."""

    FINISHED = "finished"
    """All epochs done, or early stopping fulfilled."""
    STOPPED = "stopped"
    """Asked to stop."""
    DIVERGED = "diverged"
    """The loss became infinite or not a number."""


@dataclass(frozen=True)
class TrainingResult:
    """How a training ended and what it leaves."""

    ending: Ending
    reason: str
    epochs: int
    best_epoch: int
    seconds_training: float
    seconds_evaluation: float
    device: str
    precision: str
    n_threads: int
    weights: bytes
    """safetensors, named and laid out as a plain torch.nn.Sequential has them."""
    test_loss: float | None
    test_accuracy: float | None
    test_probabilities: npt.NDArray[np.float32] | None
    """``(N, 10)`` in the order of the test images; None when nothing was evaluated."""
    validation_probabilities: npt.NDArray[np.float32] | None
    seconds_per_image_test: float | None
