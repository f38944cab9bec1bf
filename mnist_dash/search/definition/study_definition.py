"""A study as a person defines it: space, objectives, sampler, pruner, budget, seeds. Checked as a whole before anything runs."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from itertools import islice
from typing import Any

from pydantic import Field, ValidationError, field_validator

from mnist_dash.core.config import nested
from mnist_dash.core.kinds.problems import invalid, problems_of
from mnist_dash.core.kinds.spec import Spec
from mnist_dash.errors import InvalidStudy, Problem
from mnist_dash.search.definition.methods import (
    OBJECTIVES,
    TPE,
    ArtifactPolicy,
    Budget,
    NoPruner,
    Objective,
    ObjectiveName,
    Pruner,
    Sampler,
)
from mnist_dash.search.definition.space import MAX_GRID, SearchSpace
from mnist_dash.search.definition.space_rules import check_space
from mnist_dash.text import listed

MAX_NAME = 64
DEFAULT_TRIALS = 30


class StudyDefinition(Spec):
    """Everything that decides which trials a study makes, and what they are compared by."""

    name: str = Field(min_length=1, max_length=MAX_NAME)
    question: str = Field("", max_length=400, description="what the study answers, in a sentence")
    space: SearchSpace
    objectives: tuple[ObjectiveName, ...] = Field(("val_accuracy",), min_length=1, max_length=3)
    sampler: Sampler = TPE()
    pruner: Pruner = NoPruner()
    budget: Budget = Budget(trials=DEFAULT_TRIALS)
    parallelism: int = Field(1, ge=1, le=256, description="trials in flight at a time")
    race: bool = Field(
        False,
        description="whether the trials in flight train in turns, so that all move forward together",
    )
    seeds: int = Field(
        1, ge=1, le=20, description="runs a trial, seed after seed; the objective is their mean"
    )
    seed: int = Field(
        0, ge=0, lt=2**32, description="of the sampler; the runs' own begins with the base's"
    )
    keep: ArtifactPolicy = ArtifactPolicy()

    @field_validator("objectives", mode="before")
    @classmethod
    def _never_by_the_test_set(cls, names: object) -> object:
        for name in names if isinstance(names, list | tuple) else ():
            if isinstance(name, str) and (name.startswith("test") or name == "accuracy"):
                better = "val_loss" if "loss" in name else "val_accuracy"
                fault = f"{name!r} is no objective: a study that chose by the test set would have no test set left to judge it by"
                raise invalid("", fault, listed(OBJECTIVES), f"Choose {better}.")
        return names

    @property
    def goals(self) -> tuple[Objective, ...]:
        """The objectives with their directions."""
        return tuple(OBJECTIVES[name] for name in self.objectives)

    @property
    def n_grid(self) -> int | None:
        """How many points the grid has; None for other samplers."""
        return (
            sum(1 for _ in islice(self.space.grid(), MAX_GRID + 1))
            if self.sampler.kind == "grid"
            else None
        )

    @property
    def n_planned(self) -> int | None:
        """How many trials it has at most; None where time or convergence decides."""
        known = [number for number in (self.n_grid, self.budget.trials) if number is not None]
        return min(known, default=None)

    @property
    def run_seeds(self) -> tuple[int, ...]:
        """Seeds of the runs of each trial."""
        return tuple((self.space.base.seed + index) % 2**32 for index in range(self.seeds))


def canonical(definition: StudyDefinition) -> str:
    """Write a definition as JSON, sorted and without white space."""
    return json.dumps(definition.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


def parse_definition(values: Mapping[str, Any] | str) -> StudyDefinition:
    """Validate a mapping or the JSON of one, the rules between its parts included.

    Raises:
        InvalidStudy: rules are broken; all of them are named.
    """
    tree = nested.read_json(values) if isinstance(values, str) else values
    try:
        definition = StudyDefinition.model_validate(tree)
    except ValidationError as error:
        raise InvalidStudy(problems_of(error)) from error
    problems = check(definition)
    if problems:
        raise InvalidStudy(problems)
    return definition


def trusted(text: str) -> StudyDefinition:
    """Read a definition that was checked when it was stored."""
    return StudyDefinition.model_validate_json(text)


def check(definition: StudyDefinition) -> tuple[Problem, ...]:
    """Find what is wrong between the parts of a definition."""
    return (
        *_name(definition),
        *check_space(definition.space),
        *_objectives(definition),
        *_sampler(definition),
        *_budget(definition),
    )


def _name(definition: StudyDefinition) -> tuple[Problem, ...]:
    name = definition.name
    if name != name.strip() or any(
        unicodedata.category(character).startswith("C") for character in name
    ):
        return (
            Problem(
                "name",
                f"{name!r} has blanks at its ends or characters that do not print",
                "",
                "Type a name such as batch-size.",
            ),
        )
    return ()


def _objectives(definition: StudyDefinition) -> tuple[Problem, ...]:
    problems = []
    names = definition.objectives
    if len(set(names)) < len(names):
        problems.append(
            Problem(
                "objectives", f"{', '.join(names)}: one is named twice", "", "Remove one of them."
            )
        )
    if definition.pruner.kind != "none" and len(names) > 1:
        fault = f"{definition.pruner.kind} cannot compare trials by {len(names)} objectives"
        problems.append(
            Problem("pruner", fault, "", "Set pruner to none, or choose one objective.")
        )
    elif definition.pruner.kind != "none" and not definition.goals[0].by_epoch:
        fault = f"{definition.pruner.kind} has nothing to compare trials by before their end: {names[0]} is known only then"
        remedy = "Choose val_accuracy or val_loss as the objective, or set pruner to none."
        problems.append(Problem("pruner", fault, "", remedy))
    if definition.budget.stagnation is not None and len(names) > 1:
        fault = f"with {len(names)} objectives no trial is simply better than the others"
        problems.append(
            Problem("budget.stagnation", fault, "", "Give a number of trials or minutes instead.")
        )
    if definition.space.base.leaks_test_set and any(name.startswith("val_") for name in names):
        fault = "split test_as_validation would have the study choose by the test set"
        remedy = "Set split.kind of the base to tail, random or stratified."
        problems.append(Problem("base", fault, "", remedy))
    return tuple(problems)


def _sampler(definition: StudyDefinition) -> tuple[Problem, ...]:
    sampler, space = definition.sampler, definition.space
    if sampler.kind == "cmaes":
        if len(definition.objectives) > 1:
            return (
                Problem(
                    "sampler",
                    f"CMA-ES cannot search by {len(definition.objectives)} objectives",
                    "",
                    "Choose nsga2 or tpe.",
                ),
            )
        if all(parameter.kind == "choice" for parameter in space.parameters):
            return (
                Problem(
                    "sampler", "CMA-ES cannot search over choices alone", "", "Choose tpe, or grid."
                ),
            )
    if sampler.kind != "grid":
        return ()
    endless = [parameter.path for parameter in space.parameters if parameter.n_values is None]
    if endless:
        remedy = "Give it a step or a list of values, or choose another sampler."
        return tuple(
            Problem(
                f"space.{path}", "a continuous range has no end of values for a grid", "", remedy
            )
            for path in endless
        )
    bound = space.grid_bound or 0
    if (definition.n_grid or 0) > MAX_GRID:
        n_points = f"up to {bound:,}" if space.is_conditional else f"{bound:,}"
        remedy = "Make steps larger or lists shorter, or choose tpe or qmc."
        return (
            Problem("sampler", f"the grid has {n_points} points", f"at most {MAX_GRID:,}", remedy),
        )
    return ()


def _budget(definition: StudyDefinition) -> tuple[Problem, ...]:
    budget = definition.budget
    if definition.sampler.kind == "grid" or (budget.trials, budget.minutes, budget.stagnation) != (
        None,
        None,
        None,
    ):
        return ()
    return (
        Problem("budget", "the study would never end", "", "Give trials, minutes or stagnation."),
    )
