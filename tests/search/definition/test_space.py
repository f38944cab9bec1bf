"""Spaces: values to configurations and back, conditions, grids, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.layers import Conv, Dense, Dropout
from mnist_dash.core.optimizers import SGD
from mnist_dash.errors import InvalidStudy
from mnist_dash.search.definition.space import (
    Choice,
    Condition,
    FloatRange,
    IntRange,
    SearchSpace,
    is_whole,
)
from mnist_dash.search.definition.space_rules import check_space
from mnist_dash.search.definition.study_definition import check
from mnist_dash.search.definition.study_files import parse_study, write_study
from tests.search.conftest import define

SPACE = SearchSpace(
    base=RunConfig(),
    parameters=(
        Choice(path="optimizer.kind", values=("sgd", "adam")),
        FloatRange(path="optimizer.learning_rate", low=1e-4, high=1, log=True),
        FloatRange(
            path="optimizer.momentum",
            low=0,
            high=0.9,
            when=(Condition(path="optimizer.kind", values=("sgd",)),),
        ),
        IntRange(path="dense.n_layers", low=0, high=3),
        IntRange(path="dense.0.units", low=16, high=512, log=True),
        IntRange(path="dense.1.units", low=16, high=64, step=16),
        FloatRange(path="dense.dropout", low=0, high=0.5, step=0.25),
    ),
)
POINTS = st.lists(st.floats(0, 1, exclude_max=True), min_size=7, max_size=7)


@given(POINTS)
def test_every_point_of_the_cube_is_a_configuration(point: list[float]) -> None:
    """Whatever is drawn makes a configuration that has exactly the drawn values, and only what applies is drawn."""
    values = SPACE.from_unit(point)
    config = SPACE.configure(values)
    assert config.optimizer.kind == values["optimizer.kind"]
    assert config.optimizer.learning_rate == pytest.approx(values["optimizer.learning_rate"])
    assert ("optimizer.momentum" in values) == (config.optimizer.kind == "sgd")
    hidden = [layer for layer in config.layers[:-1] if isinstance(layer, Dense)]
    assert len(hidden) == values["dense.n_layers"]
    assert [f"dense.{index}.units" in values for index in (0, 1)] == [
        len(hidden) > 0,
        len(hidden) > 1,
    ]
    assert all(
        layer.units == values[f"dense.{index}.units"] for index, layer in enumerate(hidden[:2])
    )
    assert sum(isinstance(layer, Dropout) for layer in config.layers) == (
        len(hidden) if values["dense.dropout"] else 0
    )
    assert SPACE.restrict(values) == values


@given(POINTS)
def test_units_and_values_go_both_ways(point: list[float]) -> None:
    """A value placed in the cube and drawn from there is the value."""
    for parameter, fraction in zip(SPACE.parameters, point, strict=True):
        value = parameter.from_unit(fraction)
        assert parameter.contains(value)
        again = parameter.from_unit(min(parameter.to_unit(value), 1 - 1e-12))
        assert again == (pytest.approx(value) if isinstance(value, float) else value)


def test_grid_is_every_combination_once() -> None:
    """A conditional grid has the combinations of what applies, none twice."""
    space = SearchSpace(
        base=RunConfig(),
        parameters=(
            Choice(path="optimizer.kind", values=("sgd", "adam")),
            FloatRange(
                path="optimizer.momentum",
                low=0,
                high=0.9,
                step=0.45,
                when=(Condition(path="optimizer.kind", values=("sgd",)),),
            ),
            IntRange(path="batch_size", low=32, high=96, step=32),
        ),
    )
    points = list(space.grid())
    assert len(points) == (3 + 1) * 3
    assert len({repr(point) for point in points}) == len(points)
    assert space.grid_bound == 2 * 3 * 3


def test_kind_is_changed_before_its_settings() -> None:
    """A setting named before the kind it belongs to survives the change of the kind."""
    space = SearchSpace(
        base=RunConfig(), parameters=(FloatRange(path="optimizer.momentum", low=0, high=0.9),)
    )
    config = space.configure({"optimizer.momentum": 0.5, "optimizer.kind": "sgd"}, seed=7)
    assert config.optimizer == SGD(momentum=0.5)
    assert config.seed == 7


def test_words_shape_a_network() -> None:
    """Convolutions and dense layers are built with what the base has where nothing else is said."""
    space = SearchSpace(
        base=RunConfig(), parameters=(IntRange(path="conv.n_layers", low=1, high=4),)
    )
    config = space.configure(
        {
            "conv.n_layers": 4,
            "conv.filters": 8,
            "conv.2.filters": 16,
            "dense.n_layers": 1,
            "dense.activation": "tanh",
        }
    )
    assert [layer.filters for layer in config.layers if isinstance(layer, Conv)] == [8, 8, 16, 8]
    hidden = config.layers[-2]
    assert isinstance(hidden, Dense)
    assert (hidden.units, hidden.activation) == (512, "tanh")


def test_whole_numbers_are_known_by_their_fields() -> None:
    """The type of a range follows from the field that its path ends in."""
    assert [
        is_whole(path) for path in ("batch_size", "layers.1.units", "dense.n_layers", "split.seed")
    ] == [True] * 4
    assert not any(
        is_whole(path)
        for path in (
            "optimizer.learning_rate",
            "split.fraction",
            "layers.2.rate",
            "label_smoothing",
        )
    )


REFUSED = {
    "optimizer.learning_rate: {low: 0, high: 1, log: true}": "low, 0, has no logarithm (above 0)",
    "optimizer.learning_rate: {low: 1, high: 1000}": "1000 is too large (above 0 and at most 100)",
    "optimizer.learning_rate: {low: 1, high: 0.1}": "low, 1, is above high, 0.1. Swap them.",
    "optimizer.lerning_rate: {low: 0.1, high: 1}": "adam has no field lerning_rate",
    "optimiser.learning_rate: {low: 0.1, high: 1}": "there is no such field. Did you mean optimizer.learning_rate",
    "batch_size: {low: 1.5, high: 8}": "space.batch_size.low: 1.5 is no whole number",
    "batch_size: {low: 16, high: 55000}": "55,000 is more than the training part has (50,000 images). Choose at most 50,000",
    "batch_size: {high: 8}": "the range has no low. Add low.",
    "batch_size: 8": "'8' stands where a list of values or a range is wanted",
    "batch_size: [8, 8]": "8 is listed twice",
    "seed: [1, 2]": "it changes nothing that trials could be compared by. Give the study several seeds instead",
    "optimizer.momentum: {low: 0, high: 0.9, when: {optimizer.kind: sgd}}": "it depends on optimizer.kind, which is not explored before it",
    "optimizer.kind: [sgd, adam]\n  optimizer.momentum: {low: 0, high: 0.9}": "adam does not have it. Add when",
    "optimizer.kind: [sgd, adam]\n  optimizer.momentum: {low: 0, high: 0.9, when: {optimizer.kind: lion}}": "condition names 'lion'",
    "dense.1.units: {low: 8, high: 16}": "it depends on dense.n_layers, which is not explored before it",
    "dense.n_layers: {low: 1, high: 1}\n  dense.3.units: {low: 8, high: 16}": "dense.n_layers is at most 1 and would have to be 4",
    "dense.depth: {low: 8, high: 16}": "dense.depth shapes no network",
}


@pytest.mark.parametrize("space", REFUSED)
def test_wrong_spaces_are_refused_with_the_line(space: str) -> None:
    """Each broken rule is named with its line, before anything runs."""
    with pytest.raises(InvalidStudy) as refused:
        parse_study(f"name: wrong\nspace:\n  {space}\n")
    assert REFUSED[space] in str(refused.value)
    assert str(refused.value).startswith("line ")


FILES = {
    "sampler: grid": "a continuous range has no end of values for a grid",
    "sampler: tpee": "'tpee' is not known (tpe, gp, cmaes, qmc, random, nsga2 or grid). Did you mean tpe?",
    "sampler: cmaes\nobjectives: [val_loss, seconds]": "CMA-ES cannot search by 2 objectives",
    "pruner: median\nobjective: seconds": "median has nothing to compare trials by before their end: seconds is known only then",
    "pruner: median\nobjectives: [val_loss, seconds]": "median cannot compare trials by 2 objectives",
    "objective: test_accuracy": "line 4, objective: 'test_accuracy' is no objective: a study that chose by the test set would have no",
    "set: {split.kind: test_as_validation}": "split test_as_validation would have the study choose by the test set",
    "set: {epochs: 0}": "set.epochs: 0 is too small (1 to 10,000)",
    "base: mlp_512": "no preset 'mlp_512'. Did you mean mlp_512_256?",
    "budget: {trials: 0}": "budget.trials: 0 is too small (1 to 100,000)",
    "budget: {}": "the study would never end",
    "keep: some": "'some' is not known (all, none, or best and a number). Write keep: best 5.",
    "paralelism: 2": "'paralelism' is no word of a study file",
    "seeds: 0": "seeds: 0 is too small (1 to 20)",
}


@pytest.mark.parametrize("line", FILES)
def test_wrong_files_are_refused(line: str) -> None:
    """What is wrong between the parts of a file is said with the rule."""
    with pytest.raises(Exception, match=r".") as refused:
        parse_study(
            f"name: wrong\nspace:\n  optimizer.learning_rate: {{low: 0.001, high: 0.1, log: true}}\n{line}\n"
        )
    assert FILES[line] in str(refused.value)


def test_ten_million_points_are_refused() -> None:
    """A grid that nobody could train says how many points it has."""
    with pytest.raises(InvalidStudy, match=r"the grid has 10,000,000 points \(at most 10,000\)"):
        parse_study(
            "name: x\nspace:\n  batch_size: {low: 1, high: 50000}\n  epochs: {low: 1, high: 200}\nsampler: grid\n"
        )


def test_definition_survives_its_file() -> None:
    """A definition written as a file and read again is the same."""
    for sampler in ("tpe", "gp", "cmaes", "qmc", "random", "nsga2"):
        definition = define(sampler=sampler, pruner="hyperband", keep="all")
        assert parse_study(write_study(definition)) == definition
        assert check(definition) == ()


def test_rule_of_a_base_without_pixels() -> None:
    """Convolutions need pixels."""
    space = SearchSpace(
        base=RunConfig(features="hog", layers=RunConfig().layers[1:]),
        parameters=(IntRange(path="conv.n_layers", low=1, high=2),),
    )
    assert [problem.fault for problem in check_space(space)] == [
        "hog features have no rows and columns to convolve"
    ]
