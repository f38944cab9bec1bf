"""One run in a notebook: what it is, what it has measured, what its network says."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from plotly.graph_objects import Figure

from mnist_dash.api.card import card, lines
from mnist_dash.api.images import grey_values
from mnist_dash.api.waiting import wait
from mnist_dash.core.analysis.evaluation import confusion_matrix
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.data.idx import CLASS_NAMES, read_labels
from mnist_dash.figures.base.confusion import draw_confusion
from mnist_dash.figures.base.curves import Axis, CurveOptions, draw_curves, prepare_curves
from mnist_dash.figures.base.paint import painted
from mnist_dash.following.run import FollowedRun
from mnist_dash.formatting import NOTHING, duration, number, percent
from mnist_dash.runs.actions import run_actions, run_annotations
from mnist_dash.runs.query.trained import read_trained
from mnist_dash.runs.store import artifacts, records
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.text import plural

METRICS = (
    "test_accuracy",
    "test_loss",
    "best_val_accuracy",
    "best_epoch",
    "last_val_accuracy",
    "last_val_loss",
)
Plot = Literal["loss", "accuracy", "confusion"]


class Run:
    """A run; what is asked of it is read from the store each time, so that it is never out of date."""

    def __init__(self, store: Store, run_id: str) -> None:
        self._store = store
        self.id = store.run(run_id).id
        """Eight characters that name it on pages and on the command line."""

    @property
    def record(self) -> records.Run:
        """Everything that the store knows of it."""
        return self._store.run(self.id)

    @property
    def name(self) -> str:
        """What a person has named it, or else a name made from its configuration."""
        return self.record.title

    @property
    def config(self) -> RunConfig:
        """What decides its result."""
        return self.record.config

    @property
    def state(self) -> RunState:
        """``queued``, ``running``, ``finished`` and so on; compares equal to these words."""
        return self.record.state

    @property
    def reason(self) -> str:
        """Why it ended, in a sentence; empty while it has not."""
        return self.record.reason

    @property
    def metrics(self) -> dict[str, float | int | None]:
        """Its metrics: accuracies in [0, 1], losses in nats, seconds; None for what is not known yet."""
        run = self.record
        found = {name: getattr(run, name) for name in METRICS}
        return found | {
            "epochs": run.epoch,
            "parameters": run.n_parameters,
            "seconds": run.seconds_training,
        }

    @property
    def history(self) -> pd.DataFrame:
        """Its metrics by epoch, one row each."""
        return self._store.history(self.id).epochs

    @property
    def steps(self) -> pd.DataFrame:
        """Loss and accuracy of the recorded batches, one row each."""
        return self._store.history(self.id).steps

    def wait(self, *, progress: bool = True) -> Run:
        """Wait for its end; Ctrl+C, or interrupting the cell, ends the waiting and leaves it training.

        Args:
            progress: whether to show a bar.

        Raises:
            NoWorker: no worker can be started.
        """
        wait(FollowedRun(self._store, self.id), progress=progress)
        return self

    def stop(self) -> None:
        """Stop it and keep its epochs and weights: at once where it waits, within seconds where it trains.

        Raises:
            IllegalTransition: it has ended already.
        """
        run_actions.stop(self._store, self.id)

    def rename(self, name: str) -> None:
        """Give it a name; an empty one takes it away.

        Raises:
            InvalidInput: it is too long, or holds what cannot be shown.
        """
        run_annotations.rename(self._store, self.id, name)

    def tag(self, *tags: str) -> None:
        """Put tags on it; those that it has already stay.

        Raises:
            InvalidInput: one cannot be a tag.
        """
        run_annotations.add_tags(self._store, [self.id], tags)

    def predict(self, images: Any) -> npt.NDArray[np.float32]:  # noqa: ANN401 - any array
        """Compute the probabilities of the classes, float32 ``(n, 10)``.

        Args:
            images: ``(n, 28, 28)``, 0 is background; see `mnist_dash.api.images.grey_values`.

        Raises:
            InvalidInput: they are no images.
            ArtifactError: the run has left no weights.
        """
        grey = grey_values(images)
        _, predictor = read_trained(self._store, self.record)
        return predictor.probabilities(grey)

    def confusion_matrix(self) -> pd.DataFrame:
        """Count the test images by true class (rows) and predicted class (columns).

        Raises:
            ArtifactError: it has no stored test predictions.
        """
        dataset = self.record.config.dataset
        probabilities = artifacts.read_probabilities(
            self._store, self.id, ArtifactKind.TEST_PROBABILITIES
        )
        counts = confusion_matrix(
            read_labels(dataset, "test", self._store.settings.data_dir), probabilities
        )
        names = [str(name) for name in CLASS_NAMES[dataset]]
        return pd.DataFrame(
            counts, index=pd.Index(names, name="true"), columns=pd.Index(names, name="predicted")
        )

    def plot(
        self,
        what: Plot = "loss",
        *,
        axis: Axis = "epoch",
        log: bool = False,
        smoothing: float = 0.0,
    ) -> Figure:
        """Draw what the run's page draws.

        Args:
            what: ``loss`` or ``accuracy`` over training, or the ``confusion`` matrix of the test images.
            axis: ``epoch``, ``step`` or ``seconds``.
            log: whether the loss is drawn on a logarithmic axis.
            smoothing: share of the former mean that each smoothed value keeps, in [0, 1).
        """
        if what == "confusion":
            matrix = self.confusion_matrix()
            return painted(draw_confusion(matrix.to_numpy().tolist(), list(matrix.columns)))
        run, past = self.record, self._store.history(self.id)
        curves = prepare_curves(
            past.epochs,
            past.steps,
            metric=what,
            axis=axis,
            steps_per_epoch=run.config.steps_per_epoch,
            steps_until=run.config.epoch_ends,
            leak=run.config.leaks_test_set,
        )
        options = CurveOptions(axis=axis, log_scale=log, smoothing=smoothing)
        return painted(draw_curves(curves, metric=what, options=options, best_epoch=run.best_epoch))

    def __repr__(self) -> str:
        return lines(*self._summary(), note=self.reason)

    def _repr_html_(self) -> str:
        return card(*self._summary(), note=self.reason)

    def _summary(self) -> tuple[str, list[tuple[str, str]]]:
        run = self.record
        rows = [
            ("state", f"{run.state}, {plural(run.epoch, 'epoch')} of {run.config.epochs}"),
            ("test accuracy", percent(run.test_accuracy)),
            ("test loss", number(run.test_loss)),
            (
                "best validation accuracy",
                percent(run.best_val_accuracy)
                + (f" after epoch {run.best_epoch}" if run.best_epoch else ""),
            ),
            ("parameters", f"{run.n_parameters:,}"),
            (
                "training",
                f"{duration(run.seconds_training)} on {run.device}" if run.device else NOTHING,
            ),
        ]
        return f"Run {run.id}, {run.title}", rows
