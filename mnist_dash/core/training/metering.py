"""Losses and right answers of an epoch's steps, kept on the device and read in bulk."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch

from mnist_dash.core.training.reports import StepReport
from mnist_dash.core.training.update import Measured

MAX_REPORTS = 2000
"""Step reports of one run, at most."""
REPORT_SECONDS = 0.05
"""Least time between two step reports."""
FLUSH_SECONDS = {"cpu": 0.05, "cuda": 0.5}
"""Least time between two readings from a device; each makes the host wait for it."""


class Diverged(Exception):
    """A loss is infinite or not a number."""

    def __init__(self, loss: float, epoch: int, step: int | None) -> None:
        where = f"in epoch {epoch}" if step is None else f"at step {step} of epoch {epoch}"
        super().__init__(
            f"Training diverged: the loss became {loss} {where}. "
            "Choose a lower learning rate or a gradient clipping norm of 1, or a less deep network."
        )


class Meter:
    """Collects what the steps of a run measured.

    Args:
        n_steps: all steps planned; the reports are thinned to `MAX_REPORTS` over them.
        device_type: ``cpu`` or ``cuda``.
        on_step: takes the reports.
    """

    def __init__(
        self, n_steps: int, device_type: str, on_step: Callable[[StepReport], None]
    ) -> None:
        self._stride = math.ceil(n_steps / (MAX_REPORTS - 1))
        self._flush_seconds = FLUSH_SECONDS[device_type]
        self._on_step = on_step
        self._pending: list[tuple[Measured, int, int, float]] = []
        self._reported_step, self._reported_at, self._flushed_at = 0, -math.inf, -math.inf
        self.begin_epoch(1)

    def begin_epoch(self, epoch: int) -> None:
        """Forget the sums of the epoch before."""
        self._epoch = epoch
        self._loss_sum, self._n_right, self._n_seen = 0.0, 0, 0

    def add(self, measured: Measured, *, step: int, n_images: int, seconds: float) -> None:
        """Take one step's figures; reads them, and those before, when it is time to.

        Raises:
            Diverged: a loss that was read is not finite.
        """
        self._pending.append((measured, step, n_images, seconds))
        now = time.monotonic()
        if now - self._flushed_at >= self._flush_seconds:
            self._flushed_at = now
            self.flush()

    def flush(self) -> None:
        """Read all figures from the device and report those whose turn it is.

        Raises:
            Diverged: a loss is not finite.
        """
        if not self._pending:
            return
        pending, self._pending = self._pending, []
        losses = torch.stack([measured.loss for measured, *_ in pending]).tolist()
        rights = torch.stack([measured.n_right for measured, *_ in pending]).tolist()
        for (_, step, n_images, seconds), loss, n_right in zip(
            pending, losses, rights, strict=True
        ):
            if not math.isfinite(loss):
                raise Diverged(loss, self._epoch, step)
            self._loss_sum += loss * n_images
            self._n_right += n_right
            self._n_seen += n_images
            self._report(StepReport(step, self._epoch, seconds, loss, n_right / n_images))

    def averages(self) -> tuple[float, float]:
        """Mean loss and accuracy over the epoch's images, as they were trained on; reads everything.

        Raises:
            Diverged: a loss is not finite.
        """
        self.flush()
        return self._loss_sum / self._n_seen, self._n_right / self._n_seen

    def _report(self, report: StepReport) -> None:
        is_first = report.step == 1
        has_turn = (
            report.step >= self._reported_step + self._stride
            and report.seconds >= self._reported_at + REPORT_SECONDS
        )
        if is_first or has_turn:
            self._reported_step, self._reported_at = report.step, report.seconds
            self._on_step(report)
