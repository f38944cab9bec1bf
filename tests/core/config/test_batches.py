"""Batches of one image in front of batch normalisation."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mnist_dash.core.config.batches import batch_problems, check_batches
from mnist_dash.core.config.changes import continued, with_change
from mnist_dash.core.config.presets import PRESETS
from mnist_dash.core.config.run_config import RunConfig, parse_config
from mnist_dash.errors import InvalidConfig

VECTOR = [
    {"kind": "flatten"},
    {"kind": "batch_norm"},
    {"kind": "dense", "units": 10, "activation": "softmax"},
]
ONE_PIXEL = [{"kind": "conv", "filters": 2, "kernel": 28}, {"kind": "batch_norm"}, *VECTOR[::2]]
MAP = [{"kind": "conv", "filters": 2, "kernel": 27}, {"kind": "batch_norm"}, *VECTOR[::2]]


def _config(
    layers: Sequence[object], batch_size: int, fraction: float = 0.1, epochs: int = 3
) -> RunConfig:
    return parse_config(
        {
            "layers": layers,
            "batch_size": batch_size,
            "split": {"kind": "tail", "fraction": fraction},
            "epochs": epochs,
        }
    )


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            _config(VECTOR, 1),
            "batch_size: 1 image is too few for the batch normalisation in layer 2 (at least 2).",
        ),
        (_config(ONE_PIXEL, 1), "batch_size: 1 image is too few"),
        (
            _config(VECTOR, 11),
            "batch_size: 11 leaves a last batch of 1 image (54,000 = 4,909 x 11 + 1)",
        ),
        (
            _config(VECTOR, 5999, 0.9),
            "batch_size: 5,999 leaves a last batch of 1 image (6,000 = 1 x 5,999 + 1)",
        ),
    ],
)
def test_a_batch_of_one_is_refused(config: RunConfig, said: str) -> None:
    """With the field, the reason and another size; the configuration as such can be read, as those that are stored are."""
    with pytest.raises(InvalidConfig) as refused:
        check_batches(config)
    assert str(refused.value).startswith(said)
    assert str(refused.value).endswith(", say.")


@pytest.mark.parametrize(
    "config", [_config(VECTOR, 10), _config(MAP, 1), _config(VECTOR[::2], 1), _config(VECTOR, 2)]
)
def test_other_batches_are_taken(config: RunConfig) -> None:
    """Where a batch of one has several values a channel, or nothing normalises it."""
    assert check_batches(config) == config


def test_changes_are_looked_at_too() -> None:
    """A change to such a batch is refused where it is made, and a run is not continued with one."""
    config = _config(VECTOR, 10)
    with pytest.raises(InvalidConfig, match=r"changes\.0\.batch_size: 1 image is too few"):
        with_change(config, 1, {"batch_size": 1})
    with pytest.raises(InvalidConfig, match="batch_size: 11 leaves"):
        continued(_config(VECTOR, 11), 2, 9)


def test_presets_are_not_concerned() -> None:
    """Every published experiment keeps its batches."""
    assert [
        name
        for name, preset in PRESETS.items()
        for config in preset.configs
        if batch_problems(config)
    ] == []
