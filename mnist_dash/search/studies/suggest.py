"""The next configuration to try, from any runs that share their settings: a study's, or ones made by hand.

A Gaussian process over the settings, scaled to the unit cube, says what to expect of configurations that were not tried; proposed is the
one with the largest expected improvement on the best so far (Jones et al., 1998). The same runs give the same proposal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from mnist_dash.core.config import nested
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.errors import InvalidConfig, InvalidInput
from mnist_dash.search.definition.space import (
    Choice,
    FloatRange,
    IntRange,
    Parameter,
    Scalar,
    SearchSpace,
    is_whole,
)
from mnist_dash.text import plural, verb

MIN_RUNS = 3
N_CANDIDATES = 1_000
MAX_OBSERVED = 400
"""Runs that the process is fitted to, the best and the newest ones; its cost grows with their cube."""
_WIDTHS = (0.1, 0.2, 0.4, 0.8)
_NOISES = (1e-4, 1e-2, 1e-1)
_LOG_SETTINGS = ("learning_rate", "weight_decay", "l2", "epsilon", "batch_size", "units", "filters")
"""Settings whose ratios matter, by the last part of their path."""

_Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Suggestion:
    """A configuration to try next, and why."""

    values: dict[str, Scalar]
    """Of the explored settings, by path."""
    config: RunConfig
    expected: float
    """What the process expects of it."""
    deviation: float
    """Its standard deviation: how sure the process is."""
    best: float
    """The best figure so far."""
    distance: float
    """To the nearest configuration that was tried, as a share of the settings' ranges, in [0, 1]."""
    n_observed: int

    @property
    def reason(self) -> str:
        """Why it is proposed, in a sentence."""
        what = (
            "far from everything tried"
            if self.distance > 0.25
            else "close to what did well"
            if self.distance < 0.08
            else "between what was tried"
        )
        return (
            f"It lies {what}, and of all candidates it is expected to gain most on the best so far."
        )


def suggest(
    space: SearchSpace,
    tried: Sequence[Mapping[str, Scalar]],
    figures: Sequence[float],
    *,
    maximize: bool,
) -> Suggestion:
    """Propose the next configuration.

    Args:
        space: the explored settings.
        tried: values of each run or trial; those that lie outside of the space are left out.
        figures: what is optimised, of each.
        maximize: whether larger is better.

    Raises:
        InvalidInput: fewer than `MIN_RUNS` lie in the space.
    """
    known = [
        (kept, figure)
        for values, figure in zip(tried, figures, strict=True)
        if (kept := space.restrict(values)) and math.isfinite(figure)
    ]
    if len(known) < MIN_RUNS:
        raise InvalidInput(
            f"{plural(len(known), 'run')} with settings in common {verb(len(known), 'are')} too few for a proposal (at least {MIN_RUNS}). "
            "Train some more first."
        )
    losses = np.array([-figure if maximize else figure for _, figure in known])
    points = np.array([_unit(space, values) for values, _ in known])
    observed = _chosen(losses)
    generator = np.random.default_rng(len(known))
    candidates = _candidates(space, points[observed][np.argsort(losses[observed])[:5]], generator)
    units = np.array([_unit(space, values) for values in candidates])
    mean, deviation = _predict(points[observed], losses[observed], units)
    gain = _expected_improvement(mean, deviation, float(losses.min()))
    for index in np.argsort(-gain):
        try:
            config = space.configure(candidates[index])
        except InvalidConfig:
            continue  # values that do not go together
        nearest = float(np.min(np.abs(points - units[index]).mean(1)))
        sign = -1 if maximize else 1
        expected, best = sign * float(mean[index]), sign * float(losses.min())
        return Suggestion(
            candidates[index], config, expected, float(deviation[index]), best, nearest, len(known)
        )
    raise InvalidInput(
        "No combination of these values makes a configuration that could be trained. Correct the ranges of the space."
    )


def space_of(configs: Sequence[RunConfig]) -> tuple[SearchSpace, tuple[dict[str, Scalar], ...]]:
    """Find the settings in which configurations differ, with ranges that reach a little beyond what was tried.

    Seeds and devices do not count. Raises InvalidInput where nothing differs, or where they differ in more than values: in their layers'
    kinds, or in their optimizers' kinds without having the same settings.

    Returns:
        The space, and the values of each configuration.
    """
    flat = [
        nested.flatten(
            config.model_copy(update={"seed": 0, "device": "auto"}).model_dump(mode="json")
        )
        for config in configs
    ]
    shared = set(flat[0]).intersection(*flat[1:]) if flat else set()
    changing = [
        path
        for path in (flat[0] if flat else ())
        if path in shared and len({repr(one[path]) for one in flat}) > 1
    ]
    if not changing:
        raise InvalidInput(
            f"{plural(len(configs), 'run')} {verb(len(configs), 'have')} the same settings. Change one and train again."
        )
    if (
        any(path.endswith("kind") and path.startswith("layers.") for path in changing)
        or len({len(config.layers) for config in configs}) > 1
    ):
        raise InvalidInput(
            "The networks of these runs have different layers. Choose runs that differ in values only."
        )
    parameters = tuple(_parameter(path, [one[path] for one in flat]) for path in changing)
    space = SearchSpace(base=configs[0], parameters=parameters)
    return space, tuple({path: one[path] for path in changing} for one in flat)


def _parameter(path: str, values: Sequence[Scalar]) -> Parameter:
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return Choice(path=path, values=tuple(dict.fromkeys(values)))
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    low, high = min(numbers), max(numbers)
    log = path.rsplit(".", 1)[-1] in _LOG_SETTINGS and low > 0
    if log:
        reach = max(1.5, (high / low) ** 0.25)
        low, high = low / reach, high * reach
    if is_whole(path):
        return IntRange(path=path, low=max(1, math.floor(low)), high=math.ceil(high), log=log)
    return FloatRange(path=path, low=low, high=high, log=log)


def _unit(space: SearchSpace, values: Mapping[str, Scalar]) -> list[float]:
    """Place values in the unit cube; a choice has a coordinate a value, and what does not apply lies in the middle."""
    point: list[float] = []
    for parameter in space.parameters:
        if isinstance(parameter, Choice):
            own = values.get(parameter.path, ...)
            # Two choices are one apart.
            point += [
                0.7 if own is not ... and own == choice else 0.0 for choice in parameter.values
            ]
        else:
            point.append(
                parameter.to_unit(values[parameter.path]) if parameter.path in values else 0.5
            )
    return point


def _candidates(
    space: SearchSpace, leaders: _Array, generator: np.random.Generator
) -> list[dict[str, Scalar]]:
    """Draw configurations over the whole space, and others that change a few settings of the best so far."""
    n = len(space.parameters)
    drawn = [space.from_unit(generator.random(n).tolist()) for _ in range(N_CANDIDATES // 2)]
    starts = np.cumsum(
        [
            0,
            *(
                len(parameter.values) if isinstance(parameter, Choice) else 1
                for parameter in space.parameters
            ),
        ]
    )
    for index in range(N_CANDIDATES // 2):
        leader, unit = leaders[index % len(leaders)], generator.random(n)
        for place, (parameter, (first, last)) in enumerate(
            zip(space.parameters, pairwise(starts), strict=True)
        ):
            if generator.random() < 0.3:
                continue  # this one is drawn anew
            if isinstance(parameter, Choice):
                unit[place] = (int(np.argmax(leader[first:last])) + 0.5) / len(parameter.values)
            else:
                unit[place] = np.clip(
                    leader[first] + 0.08 * generator.standard_normal(), 0, 1 - 1e-9
                )
        drawn.append(space.from_unit(unit.tolist()))
    return drawn


def _chosen(losses: _Array) -> npt.NDArray[np.intp]:
    if len(losses) <= MAX_OBSERVED:
        return np.arange(len(losses))
    newest = np.arange(len(losses) - MAX_OBSERVED // 2, len(losses))
    return np.unique(
        np.concatenate([newest, np.argsort(losses, kind="stable")[: MAX_OBSERVED // 2]])
    )


def _predict(points: _Array, losses: _Array, wanted: _Array) -> tuple[_Array, _Array]:
    """Fit a process with a Matérn 5/2 kernel, its width and noise by the marginal likelihood; mean and deviation ``(m,)`` at `wanted`."""
    middle, scale = float(np.median(losses)), float(np.std(losses)) or 1.0
    # A diverging neighbour should not bend everything.
    targets = np.clip((losses - middle) / scale, -3, 3)
    best = (-math.inf, _WIDTHS[0], _NOISES[0])
    for width in _WIDTHS:
        for noise in _NOISES:
            kernel = _matern(points, points, width) + noise * np.eye(len(points))
            factor = np.linalg.cholesky(kernel + 1e-10 * np.eye(len(points)))
            solved = np.linalg.solve(factor, targets)
            likelihood = -0.5 * float(solved @ solved) - float(np.log(np.diag(factor)).sum())
            best = max(best, (likelihood, width, noise))
    _, width, noise = best
    factor = np.linalg.cholesky(
        _matern(points, points, width) + (noise + 1e-10) * np.eye(len(points))
    )
    cross = np.linalg.solve(factor, _matern(points, wanted, width))
    mean = cross.T @ np.linalg.solve(factor, targets)
    variance = np.maximum(1.0 - (cross**2).sum(0), 1e-12)
    return mean * scale + middle, np.sqrt(variance) * scale


def _matern(one: _Array, other: _Array, width: float) -> _Array:
    squared = ((one[:, None, :] - other[None, :, :]) ** 2).sum(2)
    distance = np.sqrt(5 * squared) / (width * math.sqrt(one.shape[1]))
    return np.asarray((1 + distance + distance**2 / 3) * np.exp(-distance))


def _expected_improvement(mean: _Array, deviation: _Array, best: float) -> _Array:
    z = (best - mean) / deviation
    cdf = 0.5 * (1 + np.vectorize(math.erf)(z / math.sqrt(2)))
    return np.asarray(
        (best - mean) * cdf + deviation * np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    )
