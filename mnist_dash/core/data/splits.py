"""Which images of the training archive are trained on and which are validated on; numpy alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mnist_dash.core.config.run_config import RunConfig

Indices = npt.NDArray[np.int64]


def validation_indices(config: RunConfig, labels: npt.NDArray[np.int64] | None) -> Indices | None:
    """Choose the validation part of the training archive as a configuration says.

    Args:
        config: names the split, its fraction and its seed.
        labels: ``(N,)``, of the training archive; only a stratified split looks at them.

    Returns:
        Ascending indices; None when the test set is validated on.

    Raises:
        ValueError: a stratified split was given no labels.
    """
    split = config.split
    n_training, n_validation = config.n_training, config.n_validation
    n = n_training + n_validation
    match split.kind:
        case "test_as_validation":
            return None
        case "tail":
            return np.arange(n_training, n)
        case "random":
            return np.sort(np.random.default_rng(split.seed).permutation(n)[:n_validation])
        case "stratified":
            if labels is None:
                raise ValueError(
                    "A stratified split needs labels. Pass those of the training archive."
                )
            return stratified(labels, n_validation, split.seed)


def training_indices(config: RunConfig, labels: npt.NDArray[np.int64] | None) -> Indices | None:
    """Choose the training part: what `validation_indices` leaves, ascending; None when that is the whole archive.

    Labels are ``(N,)`` int64, the indices ``(n_training,)`` int64.
    """
    validation = validation_indices(config, labels)
    if validation is None:
        return None
    kept = np.ones(config.n_training + config.n_validation, dtype=bool)
    kept[validation] = False
    return np.flatnonzero(kept)


def stratified(labels: npt.NDArray[np.int64], n_validation: int, seed: int) -> Indices:
    """Draw the same fraction of every class, ascending; remainders go to the classes with the largest ones.

    Labels are ``(N,)`` int64, the indices ``(n_validation,)`` int64.
    """
    rng = np.random.default_rng(seed)
    counts = np.bincount(labels)
    shares = counts * n_validation / len(labels)
    wanted = np.floor(shares).astype(int)
    wanted[np.argsort(wanted - shares, kind="stable")[: n_validation - wanted.sum()]] += 1
    drawn = [
        rng.permutation(np.flatnonzero(labels == digit))[: wanted[digit]]
        for digit in range(len(counts))
    ]
    return np.sort(np.concatenate(drawn))
