"""Proposed ranges: whatever is ticked, in whatever order, is a space that can be searched."""

from __future__ import annotations

import itertools
import random

import pytest

from mnist_dash.core.config.presets import PRESETS
from mnist_dash.core.config.run_config import RunConfig, parse_config, with_overrides
from mnist_dash.core.layers import Conv, Dense, Flatten
from mnist_dash.search.definition.proposals import GROUPS, listed, proposals, propose, reshaped
from mnist_dash.search.definition.space import Choice, FloatRange, IntRange, Parameter, SearchSpace
from mnist_dash.search.definition.space_rules import check_space

SOFTMAX = Dense(units=10, activation="softmax")
DEEP = RunConfig(layers=(*(Conv(filters=8, padding="same") for _ in range(6)), Flatten(), SOFTMAX))
WIDE = RunConfig(layers=(Flatten(), Dense(units=8192), SOFTMAX))
STRIDED = RunConfig(
    layers=(*(Conv(filters=8, padding="same", stride=2) for _ in range(4)), Flatten(), SOFTMAX)
)
HUGE_BATCH = with_overrides(RunConfig(), [("batch_size", 50_000)])
BASES = {
    **{
        name: PRESETS[name].config
        for name in (
            "mlp_quick",
            "linear_10_10",
            "cnn_32_64_5x5",
            "mlp_300_30_hog",
            "cnn_elu_sgd",
            "cnn_30_15",
        )
    },
    "deep": DEEP,
    "wide": WIDE,
    "strided": STRIDED,
    "huge_batch": HUGE_BATCH,
    "augmented": with_overrides(
        RunConfig(), [("augmentation.rotation", 45), ("optimizer.kind", "lion"), ("epochs", 1)]
    ),
}


def offered(base: RunConfig) -> list[str]:
    """Name everything that can be ticked."""
    return [proposal.path for proposal in proposals(base)]


def space(base: RunConfig, *paths: str) -> SearchSpace | None:
    """Propose a space, None where nothing is left of it."""
    parameters = propose(base, paths)
    return SearchSpace(base=base, parameters=parameters) if parameters else None


@pytest.mark.parametrize("name", BASES)
def test_every_single_and_every_pair_is_a_space(name: str) -> None:
    """Nothing that two ticks can make is refused."""
    base = BASES[name]
    paths = offered(base)
    assert len(paths) >= 10
    wrong = [
        (chosen, check_space(found))
        for count in (1, 2)
        for chosen in itertools.permutations(paths, count)
        if (found := space(base, *chosen)) is not None and check_space(found)
    ]
    assert wrong == []


@pytest.mark.parametrize("name", BASES)
def test_random_subsets_are_spaces_of_configurations(name: str) -> None:
    """Any set of ticks passes the rules, and what is drawn from it can be trained."""
    base, chance = BASES[name], random.Random(name)
    paths = offered(base)
    for _ in range(15):
        found = space(base, *chance.sample(paths, chance.randint(1, len(paths))))
        if found is None:
            continue
        assert check_space(found) == ()
        for _ in range(4):
            found.configure(found.from_unit([chance.random() for _ in found.parameters]))


@pytest.mark.parametrize("name", BASES)
def test_the_order_of_ticks_does_not_matter(name: str) -> None:
    """The same ticks give the same space."""
    base = BASES[name]
    paths = offered(base)
    assert propose(base, paths) == propose(base, paths[::-1])


@pytest.mark.parametrize("name", ["mlp_quick", "cnn_32_64_5x5", "cnn_elu_sgd", "mlp_1500x3"])
def test_ranges_contain_the_bases_own_values(name: str) -> None:
    """A search around a configuration can find the configuration."""
    base = PRESETS[name].config
    tree = base.model_dump(mode="json")
    for parameter in propose(
        base,
        [
            "optimizer.learning_rate",
            "batch_size",
            "epochs",
            "optimizer.kind",
            "scaling",
            "label_smoothing",
        ],
    ):
        node = tree
        for part in parameter.path.split("."):
            node = node[part]
        assert parameter.contains(node), parameter.path  # type: ignore[arg-type]


def test_groups_are_in_their_order_and_parents_come_first() -> None:
    """What a page lists needs no sorting."""
    found = proposals(PRESETS["cnn_32_64_5x5"].config)
    assert [GROUPS.index(proposal.group) for proposal in found] == sorted(
        GROUPS.index(proposal.group) for proposal in found
    )
    places = {proposal.path: place for place, proposal in enumerate(found)}
    assert [
        p.path for p in found if any(places[parent] > places[p.path] for parent in p.requires)
    ] == []


def test_momentum_comes_with_the_optimizers_that_have_it() -> None:
    """With Adam alone there is none; beside a choice of optimizers it has its condition."""
    base = RunConfig()
    assert propose(base, ["optimizer.momentum"]) == ()
    kind, momentum = propose(base, ["optimizer.momentum", "optimizer.kind"])
    assert isinstance(kind, Choice)
    (condition,) = momentum.when
    assert (condition.path, condition.values) == ("optimizer.kind", ("sgd", "rmsprop"))
    sgd = with_overrides(base, [("optimizer.kind", "sgd")])
    (alone,) = propose(sgd, ["optimizer.momentum"])
    assert alone.when == ()


def test_rates_are_wide_enough_for_all_optimizers() -> None:
    """SGD wants ten times what Adam wants."""
    (alone,) = propose(RunConfig(), ["optimizer.learning_rate"])
    _, beside = propose(RunConfig(), ["optimizer.learning_rate", "optimizer.kind"])
    assert isinstance(alone, FloatRange)
    assert isinstance(beside, FloatRange)
    assert (alone.low, alone.high, beside.low, beside.high) == (0.0001, 0.01, 0.0001, 0.1)


def test_convolutions_only_where_there_are_some() -> None:
    """A dense network and one on features have none to explore; the width of no layer is nothing to explore either."""
    assert not [path for path in offered(PRESETS["mlp_quick"].config) if path.startswith("conv.")]
    assert not [
        path
        for path in offered(PRESETS["mlp_300_30_hog"].config)
        if path.startswith(("conv.", "augmentation.", "scaling"))
    ]
    cnn = PRESETS["cnn_32_64_5x5"].config
    assert propose(cnn, ["dense.units"]) == ()
    assert [each.path for each in propose(cnn, ["dense.units", "dense.n_layers"])] == [
        "dense.n_layers",
        "dense.units",
    ]


def test_the_largest_network_of_a_space_is_allowed() -> None:
    """Layers of 8,192 units cannot be three."""
    parameters = propose(WIDE, ["dense.n_layers", "dense.units"])
    found = SearchSpace(base=WIDE, parameters=parameters)
    largest = found.configure(
        {each.path: each.high for each in parameters if isinstance(each, IntRange)}
    )
    assert largest.n_parameters <= 50_000_000


def test_says_what_network_a_search_of_shapes_begins_with() -> None:
    """Two convolutions in a row become two blocks; a network that is built like that already stays."""
    built = reshaped(PRESETS["cnn_32_64_adadelta"].config, ["dense.units"])
    assert built is not None
    assert [layer.kind for layer in built.layers][:4] == ["conv", "max_pool", "conv", "max_pool"]
    assert reshaped(PRESETS["cnn_32_64_adadelta"].config, ["batch_size"]) is None
    assert reshaped(parse_config({}), ["dense.units"]) is None


@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        (
            FloatRange(path="optimizer.learning_rate", low=1e-4, high=1, log=True),
            (1e-4, 1e-3, 1e-2, 0.1, 1.0),
        ),
        (FloatRange(path="dense.dropout", low=0, high=0.4), (0.0, 0.1, 0.2, 0.3, 0.4)),
        (IntRange(path="dense.n_layers", low=1, high=3), (1, 2, 3)),
        (IntRange(path="batch_size", low=32, high=512, log=True), (32, 64, 128, 256, 512)),
        (FloatRange(path="label_smoothing", low=0.1, high=0.1), (0.1,)),
        (Choice(path="scaling", values=("unit", "minmax")), ("unit", "minmax")),
    ],
)
def test_a_range_becomes_values_for_a_grid(
    parameter: Parameter, values: tuple[object, ...]
) -> None:
    """Evenly apart, by the logarithm where that is what counts."""
    assert listed(parameter) == values
