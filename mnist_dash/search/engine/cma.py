"""CMA-ES whose state is a function of the trials: nothing of it has to be stored, and a process that takes a study over replays it.

Optuna's own sampler keeps the optimizer as a pickle in its database; here the same library is told every generation again.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from mnist_dash.search.definition.methods import CMAES
from mnist_dash.search.definition.space import Choice, Scalar, SearchSpace
from mnist_dash.search.definition.study_definition import StudyDefinition

REMEMBERED = ("generation", "point")
"""What is to be remembered of a trial, by name."""


class CmaSearch:
    """Draws from the distribution of the present generation; choices are drawn at random, as CMA-ES knows numbers only."""

    def __init__(self, space: SearchSpace, definition: StudyDefinition) -> None:
        from cmaes import CMA  # brings scipy.stats, which takes 0.7 s

        assert isinstance(definition.sampler, CMAES)
        self._space = space
        self._numbers = [
            index
            for index, parameter in enumerate(space.parameters)
            if not isinstance(parameter, Choice)
        ]
        # One dimension alone has no covariance; the second is drawn and ignored.
        n = max(2, len(self._numbers))
        bounds = np.tile([0.0, 1.0], (n, 1))
        sampler = definition.sampler
        self._cma = CMA(
            mean=np.full(n, 0.5),
            sigma=sampler.sigma,
            bounds=bounds,
            seed=0,
            population_size=sampler.population_size,
        )
        self._told: dict[int, list[tuple[list[float], float]]] = defaultdict(list)

    def ask(self, generator: np.random.Generator) -> tuple[dict[str, Scalar], dict[str, Any]]:
        """Draw values; returns with them the generation and the point, to be remembered with the trial."""
        self._cma.reseed_rng(int(generator.integers(2**31)))
        point = self._cma.ask()
        unit = generator.random(len(self._space.parameters))
        unit[self._numbers] = np.minimum(point[: len(self._numbers)], 1 - 1e-12)
        return self._space.from_unit(unit.tolist()), {
            "generation": self._cma.generation,
            "point": point.tolist(),
        }

    def tell(self, attributes: Mapping[str, Any], loss: float) -> None:
        """Take a trial that has ended, in the order in which trials ended; one that it did not draw teaches it nothing.

        Args:
            attributes: what `ask` returned with the trial.
            loss: smaller is better; infinite for pruned and diverged trials.
        """
        if "point" not in attributes or not isinstance(attributes.get("generation"), int):
            return
        generation = attributes["generation"]
        self._told[generation].append((attributes["point"], loss))
        if (
            generation == self._cma.generation
            and len(self._told[generation]) >= self._cma.population_size
        ):
            worst = max(
                (value for _, value in self._told[generation] if math.isfinite(value)), default=0.0
            )
            solutions = [
                (np.asarray(point), value if math.isfinite(value) else worst + 1 + abs(worst))
                for point, value in self._told.pop(generation)[: self._cma.population_size]
            ]
            self._cma.tell(solutions)
