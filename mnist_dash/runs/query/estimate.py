"""What a run will cost, before it starts: seconds, memory and its place in the queue, from real timings on this device.

A run of the same network and batch size tells directly. Otherwise the nearest kind of network tells by its rate: a step takes a fixed time
and its floating-point operations, three forward passes' worth (the backward pass costs two). Before any run there is the calibration that
every worker makes when it first starts on a machine (`mnist_dash.core.training.device_benchmark`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import sqlalchemy as sa

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.layers import Conv
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store, run_from_row
from mnist_dash.runs.store.states import RunState

N_RECENT = 60
"""Runs that are looked at for timings."""
STEP_OVERHEAD_SECONDS = 0.0003
"""Dispatch of one optimizer step, measured on the linear network."""
_MOMENTS = {
    "sgd": 0,
    "adam": 2,
    "adamw": 2,
    "nadam": 2,
    "rmsprop": 1,
    "adadelta": 2,
    "adagrad": 1,
    "lion": 1,
}
_FLOAT_BYTES = 4
_PROCESS_BYTES = 550 * 2**20
"""Resident size of a trainer with torch and MNIST in memory, measured."""


@dataclass(frozen=True)
class Estimate:
    """What a configuration will take on the device of this installation."""

    seconds_per_epoch: float | None
    """Training and evaluation of one epoch; None before anything was timed here."""
    seconds_total: float | None
    memory_bytes: int
    basis: str
    """What the timing rests on, in words."""
    n_ahead: int
    """Runs that start before this one could."""
    seconds_ahead: float | None
    """Estimated seconds until a worker is free for it."""


def estimate(store: Store, config: RunConfig) -> Estimate:
    """Estimate a configuration's cost and its wait."""
    timed = _recent(store)
    seconds, basis = _seconds_per_epoch(store, config, timed)
    ahead = _ahead(store)
    waits = [_wait(store, run, timed) for run in ahead]
    known = [wait for wait in waits if wait is not None]
    n_workers = max(1, sum(worker.state != "gone" for worker in store.workers()))
    return Estimate(
        seconds_per_epoch=seconds,
        seconds_total=None if seconds is None else seconds * config.epochs,
        memory_bytes=memory_bytes(config),
        basis=basis,
        n_ahead=len(ahead),
        seconds_ahead=None if len(known) < len(waits) else sum(known) / n_workers,
    )


def memory_bytes(config: RunConfig) -> int:
    """Estimate a trainer's memory: the process, weights, gradients, the optimizer's moments, and one batch's activations twice."""
    activations = sum(math.prod(layer.output_shape) for layer in config.plan) * config.batch_size
    per_weight = 2 + _MOMENTS[config.optimizer.kind]
    return _PROCESS_BYTES + _FLOAT_BYTES * (config.n_parameters * per_weight + 2 * activations)


def family(config: RunConfig) -> str:
    """Name the kind of network whose rate tells for others: ``conv`` or ``dense``."""
    return "conv" if any(isinstance(layer, Conv) for layer in config.layers) else "dense"


def flops_per_epoch(config: RunConfig) -> int:
    """Count the floating-point operations of an epoch: three forward passes over the training part, and one more over all to evaluate."""
    forward = sum(layer.flops for layer in config.plan)
    return forward * (3 * config.n_training + config.n_training + config.n_validation)


def _seconds_per_epoch(
    store: Store, config: RunConfig, timed: list[Run]
) -> tuple[float | None, str]:
    same = [
        run
        for run in timed
        if run.config.layers == config.layers and run.config.batch_size == config.batch_size
    ]
    same = [
        run
        for run in same
        if run.config.precision == config.precision
        and run.config.optimizer.kind == config.optimizer.kind
    ]
    if same:
        share = (config.n_training + config.n_validation) / (
            same[0].config.n_training + same[0].config.n_validation
        )
        return _per_epoch(same[0]) * share, f"measured in {same[0].title}"
    akin = [run for run in timed if family(run.config) == family(config)]
    if akin:
        nearest = min(
            akin,
            key=lambda run: abs(math.log(flops_per_epoch(run.config) / flops_per_epoch(config))),
        )
        busy = max(
            _per_epoch(nearest) - STEP_OVERHEAD_SECONDS * nearest.config.steps_per_epoch,
            0.1 * _per_epoch(nearest),
        )
        seconds = (
            busy * flops_per_epoch(config) / flops_per_epoch(nearest.config)
            + STEP_OVERHEAD_SECONDS * config.steps_per_epoch
        )
        return seconds, f"scaled from {nearest.title} by the number of operations"
    table = schema.calibrations
    query = (
        sa.select(table.c.flops_per_second)
        .where(table.c.family == family(config))
        .order_by(table.c.created_at.desc())
        .limit(1)
    )
    with store.reading() as connection:
        rate = connection.execute(query).scalar()
    if rate:
        return (
            flops_per_epoch(config) / rate + STEP_OVERHEAD_SECONDS * config.steps_per_epoch,
            "from a calibration of this device",
        )
    return None, "nothing timed here yet"


def _recent(store: Store) -> list[Run]:
    runs = schema.runs
    query = (
        sa.select(runs).where(runs.c.epoch > 0).order_by(runs.c.created_at.desc()).limit(N_RECENT)
    )
    with store.reading() as connection:
        return [run_from_row(row) for row in connection.execute(query).mappings()]


def _ahead(store: Store) -> tuple[Run, ...]:
    running = store.runs(states=[RunState.RUNNING], limit=1000)
    n_idle = sum(worker.state == "idle" for worker in store.workers())
    queued = store.queue()
    return () if n_idle > len(queued) else (*running, *queued)


def _wait(store: Store, run: Run, timed: list[Run]) -> float | None:
    if run.seconds_left is not None:
        return run.seconds_left
    seconds, _ = _seconds_per_epoch(store, run.config, timed)
    return None if seconds is None else seconds * (run.config.epochs - run.epoch)


def _per_epoch(run: Run) -> float:
    return (run.seconds_training + run.seconds_evaluation) / run.epoch
