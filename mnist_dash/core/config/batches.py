"""Batches that batch normalisation cannot be trained on: with a single value a channel there is no variance to divide by."""

from __future__ import annotations

import math

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.layers import BatchNorm
from mnist_dash.errors import InvalidConfig, Problem


def check_batches(config: RunConfig) -> RunConfig:
    """Refuse a new configuration whose batches would be too small; what is stored already is read without this.

    Returns:
        The configuration.

    Raises:
        InvalidConfig: a batch, or the last one of an epoch, has a single image where batch normalisation sees one value a channel.
    """
    problems = batch_problems(config)
    if problems:
        raise InvalidConfig(problems)
    return config


def batch_problems(config: RunConfig) -> tuple[Problem, ...]:
    """Find the batch sizes, that of a change included, with which batch normalisation would get a single value a channel."""
    narrow = next(
        (
            index
            for index in _batch_norms(config)
            if math.prod(config.plan[index].input_shape[:-1]) == 1
        ),
        None,
    )
    if narrow is None:
        return ()
    sizes = [("batch_size", config.batch_size)]
    sizes += [
        (f"changes.{n}.batch_size", each.batch_size)
        for n, each in enumerate(config.changes)
        if each.batch_size is not None
    ]
    return tuple(
        problem
        for path, size in sizes
        if (problem := _problem(path, size, narrow, config.n_training)) is not None
    )


def leaves_one(n_images: int, batch_size: int) -> bool:
    """Say whether an epoch has a batch of a single image."""
    return batch_size == 1 or n_images % batch_size == 1


def _problem(path: str, size: int, index: int, n_images: int) -> Problem | None:
    if not leaves_one(n_images, size):
        return None
    if size == 1:
        return Problem(
            path,
            f"1 image is too few for the batch normalisation in layer {index + 1}",
            "at least 2",
            "Choose 32, say.",
        )
    fault = f"{size:,} leaves a last batch of 1 image ({n_images:,} = {n_images // size:,} x {size:,} + 1)"
    other = next(other for other in range(size + 1, size + 10) if not leaves_one(n_images, other))
    return Problem(
        path,
        f"{fault}, too few for the batch normalisation in layer {index + 1}",
        "",
        f"Choose {other:,}, say.",
    )


def _batch_norms(config: RunConfig) -> list[int]:
    return [index for index, layer in enumerate(config.layers) if isinstance(layer, BatchNorm)]
