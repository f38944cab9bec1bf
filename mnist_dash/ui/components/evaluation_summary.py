"""What the probabilities of some images say as a whole, computed once for all sessions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import streamlit as st

from mnist_dash.core.analysis.evaluation import (
    ClassRow,
    ConfusedPair,
    classification_report,
    confused_pairs,
    confusion_matrix,
    cross_entropy,
    wilson_interval,
)
from mnist_dash.ui.components.run_evaluation import Evaluated

N_PAIRS = 6
"""Confusions that are put into words."""
SURE = 0.95
"""Confidence of the interval around the test accuracy."""


@dataclass(frozen=True)
class Summary:
    """What the probabilities of some images say."""

    confusion: npt.NDArray[np.int64]
    """``(10, 10)`` counts; a row is a true class, a column a predicted one."""
    report: tuple[ClassRow, ...]
    pairs: tuple[ConfusedPair, ...]
    n_right: int
    n_images: int
    interval: tuple[float, float]
    """Of the accuracy, at a confidence of 95 %."""
    loss: float
    """Mean cross-entropy, in nats."""


def summary(of: Evaluated) -> Summary:
    """Evaluate probabilities, once for all sessions."""
    return _summarise(of.name, of)


@st.cache_resource(show_spinner=False, max_entries=64)
def _summarise(name: str, _of: Evaluated) -> Summary:  # noqa: ARG001 - the cache's key
    confusion = confusion_matrix(_of.labels, _of.probabilities)
    n_right, n_images = int(confusion.trace()), len(_of.labels)
    return Summary(
        confusion=confusion,
        report=classification_report(_of.labels, _of.probabilities),
        pairs=confused_pairs(confusion, N_PAIRS),
        n_right=n_right,
        n_images=n_images,
        interval=wilson_interval(n_right, n_images, SURE),
        loss=cross_entropy(_of.labels, _of.probabilities),
    )
