"""Races: values to begin with, and what makes none."""

from __future__ import annotations

import pytest

from mnist_dash.core.config.presets import PRESETS
from mnist_dash.core.config.run_config import with_overrides
from mnist_dash.errors import InvalidStudy
from mnist_dash.search.definition.race import (
    MAX_VALUES,
    in_order,
    is_race,
    own_value,
    race_of,
    race_settings,
)
from mnist_dash.search.definition.space import Choice
from mnist_dash.search.definition.study_files import parse_study, write_study

BASE = PRESETS["mlp_quick"].config
RATE = "optimizer.learning_rate"


def _said(path: str, text: str, *, seeds: int = 1) -> str:
    with pytest.raises(InvalidStudy) as refused:
        race_of(BASE, path, text, seeds=seeds)
    return str(refused.value)


@pytest.mark.parametrize("preset", ["mlp_quick", "cnn_9_9_16", "linear_10_10"])
def test_every_setting_that_is_offered_makes_a_race(preset: str) -> None:
    """What is filled in for each hyperparameter is accepted as it stands."""
    base = with_overrides(PRESETS[preset].config, [("split", {"kind": "tail", "fraction": 0.1})])
    offered = race_settings(base)
    assert offered[0].title == "Learning rate"
    for setting in offered:
        race = race_of(base, setting.path, ", ".join(map(str, setting.values)))
        assert race.parallelism == len(setting.values)
        assert race.race


def test_learning_rates_lie_around_the_network_s_own() -> None:
    """Eight rates, half a decade apart, with its own among them."""
    assert race_settings(BASE)[0].values == (3e-5, 1e-4, 3e-4, 0.001, 0.003, 0.01, 0.03, 0.1)


def test_a_race_is_a_grid_whose_trials_all_run_at_once() -> None:
    """Values are put in order, all of them are in flight, and files of every run are kept."""
    race = race_of(BASE, RATE, "0.01, 1e-4;0.001", seeds=3, rule="halving")
    (parameter,) = race.space.parameters
    assert isinstance(parameter, Choice)
    assert parameter.values == (1e-4, 0.001, 0.01)
    assert (race.sampler.kind, race.pruner.kind, race.parallelism, race.seeds, race.keep.kind) == (
        "grid",
        "halving",
        3,
        3,
        "all",
    )
    assert race.n_planned == 3
    assert is_race(race)
    assert parse_study(write_study(race)) == race


WRONG = [
    (RATE, "0.1", "one value has nobody to race against (2 to 16). Add values"),
    (RATE, " , ", "no value is given (2 to 16)"),
    (
        RATE,
        ",".join(map(str, range(1, 501))),
        f"500 values are too many for a race (2 to {MAX_VALUES}). Remove some",
    ),
    (RATE, "0.1, 1e-1", "0.1 is listed twice. Remove one"),
    (RATE, "-1, 0.1", "-1 is too small"),
    (RATE, "fast, 0.1", "'fast' is no number"),
    ("batch_size", "64, 64.5", "'64.5' is no whole number"),
    ("dense.units", "64, 100000", "100000 is too large (1 to 8,192)"),
    ("optimizer.kind", "adam, adma", "'adma' is not known"),
    ("optimizer.momentum", "0.1, 0.9", "adam has no field momentum"),
    ("layers.9.units", "8, 16", "there is no layer 9"),
    ("layers.1.rate", "0.1, 0.5", "dense has no field rate"),
    ("speed", "1, 2", "there is no such field"),
    ("seed", "1, 2", "it changes nothing that trials could be compared by"),
]


@pytest.mark.parametrize(("path", "text", "sentence"), WRONG)
def test_what_makes_no_race_is_said(path: str, text: str, sentence: str) -> None:
    """The value, what is allowed, what to do."""
    assert sentence in _said(path, text)


def test_too_many_runs_are_refused() -> None:
    """Sixteen values with five seeds would be eighty processes' work."""
    assert "16 values with 5 seeds are 80 runs, too many for a race (at most 48)" in _said(
        RATE, ",".join(f"{n}e-3" for n in range(1, 17)), seeds=5
    )


def test_order_and_own_value() -> None:
    """Numbers go by size and names as they were given; a word that shapes the network has no value of its own."""
    assert in_order((3, 1, 2.5)) == (1, 2.5, 3)
    assert in_order(("sgd", "adam")) == ("sgd", "adam")
    assert own_value(BASE, RATE) == BASE.optimizer.learning_rate
    assert own_value(BASE, "dense.units") is None
