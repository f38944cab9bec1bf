"""A made-up study: trials in every state, a conditional setting, curves, seeds."""

from __future__ import annotations

import numpy as np

from mnist_dash.figures.study.trials import Axis, Objective, Trials, select

OBJECTIVE = Objective("val_accuracy", "validation accuracy", maximize=True)
SIZE = Objective("n_parameters", "parameters", maximize=False)
AXES = (
    Axis("optimizer.learning_rate", "float", log=True, low=1e-4, high=1e-1),
    Axis("layers.0.units", "int", log=True, low=16, high=1024),
    Axis("dropout.rate", "float", low=0, high=0.6),
    Axis("optimizer.kind", "choice", choices=("sgd", "adam", "rmsprop")),
    Axis("optimizer.momentum", "float", low=0, high=1),
)


def sample(n: int, seed: int = 0) -> Trials:
    """Make up ``n`` trials, at least eight; the last three run, the one before waits."""
    rng = np.random.default_rng(seed)
    rate, units = 10 ** rng.uniform(-4, -1, n), rng.integers(16, 1025, n)
    kinds = rng.choice(["sgd", "adam", "rmsprop"], n)
    accuracy = np.clip(
        0.98 - 0.02 * (np.log10(rate) + 2.3) ** 2 + rng.normal(0, 0.003, n), 0.1, 0.999
    )
    states = rng.choice(
        np.array(["complete", "pruned", "diverged", "failed", "stopped"]),
        n,
        p=[0.6, 0.3, 0.05, 0.03, 0.02],
    )
    states[0], states[-3:], states[-4] = "complete", "running", "waiting"
    lengths = np.select(
        [states == "pruned", states == "running", np.isin(states, ["waiting", "failed"])],
        [3, 4, 0],
        8,
    )
    values = np.column_stack([accuracy, 800.0 * units])
    values[~np.isin(states, ["complete", "pruned", "stopped"])] = np.nan
    started = 1.79e9 + 9 * np.arange(n) + rng.uniform(0, 4, n)
    started[states == "waiting"] = np.nan
    ended = started + lengths * rng.uniform(1, 4, n)
    ended[states == "running"] = np.nan
    return Trials(
        numbers=np.arange(n),
        states=states,
        values=values,
        parameters={
            "optimizer.learning_rate": rate.tolist(),
            "layers.0.units": units.tolist(),
            "dropout.rate": rng.uniform(0, 0.6, n).tolist(),
            "optimizer.kind": kinds.tolist(),
            "optimizer.momentum": [0.9 if kind == "sgd" else None for kind in kinds],
        },
        curves=[
            (end - 0.3 * np.exp(-np.arange(1, k + 1))).tolist()
            for end, k in zip(accuracy, lengths, strict=True)
        ],
        deviations=np.where((states == "complete") & (np.arange(n) % 2 == 0), 0.002, np.nan),
        started=started,
        ended=ended,
        hovers=[
            f"learning rate {value:.3g}<br>optimizer {kind}"
            for value, kind in zip(rate, kinds, strict=True)
        ],
    )


def nothing() -> Trials:
    """Give the trials of a study that has none."""
    return select(sample(8), np.zeros(8, dtype=bool))


def waiting() -> Trials:
    """Give a study whose only trial waits."""
    trials = sample(8)
    return select(trials, trials.states == "waiting")
