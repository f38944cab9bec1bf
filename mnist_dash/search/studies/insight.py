"""What trials say about the settings: which matter. Numpy alone, fast enough for a page with ten thousand trials."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from mnist_dash.search.definition.space import Choice, IntRange, Parameter, Scalar, SearchSpace

N_CELLS = 50
"""Cells into which a continuous range is divided."""
TOP_QUANTILE = 0.1
MIN_TRIALS = 8
"""Complete trials below which an importance would be noise."""

_Array = npt.NDArray[np.float64]


def importances(
    space: SearchSpace, parameters: Sequence[Mapping[str, Scalar]], losses: Sequence[float]
) -> dict[str, float]:
    """Rate how much each setting decides whether a trial is among the best tenth, by PED-ANOVA (Watanabe et al., 2023).

    The density of the best tenth's values is held against that of all trials; the Pearson divergence between them is a setting's
    importance. A setting that applies to some trials only is rated among those, and its importance counts by their share.

    Args:
        space: the explored settings with their present ranges.
        parameters: values of each complete trial, by path.
        losses: of each trial, smaller is better.

    Returns:
        Shares that add up to 1, by path, the largest first; empty with fewer than `MIN_TRIALS` trials or when nothing differs.
    """
    rated: dict[str, float] = {}
    for parameter in space.parameters:
        path = parameter.path
        chosen = [
            index
            for index, values in enumerate(parameters)
            if path in values and parameter.contains(values[path])
        ]
        if len(chosen) < MIN_TRIALS:
            continue
        cells, n_cells = _cells(parameter, [parameters[index][path] for index in chosen])
        own = np.array([losses[index] for index in chosen])
        bound = np.partition(own, max(1, math.ceil(TOP_QUANTILE * len(own)) - 1))[
            max(1, math.ceil(TOP_QUANTILE * len(own)) - 1)
        ]
        is_choice = isinstance(parameter, Choice)
        top = (
            _density(np.bincount(cells[own <= bound], minlength=n_cells), is_choice=is_choice)
            + 1e-12
        )
        everywhere = _density(np.bincount(cells, minlength=n_cells), is_choice=is_choice) + 1e-12
        divergence = float(everywhere @ ((top / everywhere - 1) ** 2))
        rated[path] = divergence * len(chosen) / len(parameters)
    total = sum(rated.values())
    if total <= 0:
        return {}
    return dict(
        sorted(((path, value / total) for path, value in rated.items()), key=lambda item: -item[1])
    )


def _cells(parameter: Parameter, values: Sequence[Scalar]) -> tuple[npt.NDArray[np.int64], int]:
    """Put values into cells ``(n,)``, and say how many cells there are."""
    if isinstance(parameter, Choice):
        units = np.array([parameter.to_unit(value) for value in values])
        return np.minimum(
            (units * len(parameter.values)).astype(int), len(parameter.values) - 1
        ), len(parameter.values)
    numbers = np.array(values, dtype=float)
    low, high = float(parameter.low), float(parameter.high)
    n_cells = N_CELLS if parameter.n_values is None else min(parameter.n_values, N_CELLS)
    if isinstance(parameter, IntRange) and parameter.log:
        n_cells = min(math.ceil(math.log2(high - low + 1)) + 1, N_CELLS)
    if parameter.log:
        numbers, low, high = np.log(numbers), math.log(low), math.log(high)
    if n_cells < 2 or high == low:
        return np.zeros(len(numbers), dtype=int), 1
    places = np.ceil((numbers - low) / (high - low) * (n_cells - 1) - 0.5).astype(int)
    return np.clip(places, 0, n_cells - 1), n_cells


def _density(counts: npt.NDArray[np.int64], *, is_choice: bool) -> _Array:
    """Estimate a distribution over cells from how often each was hit, with a uniform prior of weight 1."""
    n_cells, hit = len(counts), np.flatnonzero(counts)
    weights = counts[hit].astype(float)
    shares = np.append(weights, 1.0) / (weights.sum() + 1.0)
    if is_choice:
        kernels = np.full((len(hit) + 1, n_cells), 1.0 / (len(hit) + 1))
        kernels[np.arange(len(hit)), hit] += 1.0
        return np.asarray(shares @ (kernels / kernels.sum(1, keepdims=True)))
    means = np.append(hit.astype(float), (n_cells - 1) / 2)
    deviations = np.append(np.full(len(hit), _bandwidth(hit, weights)), float(n_cells))
    edges = np.arange(n_cells + 1) - 0.5
    cumulated = _normal_cdf((edges[None, :] - means[:, None]) / deviations[:, None])
    mass = np.diff(cumulated, axis=1) / (cumulated[:, -1:] - cumulated[:, :1])
    return np.asarray(shares @ mass)


def _bandwidth(hit: npt.NDArray[np.int64], weights: _Array) -> float:
    """Choose the width of a cell's kernel by Scott's rule (Scott, 1992), at least so that a kernel fills its cell."""
    total = weights.sum()
    mean = hit @ weights / total
    deviation = math.sqrt(((hit - mean) ** 2 @ weights) / max(1.0, total - 1))
    cumulated = np.cumsum(weights)
    first = int(np.searchsorted(cumulated, total // 4, side="left"))
    third = int(np.searchsorted(cumulated, total * 3 // 4, side="right"))
    spread = float(hit[min(len(hit) - 1, third)] - hit[first])
    return float(max(1.059 * min(spread / 1.34, deviation) * total**-0.2, 0.5 / 1.64))


def _normal_cdf(z: _Array) -> _Array:
    return np.asarray(0.5 * (1 + np.vectorize(math.erf)(z / math.sqrt(2))))
