"""Optimizers against their definitions, worked out in numpy in double precision."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import torch

from mnist_dash.core import optimizers as specs

Array = npt.NDArray[np.float64]
State = dict[str, Array]
N_STEPS = 7
RATE = 0.05
GENERATOR = np.random.default_rng(5)
START = GENERATOR.normal(size=(3, 4))
GRADIENTS = [
    GENERATOR.normal(size=(3, 4)) * 10.0 ** GENERATOR.integers(-4, 1) for _ in range(N_STEPS)
]


def sgd(w: Array, g: Array, s: State, _t: int) -> Array:
    """Plain descent."""
    return w - RATE * g


def momentum(w: Array, g: Array, s: State, _t: int) -> Array:
    """Keras 2: ``v = 0.9 v - rate g; w += v``."""
    s["v"] = 0.9 * s.get("v", np.zeros_like(w)) - RATE * g
    return w + s["v"]


def nesterov(w: Array, g: Array, s: State, _t: int) -> Array:
    """Keras 2: ``v = 0.9 v - rate g; w += 0.9 v - rate g``."""
    s["v"] = 0.9 * s.get("v", np.zeros_like(w)) - RATE * g
    step: Array = 0.9 * s["v"] - RATE * g
    return w + step


def moments(g: Array, s: State, beta_1: float, beta_2: float) -> tuple[Array, Array]:
    """Adam's moving averages."""
    s["m"] = beta_1 * s.get("m", np.zeros_like(g)) + (1 - beta_1) * g
    s["v"] = beta_2 * s.get("v", np.zeros_like(g)) + (1 - beta_2) * g**2
    return s["m"], s["v"]


def adam(w: Array, g: Array, s: State, t: int) -> Array:
    """Kingma and Ba (2015), end of section 2: epsilon outside the bias correction."""
    m, v = moments(g, s, 0.9, 0.999)
    correction = float(np.sqrt(1 - 0.999**t) / (1 - 0.9**t))
    return w - RATE * correction * m / (np.sqrt(v) + 1e-4)


def adamw(w: Array, g: Array, s: State, t: int) -> Array:
    """Loshchilov and Hutter (2019): the decay beside the step."""
    return adam(w, g, s, t) - RATE * 0.1 * w


def nadam(w: Array, g: Array, s: State, t: int) -> Array:
    """Keras 2: a momentum that warms up, both corrections, epsilon beside the corrected root."""
    m, v = moments(g, s, 0.9, 0.999)
    now, following = (0.9 * (1 - 0.5 * 0.96 ** (0.004 * at)) for at in (t, t + 1))
    s["product"] = s.get("product", np.ones(1)) * now
    mean = (1 - now) * g / (1 - s["product"]) + following * m / (1 - s["product"] * following)
    step: Array = RATE * mean / (np.sqrt(v / (1 - 0.999**t)) + 1e-4)
    return w - step


def rmsprop(w: Array, g: Array, s: State, _t: int) -> Array:
    """Keras 2: epsilon outside the root."""
    s["a"] = 0.9 * s.get("a", np.zeros_like(w)) + 0.1 * g**2
    return w - RATE * g / (np.sqrt(s["a"]) + 1e-4)


def adadelta(w: Array, g: Array, s: State, _t: int) -> Array:
    """Zeiler (2012), epsilon inside both roots."""
    s["a"] = 0.95 * s.get("a", np.zeros_like(w)) + 0.05 * g**2
    update = g * np.sqrt(s.get("d", np.zeros_like(w)) + 1e-4) / np.sqrt(s["a"] + 1e-4)
    s["d"] = 0.95 * s.get("d", np.zeros_like(w)) + 0.05 * update**2
    return w - RATE * update


def adagrad(w: Array, g: Array, s: State, _t: int) -> Array:
    """Duchi et al. (2011), epsilon outside the root."""
    s["a"] = s.get("a", np.zeros_like(w)) + g**2
    return w - RATE * g / (np.sqrt(s["a"]) + 1e-4)


def lion(w: Array, g: Array, s: State, _t: int) -> Array:
    """Chen et al. (2023), with decoupled weight decay."""
    m = s.get("m", np.zeros_like(w))
    s["m"] = 0.99 * m + 0.01 * g
    return w - RATE * (np.sign(0.9 * m + 0.1 * g) + 0.1 * w)


CASES: list[tuple[specs.Optimizer, Callable[[Array, Array, State, int], Array]]] = [
    (specs.SGD(), sgd),
    (specs.SGD(momentum=0.9), momentum),
    (specs.SGD(momentum=0.9, nesterov=True), nesterov),
    (specs.Adam(epsilon=1e-4), adam),
    (specs.AdamW(epsilon=1e-4, weight_decay=0.1), adamw),
    (specs.NAdam(epsilon=1e-4), nadam),
    (specs.RMSprop(epsilon=1e-4), rmsprop),
    (specs.Adadelta(epsilon=1e-4), adadelta),
    (specs.Adagrad(epsilon=1e-4), adagrad),
    (specs.Lion(weight_decay=0.1), lion),
]


@pytest.mark.parametrize("recordable", [False, True])
@pytest.mark.parametrize(
    ("spec", "definition"), CASES, ids=[definition.__name__ for _, definition in CASES]
)
def test_steps_follow_the_definition(
    spec: specs.Optimizer,
    definition: Callable[[Array, Array, State, int], Array],
    *,
    recordable: bool,
) -> None:
    """Seven steps with gradients of many sizes land where the formula does, whether the factors are floats or tensors."""
    parameter = torch.tensor(START, dtype=torch.float32)
    optimizer = spec.build([parameter], recordable=recordable)
    expected = START.copy()
    state: State = {}
    for t, gradient in enumerate(GRADIENTS, start=1):
        factors = [
            torch.tensor(factor) if recordable else factor for factor in optimizer.factors(RATE, t)
        ]
        optimizer.apply([torch.tensor(gradient, dtype=torch.float32)], *factors)
        expected = definition(expected, gradient, state, t)
    assert np.allclose(parameter.numpy(), expected, rtol=2e-5, atol=2e-6)
