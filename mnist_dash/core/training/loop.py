"""The training loop: a configuration in, reports out. It knows no store and no page.

The same configuration and seed on the same processor, with the same number of threads, give the same parameters bit for bit, and so does a
run that was resumed from any of its checkpoints.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save
from torch import Tensor

from mnist_dash.core.analysis.layer_statistics import pack
from mnist_dash.core.config.changes import hash_until, optimizer_begin
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.config.seeds import stream_seed
from mnist_dash.core.data.augmentation import augment
from mnist_dash.core.data.dataset import Part, prepare
from mnist_dash.core.hardware.precision import exact_arithmetic, resolve_device, resolve_precision
from mnist_dash.core.hardware.threads import threads_for
from mnist_dash.core.network.torch_network import Network
from mnist_dash.core.training import checkpoint
from mnist_dash.core.training.backprop import HandwrittenUpdate, is_supported
from mnist_dash.core.training.checkpoint import Counters
from mnist_dash.core.training.inference import Interrupted, Outputs, evaluate, is_finite
from mnist_dash.core.training.layer_recorder import LayerRecorder
from mnist_dash.core.training.metering import Diverged, Meter
from mnist_dash.core.training.reports import (
    Checkpoint,
    Ending,
    EpochReport,
    StepReport,
    TrainingResult,
)
from mnist_dash.core.training.schedules import rates_in
from mnist_dash.core.training.steps import EagerSteps, RecordedSteps, Steps
from mnist_dash.core.training.stopping import is_exhausted, judge
from mnist_dash.core.training.update import AutogradUpdate, clip_bounds
from mnist_dash.text import plural

__all__ = ["is_kept", "resolve_device", "resolve_precision", "train"]
KEPT_EPOCHS = 20
"""Epochs of a run whose test probabilities are kept, at most; 0.4 MB each."""
MEASURED_EPOCHS = 100
"""Epochs of a run after which its layers are measured, at most; 1 kB a layer."""


def train(
    config: RunConfig,
    *,
    data_dir: Path,
    resume: bytes | None = None,
    on_step: Callable[[StepReport], None],
    on_epoch: Callable[[EpochReport], None],
    on_checkpoint: Callable[[Checkpoint], None],
    should_stop: Callable[[], bool],
    on_ending: Callable[[Ending], None] = lambda _: None,
    clock: Callable[[], float] = time.perf_counter,
) -> TrainingResult:
    """Train a configuration's network.

    After each epoch comes `on_epoch`, then `on_checkpoint`. A stop is obeyed before the next step, or the next batch of an evaluation.

    Args:
        config: everything that decides the result.
        data_dir: folder of data sets.
        resume: payload of a checkpoint of this configuration; the run goes on after its epoch.
        on_step: takes a bounded number of step reports, always that of the first step.
        on_epoch: takes one report an epoch.
        on_checkpoint: takes the state after each epoch.
        should_stop: asked before every step; cheap.
        on_ending: told how the loop ended, before the final figures are computed, which takes up to some seconds.
        clock: seconds from any moment on; stands still while `should_stop` keeps the training waiting.

    Returns:
        The final figures. After a stop they are those of the weights of that moment. A diverged run has none, and the weights of its last
        whole epoch.

    Raises:
        DataError: a file of the data set is missing or damaged.
        DeviceUnavailable: the configuration's device is not there.
        ArtifactError: `resume` is no checkpoint of this configuration.
    """
    with threads_for(config), exact_arithmetic():
        return _train(
            _Run(config, data_dir, resume, on_step, should_stop, clock=clock),
            on_epoch,
            on_checkpoint,
            on_ending,
        )


def _train(
    run: _Run,
    on_epoch: Callable[[EpochReport], None],
    on_checkpoint: Callable[[Checkpoint], None],
    on_ending: Callable[[Ending], None],
) -> TrainingResult:
    config = run.config
    try:
        while run.counters.epoch < config.epochs and not is_exhausted(
            run.counters.best, config.early_stopping
        ):
            report, probabilities = run.train_epoch()
            on_epoch(report)
            on_checkpoint(Checkpoint(run.counters.epoch, run.state(), probabilities))
        ending, reason = Ending.FINISHED, run.why_finished()
    except Interrupted:
        ending, reason = (
            Ending.STOPPED,
            f"Stopped in epoch {run.counters.epoch + 1} of {config.epochs}.",
        )
    except Diverged as error:
        ending, reason = Ending.DIVERGED, str(error)
    on_ending(ending)
    return run.result(ending, reason)


def is_kept(epoch: int, n_epochs: int, *, most: int = KEPT_EPOCHS) -> bool:
    """Say whether an epoch's test probabilities are kept: at most `most` evenly over a run, always the last planned one."""
    return (n_epochs - epoch) % math.ceil(n_epochs / most) == 0


class _Run:
    """A training in progress: its data, network, optimizer and counters."""

    def __init__(
        self,
        config: RunConfig,
        data_dir: Path,
        resume: bytes | None,
        on_step: Callable[[StepReport], None],
        should_stop: Callable[[], bool],
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        saved, groups = checkpoint.unpack(resume, config) if resume is not None else (None, {})
        self.config, self.should_stop, self.clock = config, should_stop, clock
        self.clip = clip_bounds(config.probability_clip)
        self.device = resolve_device(config.device)
        self.counters = saved or Counters(
            hash_until(config, 0), resolve_precision(config, self.device)
        )
        self.data = prepare(config, data_dir, self.device)
        self.dropout_generator, self.augmentation_generator = (
            torch.Generator(self.device),
            torch.Generator(self.device),
        )
        self.settings = config.at(max(1, self.counters.epoch))
        self._build()
        self.meter = Meter(config.n_steps, self.device.type, on_step)
        self.best: list[Tensor] | None = None
        self.recorder: LayerRecorder | None = None
        if saved:
            self._restore(groups)
        self._begin_updates()
        self.last_epoch_weights = self.network.export() if saved else None

    def _build(self) -> None:
        """Make the network and the optimizer of the settings that hold now."""
        self.network = Network(self.settings, self.device, self.dropout_generator)
        self.values = [value.tensor for value in (*self.network.parameters, *self.network.buffers)]
        is_recorded = self.device.type == "cuda"
        parameters = [value.tensor for value in self.network.parameters]
        self.optimizer = self.settings.optimizer.build(parameters, recordable=is_recorded)

    def _settle(self, epoch: int) -> None:
        """Pass to the settings of an epoch where they change: what was learned stays, and an optimizer of the same kind keeps its state."""
        settings = self.config.at(epoch)
        if settings == self.settings or not self.config.changes:
            return
        former, values, state = self.settings, self.values, self.optimizer.state
        self.settings = settings
        self._build()
        checkpoint.copy_into(self.values, values)
        if settings.optimizer.kind == former.optimizer.kind:
            for name, slots in self.optimizer.state.items():
                if name in state:
                    checkpoint.copy_into(slots, state[name])
        self._begin_updates()

    def _begin_updates(self) -> None:
        """Choose how the updates are done, and copy what has been learned into their precision.

        Gradients are computed by hand on the CPU where every layer is supported, by autograd elsewhere.
        """
        self.steps = self._eager_steps() if self.device.type == "cpu" else self._recorded_steps()

    def _eager_steps(self) -> Steps:
        update = HandwrittenUpdate if is_supported(self.settings) else AutogradUpdate
        made = update(
            self.settings, self.network, self.optimizer, precision=self.counters.precision
        )
        return EagerSteps(made, self._gather, self.settings.batch_size)

    def _recorded_steps(self) -> Steps:
        return RecordedSteps(
            AutogradUpdate(
                self.settings, self.network, self.optimizer, precision=self.counters.precision
            ),
            self.optimizer,
            self._gather,
            self.settings.batch_size,
            values=[*self.values, *itertools.chain.from_iterable(self.optimizer.state.values())],
            generators=[self.dropout_generator, self.augmentation_generator],
        )

    def train_epoch(self) -> tuple[EpochReport, npt.NDArray[np.float32] | None]:
        """Train and evaluate one epoch; gives its figures, and the test probabilities where this epoch's are kept.

        Probabilities are ``(N, 10)`` float32 of the test images.

        Raises:
            Interrupted: asked to stop; the epoch does not count.
            Diverged: a loss is not finite.
        """
        epoch = self.counters.epoch + 1
        self._settle(epoch)
        self.meter.begin_epoch(epoch)
        start = self.clock()
        rate, step = self._train_steps(epoch, start)
        running_loss, running_accuracy = self.meter.averages()
        trained = self.clock()
        on_training = self._evaluate(self.data.training, epoch)
        on_test = self._evaluate(
            self.data.test, epoch, keep_probabilities=is_kept(epoch, self.config.epochs)
        )
        on_validation = (
            on_test
            if self.data.validation is self.data.test
            else self._evaluate(self.data.validation, epoch)
        )
        evaluated = self.clock()
        report = EpochReport(
            epoch=epoch,
            step=step,
            learning_rate=rate,
            running_loss=running_loss,
            running_accuracy=running_accuracy,
            train_loss=on_training.loss,
            train_accuracy=on_training.accuracy,
            val_loss=on_validation.loss,
            val_accuracy=on_validation.accuracy,
            test_loss=on_test.loss,
            test_accuracy=on_test.accuracy,
            seconds_training=trained - start,
            seconds_evaluation=evaluated - trained,
            images_per_second=len(self.data.training) / (trained - start),
        )
        self._finish_epoch(report)
        return replace(report, layers=self._layers(epoch)), on_test.probabilities

    def state(self) -> bytes:
        """Everything needed to go on from here."""
        groups = {
            "values": self.values,
            **{f"optimizer.{name}": slots for name, slots in self.optimizer.state.items()},
        }
        return checkpoint.pack(
            self.counters, groups if self.best is None else {**groups, "best": self.best}
        )

    def why_finished(self) -> str:
        """One sentence on why there are no more epochs."""
        best, rule = self.counters.best, self.config.early_stopping
        if rule is not None and is_exhausted(best, rule):
            return f"Early stopping: {rule.monitor} has not improved for {plural(rule.patience, 'epoch')} since epoch {best.epoch}."
        n = self.config.epochs
        return f"All {plural(n, 'epoch')} are done." if n > 1 else "The one epoch is done."

    def result(self, ending: Ending, reason: str) -> TrainingResult:
        """Compute the final figures."""
        counters = self.counters
        test: Outputs | None = None
        validation: Outputs | None = None
        seconds: float | None = None
        if ending is Ending.FINISHED and self.best is not None:
            checkpoint.copy_into(self.values, self.best)
        if ending is not Ending.DIVERGED and counters.epoch > 0:
            start = self.clock()
            test = self._outputs(self.data.test)
            seconds = (self.clock() - start) / len(self.data.test)
            validation = (
                test
                if self.data.validation is self.data.test
                else self._outputs(self.data.validation)
            )
        weights = self.last_epoch_weights if ending is Ending.DIVERGED else self.network.export()
        return TrainingResult(
            ending=ending,
            reason=reason,
            epochs=counters.epoch,
            best_epoch=counters.best.epoch,
            seconds_training=counters.seconds_training,
            seconds_evaluation=counters.seconds_evaluation,
            device=self.device.type,
            precision=counters.precision,
            n_threads=torch.get_num_threads(),
            weights=save(weights) if weights else b"",
            test_loss=test.loss if test else None,
            test_accuracy=test.accuracy if test else None,
            test_probabilities=test.probabilities if test else None,
            validation_probabilities=validation.probabilities if validation else None,
            seconds_per_image_test=seconds,
        )

    def _train_steps(self, epoch: int, start: float) -> tuple[float, int]:
        """Do an epoch's updates; gives the last learning rate and the number of the last step."""
        config, counters = self.config, self.counters
        before = counters.seconds_training + counters.seconds_evaluation
        order_generator = torch.Generator().manual_seed(stream_seed(config.seed, "order", epoch))
        order = torch.randperm(len(self.data.training), generator=order_generator).to(self.device)
        rates = rates_in(config, epoch)
        n_steps = math.ceil(len(order) / self.settings.batch_size)
        done = counters.step - config.steps_until(optimizer_begin(config, epoch))
        """Updates that this epoch's optimizer has done; one before it may have done others."""
        planned = [rates(counters.step + index) for index in range(n_steps)]
        self.steps.begin(order, planned, first=done + 1)
        # After the steps' preparations, which draw numbers of their own.
        self.dropout_generator.manual_seed(stream_seed(config.seed, "dropout", epoch))
        self.augmentation_generator.manual_seed(stream_seed(config.seed, "augmentation", epoch))
        for index in range(n_steps):
            if self.should_stop():
                self.meter.flush()
                raise Interrupted
            measured = self.steps.step(index)
            seconds = before + self.clock() - start
            self.meter.add(
                measured,
                step=counters.step + index + 1,
                n_images=self.steps.n_images(index),
                seconds=seconds,
            )
        return planned[-1], counters.step + n_steps

    def _gather(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Read a batch of training images, augmented and scaled, and its labels.

        Numbers ``(B,)`` int64 -> images ``(B, ...)`` float32 and labels ``(B,)`` int64.
        """
        images = self.data.training.images.index_select(0, indices)
        if self.config.augmentation is not None:
            images = augment(
                images, self.config.augmentation, generator=self.augmentation_generator
            )
        return self.data.scale(images), self.data.training.labels.index_select(0, indices)

    def _evaluate(self, part: Part, epoch: int, *, keep_probabilities: bool = False) -> Outputs:
        outputs = evaluate(
            self.network,
            part,
            scale=self.data.scale,
            precision=self.counters.precision,
            clip=self.clip,
            should_stop=self.should_stop,
            keep_probabilities=keep_probabilities,
        )
        if not is_finite(outputs):
            raise Diverged(outputs.loss, epoch, None)
        return outputs

    def _outputs(self, part: Part) -> Outputs:
        return evaluate(
            self.network,
            part,
            scale=self.data.scale,
            precision=self.counters.precision,
            clip=self.clip,
            keep_probabilities=True,
        )

    def _layers(self, epoch: int) -> str | None:
        """Measure the layers as they are now, after some epochs."""
        if self.last_epoch_weights is None or not is_kept(
            epoch, self.config.epochs, most=MEASURED_EPOCHS
        ):
            return None
        if self.recorder is None:
            self.recorder = LayerRecorder(self.config, self.data)
        return pack(self.recorder.measure(self.last_epoch_weights))

    def _finish_epoch(self, report: EpochReport) -> None:
        counters, rule = self.counters, self.config.early_stopping
        self.counters = replace(
            counters,
            config_hash=hash_until(self.config, report.epoch),
            epoch=report.epoch,
            step=report.step,
            seconds_training=counters.seconds_training + report.seconds_training,
            seconds_evaluation=counters.seconds_evaluation + report.seconds_evaluation,
            best=judge(counters.best, report, rule),
        )
        self.last_epoch_weights = self.network.export()
        if rule is not None and rule.restore_best and self.counters.best.epoch == report.epoch:
            self.best = [value.detach().clone() for value in self.values]

    def _restore(self, groups: dict[str, list[Tensor]]) -> None:
        checkpoint.copy_into(self.values, groups["values"])
        for name, slots in self.optimizer.state.items():
            checkpoint.copy_into(slots, groups[f"optimizer.{name}"])
        if "best" in groups:
            self.best = [
                torch.empty_like(value).copy_(saved)
                for value, saved in zip(self.values, groups["best"], strict=True)
            ]
